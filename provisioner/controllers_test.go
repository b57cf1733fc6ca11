package provisioner

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/ipmisim"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

func TestMethods(t *testing.T) {
	for name, c := range map[string]struct {
		node inventory.Node
		want []string
	}{
		"http":      {inventory.Node{Boot: inventory.Boot{Method: "uefi-http"}}, []string{"uefi-http", "uefi-pxe", "boot-order", "virtual-media"}},
		"pxe":       {inventory.Node{Boot: inventory.Boot{Method: "uefi-pxe"}}, []string{"uefi-pxe", "uefi-http", "boot-order", "virtual-media"}},
		"bios":      {inventory.Node{Boot: inventory.Boot{Method: "bios-pxe"}}, []string{"bios-pxe", "virtual-media"}},
		"media":     {inventory.Node{Boot: inventory.Boot{Method: "virtual-media"}}, []string{"virtual-media"}},
		"both":      {inventory.Node{Boot: inventory.Boot{Method: "uefi-http"}, BMC: inventory.BMC{URL: "https://b", IPMI: "ipmi://b"}}, []string{"uefi-http", "uefi-pxe", "boot-order", "ipmi:uefi-pxe", "virtual-media"}},
		"bios both": {inventory.Node{Boot: inventory.Boot{Method: "bios-pxe"}, BMC: inventory.BMC{URL: "https://b", IPMI: "ipmi://b"}}, []string{"bios-pxe", "ipmi:bios-pxe", "virtual-media"}},
		"ipmi":      {inventory.Node{Boot: inventory.Boot{Method: "uefi-pxe"}, BMC: inventory.BMC{URL: "ipmi://b"}}, []string{"uefi-pxe"}},
	} {
		c.node.Name = name
		r := &Run{want: inventory.Cluster{Nodes: []inventory.Node{c.node}}}
		if got := r.methods(name); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// sim is a real ipmi_sim whose machine is two files.
func sim(t *testing.T) (url, dir string) {
	t.Helper()
	if _, err := exec.LookPath(ipmisim.Program); err != nil {
		t.Skip("needs OpenIPMI's ipmi_sim: apt install openipmi")
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	dir = t.TempDir()
	const machine = "#!/bin/sh\ncd \"$(dirname \"$0\")\" && case $1 in get) echo \"$2:$(cat \"$2\")\";; set) echo \"$3\" > \"$2\";; esac\n"
	for name, text := range map[string]string{"machine": machine, "power": "0\n", "boot": "none\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.Close() // so that ipmi_sim can have the port
	s, err := ipmisim.Start(ipmisim.Config{
		Dir: filepath.Join(dir, "bmc"), Addr: netip.AddrPort(addr), Username: "admin", Password: "secret",
		UUID: "17170000-0000-4000-8000-000000000011", FRU: ipmisim.FRU{Maker: "RA2 Lab", Model: "Lab", Serial: "S1"},
		Control: []string{filepath.Join(dir, "machine")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return "ipmi://" + addr.String(), dir
}

func has(t *testing.T, dir, name, want string) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("%s is %q (%v), want %q", name, got, err, want)
	}
}

// A controller without Redfish does what doers want of it, and says why it
// can't do the rest.
func TestOnlyIPMI(t *testing.T) {
	url, dir := sim(t)
	c, err := openController(inventory.Node{Name: "a", BMC: inventory.BMC{URL: url, Username: "admin"}}, secret.New("secret"), redfish.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Facts(t.Context()); err != nil || got.Protocol != "ipmi" || got.Serial != "S1" || got.Processors != nil {
		t.Errorf("facts %+v, %v", got, err)
	}
	if err := c.SetBoot(t.Context(), "uefi-pxe"); err != nil {
		t.Error(err)
	}
	if err := c.Power(t.Context(), act.PowerOn, func(step.Event) {}); err != nil {
		t.Error(err)
	}
	has(t, dir, "power", "1")
	has(t, dir, "boot", "pxe")
	if err := c.SetBIOS(t.Context(), map[string]any{"SriovGlobalEnable": "Enabled"}); err == nil || !strings.Contains(err.Error(), "a: its BMC is spoken to by IPMI") {
		t.Errorf("BIOS: %v", err)
	}
	if err := c.close(context.Background()); err != nil {
		t.Error(err)
	}
}

// Where Redfish can't switch the power, or its boot override brought no host,
// IPMI does it, and it is told that it did.
func TestIPMIBesideRedfish(t *testing.T) {
	url, dir := sim(t)
	emulated := bmc.New(bmc.Config{Username: "admin", Password: "secret"})
	t.Cleanup(emulated.Close)
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "ComputerSystem.Reset") {
			http.Error(w, "internal", http.StatusNotImplemented)
			return
		}
		emulated.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	node := inventory.Node{Name: "a", BMC: inventory.BMC{URL: web.URL, IPMI: url, Username: "admin", Fingerprint: redfish.Fingerprint(web.Certificate())}}
	c, err := openController(node, secret.New("secret"), redfish.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	if err := c.Power(t.Context(), act.PowerOn, func(ev step.Event) { told = append(told, ev.Note) }); err != nil {
		t.Error(err)
	}
	c.tell = func(ev step.Event) { ev.Status = step.Noted; told = append(told, report.Line(ev, ev.Time)) }
	c.waiting("power state On", "power state Off", time.Time{}.Add(5*time.Minute), "the step fails")
	if last := told[len(told)-1]; !strings.Contains(last, "waiting for power state On [power state Off], at most 5m, then: the step fails") {
		t.Errorf("a wait is told as %q", last)
	}
	if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, "501") && strings.Contains(s, "now by IPMI") }) {
		t.Errorf("told %q", told)
	}
	has(t, dir, "power", "1")
	if err := c.SetBoot(t.Context(), "ipmi:uefi-pxe"); err != nil {
		t.Error(err)
	}
	has(t, dir, "boot", "pxe")
	if got, err := c.Facts(t.Context()); err != nil || got.Processors == nil {
		t.Errorf("facts are not those of Redfish: %+v, %v", got, err)
	}
	if err := c.close(context.Background()); err != nil {
		t.Error(err)
	}
	if n := emulated.Sessions(); n != 0 {
		t.Errorf("%d Redfish sessions are open", n)
	}
}
