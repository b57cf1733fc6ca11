package provisioner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/ipmi"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// talker is one protocol of a management controller, as both Redfish and IPMI
// have it.
type talker interface {
	Facts(ctx context.Context) (facts.BMC, error)
	SetBoot(ctx context.Context, method string) error
	Power(ctx context.Context, to string) error // act.PowerOn, PowerOff or PowerCycle
	Close(ctx context.Context) error
}

// firmware is what Redfish has beyond that.
type firmware interface {
	BIOS(ctx context.Context) (map[string]any, error)
	SetBIOS(ctx context.Context, attributes map[string]any) (map[string]any, error)
	BIOSJob(ctx context.Context) (redfish.Job, error)
}

var _ firmware = byRedfish{}

// byRedfish is a talker.
type byRedfish struct{ *redfish.Client }

// Power implements talker; the words are the same.
func (b byRedfish) Power(ctx context.Context, to string) error {
	return b.Client.Power(ctx, redfish.Power(to))
}

// byIPMI is a talker.
type byIPMI struct{ *ipmi.Client }

// Power implements talker; the words are the same.
func (b byIPMI) Power(ctx context.Context, to string) error {
	return b.Client.Power(ctx, ipmi.Power(to))
}

// controller is one host's management controller as doers and observers want it.
type controller struct {
	host   string
	client talker
	spare  talker // IPMI beside Redfish; nil where the inventory names none
	mu     sync.Mutex
	notice string        // what a person should know and what ends nothing
	mac    string        // of the boot NIC
	keys   bootKeys      // that its firmware is to have
	tell   step.Reporter // hears what the client waits for; nil is nobody
}

// openControllers prepares one client for each host. Every secret that can't
// be had is told at once. Deep asks for what no rule judges, too.
func openControllers(c inventory.Cluster, beside string, deep bool, keys bootKeys) (map[string]*controller, error) {
	out := map[string]*controller{}
	wanted := map[string]func(name, display string) bool{} // by class: it holds a hundred patterns
	for name, class := range c.Classes {
		wanted[name] = bios.Wanted(class.BIOS)
	}
	var errs []error
	for _, n := range c.Nodes {
		password, err := Reveal(n.BMC.Password, beside)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: the password of its management controller (%s): %w", n.Name, n.BMC.Password, err))
			continue
		}
		one, err := openController(n, password, redfish.Config{Deep: deep, Keys: keys.certificate != nil, Attributes: wanted[n.Class]})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		one.keys = keys
		out[n.Name] = one
	}
	return out, errors.Join(errs...)
}

// openController prepares the clients of one host. The Redfish configuration
// holds what doesn't come from the node.
func openController(n inventory.Node, password secret.Value, cfg redfish.Config) (*controller, error) {
	one := &controller{host: n.Name, mac: n.Boot.MAC}
	other := n.BMC.IPMI
	if n.BMC.OnlyIPMI() {
		other = n.BMC.URL
	}
	if other != "" {
		c, err := ipmi.New(ipmi.Config{
			Host: n.Name, URL: other, Username: n.BMC.Username, Password: password,
			Waiting: func(w ipmi.Wait) { one.waiting(w.For, w.Last, w.Deadline, w.Next) },
		})
		if err != nil {
			return nil, err
		}
		one.spare = byIPMI{c}
	}
	if n.BMC.OnlyIPMI() {
		one.client, one.spare = one.spare, nil
		return one, nil
	}
	cfg.Host, cfg.URL, cfg.Username, cfg.Password = n.Name, n.BMC.URL, n.BMC.Username, password
	cfg.Fingerprint, cfg.Serial = n.BMC.Fingerprint, n.Serial
	cfg.Waiting, cfg.Notice = func(w redfish.Wait) { one.waiting(w.For, w.Last, w.Deadline, w.Next) }, one.note
	c, err := redfish.New(cfg)
	one.client = byRedfish{c}
	return one, err
}

// close ends the sessions.
func (c *controller) close(ctx context.Context) error {
	err := c.client.Close(ctx)
	if c.spare != nil {
		err = errors.Join(err, c.spare.Close(ctx))
	}
	return err
}

// closeControllers ends all sessions, at once: a rack has many.
func closeControllers(ctx context.Context, all map[string]*controller) error {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		errs []error
	)
	for _, c := range all {
		wg.Go(func() {
			if err := c.close(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// note keeps what a person should know of this controller.
func (c *controller) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notice = text
}

// Notices returns what a person should know of the controllers and what ended
// nothing, by host.
func (r *Run) Notices() map[string]string {
	out := map[string]string{}
	for host, c := range r.controllers {
		c.mu.Lock()
		if c.notice != "" {
			out[host] = host + ": " + c.notice
		}
		c.mu.Unlock()
	}
	return out
}

func (c *controller) waiting(what, last string, deadline time.Time, next string) {
	c.say(step.Event{Note: "waiting for " + what, Evidence: last, Deadline: deadline, Next: next})
}

// say tells whoever listens now.
func (c *controller) say(what step.Event) {
	c.mu.Lock()
	tell := c.tell
	c.mu.Unlock()
	if tell != nil {
		tell(what)
	}
}

// Facts implements observe.Controller.
func (c *controller) Facts(ctx context.Context) (facts.BMC, error) { return c.client.Facts(ctx) }

// once is a controller that is asked one time in this run: it is left as soon
// as it told its facts, for a rack has many and most wait for the slowest.
type once struct{ *controller }

// Facts implements observe.Controller.
func (o once) Facts(ctx context.Context) (facts.BMC, error) {
	got, err := o.controller.Facts(ctx)
	return got, errors.Join(err, o.close(ctx))
}

// viaIPMI begins a boot method that is asked for by IPMI, where Redfish was
// asked before and no host came.
const viaIPMI = "ipmi:"

// SetBoot implements act.Machine.
func (c *controller) SetBoot(ctx context.Context, method string) error {
	if by, ok := strings.CutPrefix(method, viaIPMI); ok && c.spare != nil {
		if err := c.spare.SetBoot(ctx, by); err != nil {
			return fmt.Errorf("%w: %w", act.ErrOtherWay, err)
		}
		return nil
	}
	return otherWay(c.client.SetBoot(ctx, method))
}

// Power implements act.Machine. A Redfish that can't switch the power is not
// the end where there is IPMI: the state is read back by either.
func (c *controller) Power(ctx context.Context, to string, tell step.Reporter) error {
	c.mu.Lock()
	c.tell = tell
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.tell = nil
		c.mu.Unlock()
	}()
	err := c.client.Power(ctx, to)
	if err == nil || c.spare == nil || ctx.Err() != nil {
		return err
	}
	c.say(step.Event{Note: "by Redfish: " + err.Error() + "; now by IPMI"})
	if second := c.spare.Power(ctx, to); second != nil {
		return errors.Join(err, second)
	}
	return nil
}

// firmware returns the part of the controller that has BIOS attributes.
func (c *controller) firmware() (firmware, error) {
	if b, ok := c.client.(firmware); ok {
		return b, nil
	}
	return nil, &step.Hold{
		Reason: c.host + ": its BMC is spoken to by IPMI, which knows no BIOS attributes",
		Hint:   "set them in the host's setup and take `bios` out of its class, or write a redfish+https:// URL",
	}
}

// BIOS implements act.Machine.
func (c *controller) BIOS(ctx context.Context) (map[string]any, error) {
	b, err := c.firmware()
	if err != nil {
		return nil, err
	}
	return b.BIOS(ctx)
}

// SetBIOS implements act.Firmware.
func (c *controller) SetBIOS(ctx context.Context, attributes map[string]any) error {
	b, err := c.firmware()
	if err != nil {
		return err
	}
	_, err = b.SetBIOS(ctx, attributes)
	return err
}

// Enroll implements act.Verifier.
func (c *controller) Enroll(ctx context.Context) error {
	b, ok := c.client.(byRedfish)
	if !ok {
		return fmt.Errorf("%w: %s: its BMC is spoken to by IPMI, which knows nothing of Secure Boot", act.ErrByHand, c.host)
	}
	err := b.EnrollKeys(ctx, redfish.BootKeys{DB: c.keys.certificate, KEK: c.keys.exchange, PK: c.keys.platform})
	if errors.Is(err, redfish.ErrUnsupported) || errors.Is(err, redfish.ErrNotKept) {
		err = fmt.Errorf("%w: %w", act.ErrByHand, err)
	}
	return err
}

// SecureBoot implements act.Verifier.
func (c *controller) SecureBoot(ctx context.Context) (on bool, said string, err error) {
	b, ok := c.client.(byRedfish)
	if !ok {
		return false, "", fmt.Errorf("%s: IPMI knows nothing of Secure Boot", c.host)
	}
	return b.Client.SecureBoot(ctx)
}

// BIOSJob tells how the job of the last SetBIOS stands: a redfish.JobState, and
// a sentence.
func (c *controller) BIOSJob(ctx context.Context) (state, said string, err error) {
	b, err := c.firmware()
	if err != nil {
		return "", "", err
	}
	j, err := b.BIOSJob(ctx)
	return string(j.State), j.String(), err
}
