package act

import (
	"context"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Machine is what starting a host needs of its management controller.
type Machine interface {
	// SetBoot makes the next boot, and only that one, go to the network by
	// this method, and reads it back.
	SetBoot(ctx context.Context, method string) error
	// Power brings the host to PowerOn, PowerOff or through PowerCycle and
	// waits until that is read back; report hears what it waits for.
	Power(ctx context.Context, to string, report step.Reporter) error
	// BIOS returns the attributes in force.
	BIOS(ctx context.Context) (map[string]any, error)
}

// What Machine.Power can be asked for.
const (
	PowerOn    = "On"
	PowerOff   = "Off"
	PowerCycle = "Cycle" // off and on, or on when it is off
)

// Boots opens the network boot of a host for the time of one step.
type Boots interface {
	// Open makes a one-time ticket and answers the host's boot NIC from now on.
	Open(node string) error
	Close(node string)
}

// Netboot is what booting a host into the installer needs.
type Netboot struct {
	Machine func(node string) (Machine, error)
	Methods func(node string) []string // ways to boot, best first
	Boots   Boots
	Orders  Orders
	Signals *Signals
	Image   func(node string) string // URL of the boot image for virtual media
	POST    time.Duration            // how long a host may take from power-on to its first DHCP request
	next    string                   // what follows the claim
}
