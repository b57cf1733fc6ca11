package ipmi

import (
	"context"
	"errors"
	"fmt"
)

// Boot methods, as an inventory names them. IPMI can't ask for HTTP boot.
const (
	UEFIPXE = "uefi-pxe"
	BIOSPXE = "bios-pxe"
)

// Boot flags: parameter 5 of the boot options (IPMI 2.0 table 28-14).
const (
	bootFlags = 0x05

	flagValid = 0x80 // the flags are to be used
	flagEach  = 0x40 // for all boots, not only the next
	flagEFI   = 0x20

	deviceMask = 0x3c
	devicePXE  = 0x04
)

func setBootFlags(flags, device byte) request {
	return request{name: "Set System Boot Options (boot flags)", netFn: netFnChassis, cmd: 0x08, data: []byte{bootFlags, flags, device, 0, 0, 0}}
}

func getBootFlags() request {
	return request{name: "Get System Boot Options (boot flags)", netFn: netFnChassis, cmd: 0x09, data: []byte{bootFlags, 0, 0}, atLeast: 4}
}

// SetBoot makes the host boot from the network once, at its next start.
// Switch the host off before and on after it: controllers drop the flags when
// no power command follows within a minute (table 28-14, parameter 3). The
// flags are read back; that they were followed only the host's own DHCP
// request can prove.
func (c *Client) SetBoot(ctx context.Context, method string) error {
	flags := byte(flagValid)
	switch method {
	case UEFIPXE:
		flags |= flagEFI
	case BIOSPXE:
	default:
		return &Error{
			Host: c.cfg.Host, Err: fmt.Errorf("IPMI has no boot device for the method %q", method),
			Hint: "write boot.method uefi-pxe or bios-pxe for this host",
		}
	}
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	if now, err := c.do(ctx, getBootFlags()); err == nil && now[2]&flagValid != 0 && kept(now, flags) {
		return nil
	}
	set := setBootFlags(flags, devicePXE)
	if _, err := c.do(ctx, set); err != nil {
		return err
	}
	back, err := c.do(ctx, getBootFlags())
	if err != nil {
		return err
	}
	if !kept(back, flags) {
		return &Error{
			Host: c.cfg.Host, Request: set.name, Hint: "try another boot.method for this host",
			Err: fmt.Errorf("accepted, and read back as flags %02Xh device %02Xh instead of %02Xh %02Xh", back[2], back[3]&deviceMask, flags, devicePXE),
		}
	}
	return nil
}

// kept reports whether boot flags that were read are those wanted. Some
// controllers keep the device and tell no flags (OpenIPMI's simulator, 2.0.33,
// always tells 00h): then the device alone speaks.
func kept(data []byte, flags byte) bool {
	const told = flagValid | flagEach | flagEFI
	return data[3]&deviceMask == devicePXE && (data[2]&told == 0 || data[2]&told == flags)
}

// bootOverride returns what the next boot is told to take, in Redfish's words,
// or an empty text.
func (c *Client) bootOverride(ctx context.Context) (string, error) {
	data, err := c.do(ctx, getBootFlags())
	if e, ok := errors.AsType[*Error](err); ok && e.Code != 0 {
		return "", nil // not every controller lets every user read it
	}
	if err != nil || data[2]&flagValid == 0 {
		return "", err
	}
	switch data[3] & deviceMask >> 2 {
	case 0x1:
		return "Pxe", nil
	case 0x2, 0x3, 0xb:
		return "Hdd", nil
	case 0x4:
		return "Diags", nil
	case 0x5, 0x8:
		return "Cd", nil
	case 0x6:
		return "BiosSetup", nil
	case 0x7, 0xa, 0xf:
		return "Floppy", nil
	}
	return "", nil
}
