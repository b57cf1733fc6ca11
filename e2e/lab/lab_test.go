package lab_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/ipmisim"
)

const machine = "    - {name: m1, zone: a, disk: 256M, dataDisk: 1M"

// A container machine goes from power-on by network to the installer, restarts
// into its disk, and switches itself off: all that a real server would do.
func TestContainerMachine(t *testing.T) {
	needsLab(t)
	for name, boot := range map[string]struct{ method, target string }{
		"http": {"uefi-http", bmc.TargetUefiHttp}, "pxe": {"uefi-pxe", bmc.TargetPxe}, "fall": {"uefi-http", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := up(t, "t-"+name, machine+", boot: "+boot.method+"}\n")
			s.netboot(content(t, "mode=boot root=x"))
			if boot.target != "" {
				s.redfish("PATCH", "/Systems/1", `{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"`+boot.target+`"}}`)
			}
			s.reset("On")
			for _, line := range []string{
				"init: kernel line mode=install a=b", "init: pid 1 container ra2-lab", "product_serial RA2LAB0011 <nil>",
				"net/eth0/address 52:54:00:17:00:11 <nil>", "vda/serial RA2DISK0011 <nil>", "vdb/serial RA2DATA0011 <nil>", "/ra2/ticket one-time <nil>",
				"init: disks [/sys/block/vda /sys/block/vdb]", "init: kexec function not implemented", "init: clock operation not permitted",
				"init: installed <nil>", "init: kernel line mode=boot root=x", "PARTNAME=ra2-config", "the machine switched itself off",
			} {
				s.says(line, 30*time.Second)
			}
			s.until(bmc.Off, 5*time.Second)
			if same, err := lab.DataDisk(s.dir, "m1"); err != nil || !same {
				t.Errorf("the data disk changed (%v)", err)
			}
		})
	}
}

// Power off is the end of everything in the machine, at once; the data on its
// disk stays.
func TestForceOff(t *testing.T) {
	needsLab(t)
	s := up(t, "t-off", machine+"}\n")
	s.netboot(content(t, "mode=wait"))
	s.reset("On")
	s.says("init: waits", 30*time.Second)
	s.reset("ForceOff")
	s.until(bmc.Off, 5*time.Second)
	s.reset("On")
	s.until(bmc.On, 5*time.Second)
	s.reset("ForceRestart")
	s.until(bmc.On, 5*time.Second)
	all, err := lab.Status(t.Context(), s.dir)
	if err != nil || len(all) != 1 || all[0].Power != bmc.On {
		t.Errorf("status %+v, %v", all, err)
	}
}

// A QEMU machine boots through real firmware; when the guest restarts, it goes
// through firmware again. SMT is what the BIOS attribute says.
func TestQEMUMachine(t *testing.T) {
	needsLab(t)
	for name, m := range map[string]struct{ kind, target string }{
		"http": {"firmware: uefi, boot: uefi-http", bmc.TargetUefiHttp}, "bios": {"firmware: bios", bmc.TargetPxe},
	} {
		t.Run(name, func(t *testing.T) {
			kernel := realKernel(t)
			s := up(t, "t-q-"+name, machine+", kind: qemu, memory: 1G, cpus: 2, "+m.kind+"}\n")
			dir := content(t, "mode=wait")
			copyFile(t, kernel, dir+"/kernel")
			for _, loader := range []string{"snponly.efi", "undionly.kpxe"} {
				copyFile(t, "/usr/lib/ipxe/"+loader, dir+"/"+loader)
			}
			s.netboot(dir)
			s.redfish("PATCH", "/Systems/1", `{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"`+m.target+`"}}`)
			s.redfish("PATCH", "/Systems/1/Bios/Settings", `{"Attributes":{"LogicalProc":"Enabled"}}`)
			s.reset("On")
			for _, line := range []string{"init: kernel line", "mode=install a=b", "product_serial RA2LAB0011 <nil>", "siblings 0-1", "/ra2/ticket one-time <nil>"} {
				s.says(line, 2*time.Minute)
			}
			s.reset("ForceOff")
			s.until(bmc.Off, 10*time.Second)
		})
	}
}

// Down cleans up after a daemon that was killed, and Up says what to do with
// leftovers.
func TestCrash(t *testing.T) {
	needsLab(t)
	whole := machine + "}\n"
	if _, err := exec.LookPath(ipmisim.Program); err == nil {
		whole = machine + ", ipmi: beside}\n"
	}
	s := up(t, "t-crash", whole)
	s.netboot(content(t, "mode=wait"))
	s.reset("On")
	s.says("init: waits", 30*time.Second)
	text, err := os.ReadFile(s.dir + "/lab.pid")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	err = lab.Up(t.Context(), s.dir+"/lab.yaml", s.dir)
	if err == nil || !strings.Contains(err.Error(), "ra2-deploy lab down") {
		t.Errorf("up on leftovers: %v", err)
	}
	if _, err := lab.Status(t.Context(), s.dir); err == nil || !strings.Contains(err.Error(), "ra2-deploy lab down") {
		t.Errorf("status of a dead daemon: %v", err)
	}
	if err := lab.Down(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	s.clean()
}
