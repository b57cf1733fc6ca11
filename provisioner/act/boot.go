package act

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// The ways to boot a host that are more than a one-time override towards its
// network. They come after the overrides, in this order.
const (
	BootOrder    = "boot-order"    // the network before the disk, until it is put back
	VirtualMedia = "virtual-media" // iPXE from the management controller's virtual CD
)

// ErrOtherWay is wrapped by the error of a machine that doesn't take a way to
// boot, or takes and forgets it: the next way is tried.
var ErrOtherWay = errors.New("another way to boot is needed")

// Sorter is a Machine whose boot order can be written.
type Sorter interface {
	// NetworkFirst puts the boot NIC before all else in the boot order and
	// returns the order that was; nil when it was so already.
	NetworkFirst(ctx context.Context) ([]string, error)
	// SetBootOrder puts back what NetworkFirst returned.
	SetBootOrder(ctx context.Context, order []string) error
}

// Drive is a Machine with a virtual CD.
type Drive interface {
	// InsertMedia ejects what is in the drive, inserts the image at this URL
	// and reads it back.
	InsertMedia(ctx context.Context, image string) error
	// EjectMedia takes this image out again, and no other.
	EjectMedia(ctx context.Context, image string) error
}

// ability asks a machine for more than every machine can.
func ability[T any](m Machine, what string) (T, error) {
	able, ok := m.(T)
	if !ok {
		return able, fmt.Errorf("%w: its management controller has no %s for us", ErrOtherWay, what)
	}
	return able, nil
}

// What a start waits for, in this order.
const (
	waitImage   = "the management controller to read the boot image"
	waitRequest = "the host's DHCP request"
	waitClaim   = "the installer's claim"
)

// boot starts the host by each method in turn until its installer has claimed
// its identity. A management controller's 2xx is not believed: what proves the
// boot is the DHCP request of that MAC inside a deadline.
func (i Netboot) boot(ctx context.Context, host string, m Machine, in <-chan Signal, report step.Reporter) error {
	var tried []error
	heard := false // its firmware boots from the network: the boot order is not what is wrong
	methods := i.Methods(host)
	for n, method := range methods {
		if method == BootOrder && heard {
			continue
		}
		if err := i.Boots.Open(host); err != nil {
			return err
		}
		err := i.start(ctx, host, m, method, in, report)
		if err == nil {
			return nil
		}
		silence, silent := errors.AsType[*Silence](err)
		if !silent && !errors.Is(err, ErrOtherWay) {
			return err
		}
		heard = heard || silent && silence.Wait.For == waitClaim
		tried = append(tried, fmt.Errorf("by %s: %w", method, err))
		report(step.Event{Note: "it did not boot by " + method, Evidence: err.Error(), Next: following(methods[n+1:])})
	}
	return &step.Hold{
		Reason: "the host did not boot from the network",
		Hint:   "look at its console and at the boot order in its setup; is the cable of the boot NIC in the provisioning network, is the MAC right?",
		Err:    errors.Join(tried...),
	}
}

// following says what comes after a method that failed.
func following(left []string) string {
	if len(left) == 0 {
		return "no way is left; a person has to look"
	}
	return "it is switched off and booted by " + left[0]
}

// start powers the host on towards the network and waits for its claim. What it
// changed for longer than one boot is put back at its end.
func (i Netboot) start(ctx context.Context, host string, m Machine, method string, in <-chan Signal, report step.Reporter) error {
	if err := m.Power(ctx, PowerOff, report); err != nil {
		return err
	}
	drain(in)
	undo, err := i.aim(ctx, host, m, method, report)
	defer undo()
	if err != nil {
		return err
	}
	if err := m.Power(ctx, PowerOn, report); err != nil {
		return err
	}
	report(step.Event{Mark: step.MarkPowerOn, Note: "power is on, next boot by " + method})
	if err := i.asked(ctx, method, in, report); err != nil {
		return err
	}
	claimed := Wait{For: waitClaim, Long: 10 * time.Minute, Next: i.next}
	return until(ctx, claimed, in, report, func(s Signal) (bool, error) {
		if s.Kind == KindRefused {
			return false, &step.Hold{Reason: "the host's claim was refused", Hint: "compare the inventory with what the host says of itself", Err: s.Err}
		}
		return s.Kind == KindClaim, nil
	})
}

// asked waits for the proof that the host boots by the method.
func (i Netboot) asked(ctx context.Context, method string, in <-chan Signal, report step.Reporter) error {
	request := Wait{
		For: waitRequest, Long: i.POST, Next: "the loader, then iPXE's script",
		Hint: "is the boot NIC's cable in the provisioning network?",
	}
	if method == VirtualMedia {
		read := Wait{
			For: waitImage, Long: i.POST, Next: waitRequest,
			Hint: "does the network of the management controllers reach this machine's address in the provisioning network?",
		}
		met := false // before its image was seen to be read
		err := until(ctx, read, in, report, func(s Signal) (bool, error) {
			met = slices.Contains([]Kind{KindDHCP, KindScript}, s.Kind)
			return met || s.Kind == KindMedia, nil
		})
		if met || err != nil {
			return err
		}
	}
	return until(ctx, request, in, report, first(KindDHCP, KindScript))
}

// aim makes the next start go to the network by a method, and returns how what
// outlasts that start is put back. It is safe to call undo after an error.
func (i Netboot) aim(ctx context.Context, host string, m Machine, method string, report step.Reporter) (undo func(), err error) {
	nothing := func() {}
	switch method {
	case BootOrder:
		able, err := ability[Sorter](m, "boot order")
		if err != nil {
			return nothing, err
		}
		was, err := able.NetworkFirst(ctx)
		if was == nil || err != nil {
			return nothing, err
		}
		report(step.Event{Note: "the network is first in the boot order until the installer runs", Evidence: fmt.Sprintf("it was %v", was)})
		return afterwards(ctx, report, fmt.Sprintf("the boot order %v", was), func(ctx context.Context) error { return able.SetBootOrder(ctx, was) }), nil
	case VirtualMedia:
		able, err := ability[Drive](m, "virtual media")
		if err != nil {
			return nothing, err
		}
		image := i.Image(host)
		undo = afterwards(ctx, report, "the empty drive", func(ctx context.Context) error { return able.EjectMedia(ctx, image) })
		if err := able.InsertMedia(ctx, image); err != nil {
			return undo, err
		}
		report(step.Event{Note: "the virtual CD holds " + image})
		return undo, m.SetBoot(ctx, method)
	}
	return nothing, m.SetBoot(ctx, method)
}

// undoTime bounds putting back, which an interrupted run does too.
const undoTime = time.Minute

// afterwards returns a function that puts something back, also when the step was
// cut, and tells when that fails: the host works on, a person should know.
func afterwards(ctx context.Context, report step.Reporter, what string, undo func(context.Context) error) func() {
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		if err := undo(ctx); err != nil {
			report(step.Event{Note: "could not put back " + what, Evidence: err.Error(), Next: "put it back by hand, in the firmware's setup or on the controller's page"})
		}
	}
}
