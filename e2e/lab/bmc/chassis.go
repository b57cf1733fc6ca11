package bmc

import (
	"errors"
	"fmt"
)

// errBusy is what another protocol hears where Redfish gives 409.
var errBusy = errors.New("the system is in a power transition; try again later")

// Switch brings the power on or off at once, as another protocol than Redfish
// asks (IPMI 2.0 section 28.3). What is so already stays so.
func (c *Controller) Switch(on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case on == (c.power.state == On) && !c.power.busy, !on && c.power.state == Off:
		return nil
	case c.power.busy:
		return errBusy
	case on:
		c.start()
	default:
		c.down(ResetForceOff)
	}
	return nil
}

// Restart resets a machine that is on.
func (c *Controller) Restart() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.power.busy {
		return errBusy
	}
	if c.power.state != On {
		return errors.New("the system is powered off")
	}
	c.down(ResetForceRestart)
	return nil
}

// BootOnce sets the override of the next boot (IPMI 2.0 table 28-14), in
// Redfish's words; TargetNone takes it away.
func (c *Controller) BootOnce(target string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch target {
	case TargetNone:
		c.override = override{Enabled: Disabled, Target: TargetNone, Mode: c.cfg.BootMode}
	case TargetPxe, TargetHdd:
		c.override = override{Enabled: Once, Target: target, Mode: c.cfg.BootMode}
	default:
		return fmt.Errorf("the system can't boot from %s", target)
	}
	return nil
}
