package provisioner

import (
	"context"
	"errors"
	"fmt"

	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
)

// ways are those to boot a host that only Redfish has.
type ways interface {
	NetworkFirst(ctx context.Context, mac string) ([]string, error)
	SetBootOrder(ctx context.Context, order []string) error
	InsertMedia(ctx context.Context, image string) error
	EjectMedia(ctx context.Context, image string) error
}

// ways returns the part of the controller that has them.
func (c *controller) ways() (ways, error) {
	if w, ok := c.client.(ways); ok {
		return w, nil
	}
	return nil, fmt.Errorf("%w: %s: its BMC is spoken to by IPMI, which knows no boot order and no virtual media", act.ErrOtherWay, c.host)
}

// NetworkFirst implements act.Sorter.
func (c *controller) NetworkFirst(ctx context.Context) ([]string, error) {
	w, err := c.ways()
	if err != nil {
		return nil, err
	}
	was, err := w.NetworkFirst(ctx, c.mac)
	return was, otherWay(err)
}

// SetBootOrder implements act.Sorter.
func (c *controller) SetBootOrder(ctx context.Context, order []string) error {
	w, err := c.ways()
	if err != nil {
		return err
	}
	return w.SetBootOrder(ctx, order)
}

// InsertMedia implements act.Drive.
func (c *controller) InsertMedia(ctx context.Context, image string) error {
	w, err := c.ways()
	if err != nil {
		return err
	}
	return otherWay(w.InsertMedia(ctx, image))
}

// EjectMedia implements act.Drive.
func (c *controller) EjectMedia(ctx context.Context, image string) error {
	w, err := c.ways()
	if err != nil {
		return err
	}
	return w.EjectMedia(ctx, image)
}

// otherWay marks what a controller doesn't take, so that the next way to boot is
// tried.
func otherWay(err error) error {
	for _, kind := range []error{redfish.ErrUnsupported, redfish.ErrNotKept, redfish.ErrLicense} {
		if errors.Is(err, kind) {
			return fmt.Errorf("%w: %w", act.ErrOtherWay, err)
		}
	}
	return err
}

var (
	_ act.Sorter = (*controller)(nil)
	_ act.Drive  = (*controller)(nil)
)
