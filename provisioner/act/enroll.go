package act

import (
	"context"
	"errors"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Verifier is what Enroll needs of a management controller.
type Verifier interface {
	Machine
	// Enroll brings the site's certificate into the firmware's db and switches
	// Secure Boot on; both are read back.
	Enroll(ctx context.Context) error
	// SecureBoot tells whether Secure Boot is in force.
	SecureBoot(ctx context.Context) (on bool, said string, err error)
}

// ErrByHand is wrapped by the error of a controller that offers no keys, or
// takes and forgets them.
var ErrByHand = errors.New("a person has to bring the certificate into the firmware")

// Enroll makes a host's firmware verify by the site's key.
type Enroll struct {
	Machine func(node string) (Verifier, error)
	POST    time.Duration // how long a restart may take
}

// Do implements the verb. A host that an Install follows tells itself whether
// Secure Boot is in force, before its disk is touched; any other is asked of its
// controller after POST.
func (e Enroll) Do(ctx context.Context, s step.Step, v step.Enroll, report step.Reporter) error {
	m, err := e.Machine(s.Host)
	if err != nil {
		return err
	}
	err = m.Enroll(ctx)
	if errors.Is(err, ErrByHand) {
		return &step.Hold{
			Reason: "the controller did not take the certificate", Err: err,
			Hint: "bring it into db in the firmware's setup, switch Secure Boot on there, and write enroll: false below spec.secureBoot",
		}
	}
	if err != nil {
		return err
	}
	if !v.Restart {
		report(step.Event{Note: "the certificate is in db and Secure Boot is switched on; the power-on that follows brings it in force"})
		return nil
	}
	if err := m.Power(ctx, PowerCycle, report); err != nil {
		return err
	}
	w := Wait{For: "Secure Boot to be in force after POST", Long: e.POST, Next: "the host is looked at again", Hint: "look into the host's setup, and at its console for \"Access Denied\""}
	return poll(ctx, w, 2*time.Second, report, func(ctx context.Context) (bool, string) {
		on, said, err := m.SecureBoot(ctx)
		if err != nil {
			return false, err.Error()
		}
		return on, said
	})
}
