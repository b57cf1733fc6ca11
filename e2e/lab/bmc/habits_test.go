package bmc_test

import (
	"encoding/json"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

const (
	dell      = "/redfish/v1/Systems/System.Embedded.1"
	pxeOnce   = `{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"Pxe"}}`
	smtOfDell = `{"Attributes":{"LogicalProc":"Enabled"}}`
)

// The plain places are not there on a controller that has others.
func TestPlaces(t *testing.T) {
	b := open(t, bmc.Config{Vendor: "dell-idrac9"})
	b.want(200, "GET", dell, "")
	b.want(404, "GET", system, "")
	b.want(200, "GET", "/redfish/v1/Chassis/System.Embedded.1/NetworkAdapters/NIC.1/NetworkPorts/1", "")
	b.want(404, "GET", "/redfish/v1/Chassis/System.Embedded.1/NetworkAdapters/NIC.1/Ports/1", "")
	open(t, bmc.Config{Vendor: "supermicro-x13"}).want(404, "GET", settings, "")
}

// A change is a job; a second change while it waits is refused, and the job is
// gone a minute after its end.
func TestIdracJobs(t *testing.T) {
	seen := make(boots, 8)
	b := open(t, bmc.Config{Vendor: "dell-idrac9", Runner: seen})
	resp, _ := b.do("PATCH", dell+"/Bios/Settings", smtOfDell)
	at := resp.Header.Get("Location")
	if resp.StatusCode != 202 || !strings.HasPrefix(at, "/redfish/v1/Managers/iDRAC.Embedded.1/Oem/Dell/Jobs/JID_") {
		t.Fatalf("%s, job at %s", resp.Status, at)
	}
	b.want(400, "PATCH", dell+"/Bios/Settings", smtOfDell)
	b.want(200, "GET", at, "")
	b.want(204, "POST", dell+"/Actions/ComputerSystem.Reset", `{"ResetType":"On"}`)
	if boot := <-seen; !boot.SMT || b.want(200, "GET", at, "")["TaskState"] != "Completed" {
		t.Errorf("SMT %v", boot.SMT)
	}
}

// An attribute that depends on another can't be written before that one.
func TestDependency(t *testing.T) {
	b := open(t, bmc.Config{Vendor: "dell-idrac9"})
	const off = `{"Attributes":{"ProcCStates":"Disabled"}}`
	b.want(400, "PATCH", dell+"/Bios/Settings", off)
	r := b.want(200, "GET", "/redfish/v1/Registries/BiosAttributeRegistry/Registry.json", "")
	if d, _ := r["RegistryEntries"].(map[string]any)["Dependencies"].([]any); len(d) != 1 {
		t.Errorf("dependencies: %v", d)
	}
	open(t, bmc.Config{Vendor: "dell-idrac9", BIOS: bmc.Attributes{"SysProfile": "Custom", "ProcCStates": "Enabled"}}).want(202, "PATCH", dell+"/Bios/Settings", off)
}

// Writing the boot mode costs an iDRAC another POST.
func TestModeCostsPOST(t *testing.T) {
	const post = 40 * time.Millisecond
	start := func(body string) time.Duration {
		seen := make(boots, 1)
		b := open(t, bmc.Config{Vendor: "dell-idrac9", Runner: seen, POST: post})
		b.want(200, "PATCH", dell, body)
		began := time.Now()
		b.want(204, "POST", dell+"/Actions/ComputerSystem.Reset", `{"ResetType":"On"}`)
		<-seen
		return time.Since(began)
	}
	if with := start(`{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"Pxe","BootSourceOverrideMode":"UEFI"}}`); with < 2*post {
		t.Errorf("with the mode the start takes %v", with)
	}
	start(pxeOnce)
}

func TestIloInPOST(t *testing.T) {
	b := open(t, bmc.Config{Vendor: "hpe-ilo6", POST: time.Minute})
	const change = `{"Attributes":{"ProcHyperthreading":"Enabled"}}`
	b.want(204, "POST", reset, `{"ResetType":"On"}`)
	b.until(bmc.On)
	if out := b.want(400, "PATCH", system+"/Bios/settings", change); !strings.Contains(mustJSON(t, out), "UnableToModifyDuringSystemPOST") {
		t.Errorf("refused with %v", out)
	}
	b.want(204, "POST", reset, `{"ResetType":"ForceOff"}`)
	b.until(bmc.Off)
	b.want(200, "PATCH", system+"/Bios/settings", change)
}

func TestSupermicroBoot(t *testing.T) {
	b := open(t, bmc.Config{Vendor: "supermicro-x13"})
	b.want(428, "PATCH", system, pxeOnce)
	match := func() string {
		resp, _ := b.do("GET", system, "")
		return "If-Match: " + resp.Header.Get("ETag")
	}
	b.want(200, "PATCH", system, `{"Boot":{"BootSourceOverrideEnabled":"Continuous","BootSourceOverrideTarget":"Pxe"}}`, match())
	b.want(200, "PATCH", system, `{"Boot":{"BootSourceOverrideTarget":"Hdd"}}`, match())
	if enabled, target, _ := b.Override(); enabled != bmc.Once || target != bmc.TargetHdd {
		t.Errorf("%s %s; Enabled should have fallen to Once", enabled, target)
	}
}

func TestIdrac10Power(t *testing.T) {
	b := open(t, bmc.Config{Vendor: "dell-idrac10", On: true})
	b.want(204, "POST", dell+"/Actions/ComputerSystem.Reset", `{"ResetType":"ForceOff"}`)
	b.until(bmc.Off)
	b.want(409, "POST", dell+"/Actions/ComputerSystem.Reset", `{"ResetType":"On"}`)
}

func TestOpenBMC(t *testing.T) {
	b := open(t, bmc.Config{Vendor: "openbmc"})
	b.want(401, "GET", "/redfish/v1/Systems/system", "")
	token := "X-Auth-Token: " + b.token()
	b.want(400, "PATCH", "/redfish/v1/Systems/system/Bios/Settings", `{"Attributes":{"CPUS001":"Enabled"}}`, token)
	b.want(200, "PATCH", "/redfish/v1/Systems/system/Bios/Settings", `{"Attributes":{"CPUS001":true}}`, token)
}

// sushyWalk reads one machine and sets its boot device, as OpenStack does.
const sushyWalk = `
import sys, sushy
root = sushy.Sushy(sys.argv[1], username="admin", password="s3cret", verify=False)
for s in root.get_system_collection().get_members():
    s.set_system_boot_options(target=sushy.BOOT_SOURCE_TARGET_PXE, enabled=sushy.BOOT_SOURCE_ENABLED_ONCE)
    s.refresh(force=True)
    print(s.manufacturer, s.power_state.value, s.boot["target"].value, len(s.bios.attributes) > 0, s.storage.get_members()[0].drives[0].serial_number)
    s.reset_system(sushy.RESET_ON)
`

// TestSushy: a client that others wrote works with the controllers of vendors.
func TestSushy(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import sushy").Run(); err != nil {
		t.Skip("needs sushy: apt-get install python3-sushy")
	}
	for _, vendor := range bmc.Vendors() {
		t.Run(vendor, func(t *testing.T) {
			b := open(t, bmc.Config{Vendor: vendor})
			out, err := exec.CommandContext(t.Context(), python, "-c", sushyWalk, b.server.URL).CombinedOutput()
			if text := string(out); err != nil || !strings.Contains(text, " Off Pxe True RA2LAB0") {
				t.Errorf("%v: %s", err, text)
			}
			b.until(bmc.On)
		})
	}
}

// FuzzBodies: no body makes a controller fail, and none but the right one
// changes anything.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{pxeOnce, smtOfDell, `{"ResetType":"On"}`, `{"Image":"http://a/b.iso"}`, `{}`, `[]`, `null`, `{"Boot":null}`, `{"Attributes":{"ProcCStates":[]}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, vendor := range []string{"", "dell-idrac9", "openbmc"} {
			c := bmc.New(bmc.Config{Username: "admin", Password: "s3cret", Vendor: vendor})
			for _, to := range [][2]string{
				{"PATCH", "/redfish/v1/Systems/1"}, {"PATCH", settings}, {"PATCH", dell}, {"PATCH", dell + "/Bios/Settings"},
				{"PATCH", "/redfish/v1/Systems/system/Bios/Settings"}, {"POST", reset}, {"POST", cd + "/Actions/VirtualMedia.InsertMedia"}, {"POST", "/redfish/v1/SessionService/Sessions"},
			} {
				if status := send(c, to[0], to[1], body); status >= 500 {
					t.Errorf("%s %s %q: %d", to[0], to[1], body, status)
				}
			}
			c.Close()
		}
	})
}

// send asks a controller without a network.
func send(c *bmc.Controller, method, path, body string) int {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.SetBasicAuth("admin", "s3cret")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Code
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// BenchmarkController tells what one controller costs of a rack of 1,000.
func BenchmarkController(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		bmc.New(bmc.Config{Username: "admin", Password: "s3cret", Vendor: "dell-idrac9"})
	}
}
