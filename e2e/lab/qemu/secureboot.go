package qemu

import (
	"fmt"
	"os"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

// firmwareFile is a file of OVMF, "CODE" or "VARS". With Secure Boot it is the
// build that keeps its variables from the system, and Microsoft's keys, with
// which servers are sold.
func (c Config) firmwareFile(part string) string {
	switch {
	case c.Secure && part == "CODE":
		return ovmf + "OVMF_CODE_4M.secboot.fd"
	case c.Secure:
		return ovmf + "OVMF_VARS_4M.ms.fd"
	}
	return ovmf + "OVMF_" + part + "_4M.fd"
}

// board is the machine type. OVMF's Secure Boot needs system management mode.
func (c Config) board() string {
	if c.Secure {
		return "q35,smm=on"
	}
	return "q35"
}

// SecureBoot reads what a machine's firmware knows of Secure Boot, from its
// variables: before the first boot those of the factory.
func (m *Machine) SecureBoot() (*bmc.SecureBoot, error) {
	if !m.cfg.Secure {
		return nil, nil
	}
	if err := m.vars(); err != nil {
		return nil, err
	}
	flash, err := os.ReadFile(m.cfg.Vars)
	if err != nil {
		return nil, err
	}
	v, err := readVars(flash)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.cfg.Vars, err)
	}
	enable := v.get("SecureBootEnable", switchGUID)
	return &bmc.SecureBoot{
		Enabled: len(enable) == 1 && enable[0] == 1,
		PK:      v.get("PK", globalGUID), KEK: v.get("KEK", globalGUID), DB: v.get("db", securityGUID),
	}, nil
}

// keys brings what the controller was told into the firmware's variables. The
// machine is off.
func (m *Machine) keys(want *bmc.SecureBoot) error {
	if !m.cfg.Secure || want == nil {
		return nil
	}
	flash, err := os.ReadFile(m.cfg.Vars)
	if err != nil {
		return err
	}
	v, err := readVars(flash)
	if err != nil {
		return fmt.Errorf("%s: %w", m.cfg.Vars, err)
	}
	enable := byte(0)
	if want.Enabled {
		enable = 1
	}
	v.set("SecureBootEnable", switchGUID, attrKept, []byte{enable})
	v.set("PK", globalGUID, attrSigned, want.PK)
	v.set("KEK", globalGUID, attrSigned, want.KEK)
	v.set("db", securityGUID, attrSigned, want.DB)
	if flash, err = v.bytes(); err != nil {
		return err
	}
	return os.WriteFile(m.cfg.Vars, flash, 0o600)
}
