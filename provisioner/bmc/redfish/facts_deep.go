package redfish

import (
	"context"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// manager reads the controller's own version and clock, when asked for.
func (l *look) manager(ctx context.Context) error {
	if !l.cfg.Deep {
		return nil
	}
	type manager struct {
		Version text `json:"FirmwareVersion"`
		Time    text `json:"DateTime"`
		Type    text `json:"ManagerType"`
	}
	take := func(p path, m manager) error {
		if m.Type != "" && m.Type != "BMC" && m.Type != "ManagementController" || l.out.Clock != nil {
			return nil // a manager of an enclosure, or a second one
		}
		if m.Version != "" {
			l.out.Firmware = append(l.out.Firmware, facts.Firmware{Name: "BMC", Version: string(m.Version)})
		}
		if at, err := time.Parse(time.RFC3339, string(m.Time)); err == nil {
			l.tell(at, time.Now(), string(p))
		}
		return nil
	}
	if managers := l.system.Links.ManagedBy; len(managers) > 0 && managers[0].Path != "" {
		var m manager
		if _, err := l.get(ctx, managers[0].Path, &m); err != nil {
			return err
		}
		return take(managers[0].Path, m)
	}
	_, err := each(ctx, l, "", l.root.Managers.Path, take)
	return err
}

// clock takes the time that came with the last answer, where no manager told
// it: it costs no request, and is exact to a second.
func (l *look) clock(context.Context) error {
	if l.out.Clock == nil && !l.date.IsZero() {
		l.tell(l.date, l.heard, "HTTP Date")
	}
	return nil
}

func (l *look) tell(at, ours time.Time, from string) {
	l.out.Clock = &facts.Clock{Time: at.UTC(), Skew: at.Sub(ours).Round(time.Second)}
	l.from("clock", from)
}
