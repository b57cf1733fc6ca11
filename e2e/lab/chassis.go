package lab

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/ipmisim"
)

// Ways in which a machine has IPMI.
const (
	IPMIBeside = "beside" // beside Redfish
	IPMIOnly   = "only"   // the inventory knows no other; the Redfish controller is there all the same
)

// ChassisCommand is the hidden argument list with which ipmi_sim starts this
// program for each look at the power and each order: see Chassis.
func ChassisCommand(lab, machine string) []string { return []string{"lab", "chassis", lab, machine} }

// Chassis asks the daemon of a lab what ipmi_sim wants to know or to have done
// of a machine: "get power", "set boot pxe".
func Chassis(ctx context.Context, lab, machine string, order []string) (string, error) {
	var said string
	return said, ask(ctx, lab, http.MethodPut, "/chassis/"+machine, order, &said)
}

// ipmiPort is where a controller listens (IPMI 2.0 section 13.1.2).
const ipmiPort = 623

// ipmi starts the IPMI side of a machine, at the address of its Redfish side.
func (d *daemon) ipmi(r *rack, password string) error {
	if r.IPMI == "" {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s, err := ipmisim.Start(ipmisim.Config{
		Dir: r.path("ipmi"), Addr: netip.AddrPortFrom(r.server.bmc, ipmiPort), Username: username, Password: password, UUID: r.uuid,
		FRU:     ipmisim.FRU{Maker: "RA2 Lab", Model: r.Kind, Part: "RA2LAB", Serial: r.serial, BoardSerial: fmt.Sprintf("RA2BOARD%04d", r.number)},
		Control: append([]string{program}, ChassisCommand(d.file.Metadata.Name, r.Name)...),
	})
	if err != nil {
		return err
	}
	r.close = append([]func() error{s.Close}, r.close...)
	return nil
}

// chassis does what ipmi_sim asks for, on the machine that Redfish has, too.
func (r *rack) chassis(order []string) (string, error) {
	if len(order) == 2 && order[0] == "get" {
		switch order[1] {
		case "power":
			return "power:" + r.powered(), nil
		case "boot":
			_, target, _ := r.bmc.Override()
			return "boot:" + bootWord(target), nil
		}
	}
	if len(order) >= 3 && order[0] == "set" {
		switch order[1] {
		case "power":
			return "", r.bmc.Switch(order[2] == "1")
		case "reset":
			return "", r.bmc.Restart()
		case "boot":
			return "", r.bmc.BootOnce(bootTarget(order[2]))
		}
	}
	return "", fmt.Errorf("a machine of the lab knows no %q", order)
}

// powered is 1 while the machine has power.
func (r *rack) powered() string {
	if p := r.bmc.Power(); p == bmc.On || p == bmc.PoweringOff {
		return "1"
	}
	return "0"
}

// bootWord and bootTarget turn Redfish's boot targets into ipmi_sim's words and
// back.
func bootWord(target string) string {
	switch target {
	case bmc.TargetPxe, bmc.TargetUefiHttp:
		return "pxe"
	case bmc.TargetHdd:
		return "default"
	}
	return "none"
}

func bootTarget(word string) string {
	switch word {
	case "pxe":
		return bmc.TargetPxe
	case "default":
		return bmc.TargetHdd
	case "none":
		return bmc.TargetNone
	}
	return word
}
