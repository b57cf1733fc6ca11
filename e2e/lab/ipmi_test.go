package lab_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/ipmisim"
	"github.com/ra2-deploy/ra2-deploy/inventory"
)

// ipmitool runs the real one inside of the lab, and fails unless it says want.
func (s site) ipmitool(want string, args ...string) {
	s.Helper()
	password, err := os.ReadFile(s.dir + "/bmc-password")
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.CommandContext(s.Context(), "ip", append([]string{
		"netns", "exec", "ra2-" + s.name, "ipmitool", "-I", "lanplus", "-C", "3", "-H", "10.17.1.11", "-U", "admin", "-E",
	}, args...)...)
	cmd.Env = append(os.Environ(), "IPMITOOL_PASSWORD="+string(password))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
		s.Fatalf("ipmitool %v: %v: %s; want %q", args, err, out, want)
	}
}

// The real ipmitool reads, boots and switches off a machine of the lab, and
// Redfish sees the same machine.
func TestIpmitool(t *testing.T) {
	needsLab(t)
	for _, program := range []string{"ipmitool", ipmisim.Program} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s: apt install ipmitool openipmi", program)
		}
	}
	s := up(t, "t-ipmi", machine+", ipmi: only}\n")
	s.netboot(content(t, "mode=wait"))
	s.ipmitool("Firmware Revision         : 2.31", "mc", "info")
	s.ipmitool("RA2LAB0011", "fru", "print", "0")
	s.ipmitool("17170000-0000-4000-8000-000000000011", "mc", "guid")
	s.ipmitool("Chassis Power is off", "chassis", "power", "status")
	s.ipmitool("Set Boot Device to pxe", "chassis", "bootdev", "pxe", "options=efiboot")
	if boot, _ := s.redfish("GET", "/Systems/1", "")["Boot"].(map[string]any); boot["BootSourceOverrideTarget"] != bmc.TargetPxe {
		t.Errorf("Redfish sees the override %v", boot)
	}
	s.ipmitool("Up/On", "chassis", "power", "on")
	s.says("init: waits", 30*time.Second)
	s.ipmitool("Chassis Power is on", "chassis", "power", "status")
	s.until(bmc.On, time.Second)
	s.ipmitool("Down/Off", "chassis", "power", "off")
	s.until(bmc.Off, 5*time.Second)
}

// The inventory of a lab says how each machine is reached.
func TestInventoryOfIPMI(t *testing.T) {
	needsLab(t)
	if _, err := exec.LookPath(ipmisim.Program); err != nil {
		t.Skip("needs ipmi_sim: apt install openipmi")
	}
	s := up(t, "t-ipmi-inv", machine+", ipmi: only}\n    - {name: m2, zone: a, disk: 256M, dataDisk: 1M, ipmi: beside}\n    - {name: m3, zone: a, disk: 256M, dataDisk: 1M, roles: [control-plane, worker]}\n")
	text, err := os.ReadFile(s.dir + "/inventory.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := inventory.Parse("inventory.yaml", text, inventory.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i, want := range []inventory.BMC{{URL: "ipmi://10.17.1.11"}, {URL: "https://10.17.1.12", IPMI: "ipmi://10.17.1.12"}, {URL: "https://10.17.1.13"}} {
		if got := c.Nodes[i].BMC; got.URL != want.URL || got.IPMI != want.IPMI || (got.Fingerprint == "") != got.OnlyIPMI() {
			t.Errorf("%s: %+v", c.Nodes[i].Name, got)
		}
	}
	if m := c.Nodes[0].Boot.Method; m != "uefi-pxe" {
		t.Errorf("m1 boots by %s", m)
	}
	all, err := lab.Status(t.Context(), s.dir)
	if err != nil || all[0].IPMI != "ipmi://10.17.1.11" || all[2].IPMI != "" {
		t.Errorf("status %+v, %v", all, err)
	}
}
