package redfish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// point is one class of trouble with management controllers that users of other
// installers report, what is learnt from it, and the tests that hold us to it.
type point struct {
	reported string
	lesson   string
	tests    []string // function, or folder beside provisioner and function
}

// points are all of them, in the order of how often they are reported.
func points() []point {
	return []point{
		{"a one-time boot is set, accepted, and ignored (ironcore-dev/metal-operator#80, dell/redfish-ansible-module#74)",
			"never trust the 2xx: read back, prove it by the host's own request inside a deadline, escalate",
			[]string{"TestSetBootForgotten", "TestBootOrder", "act TestEscalation", "act TestEscalationEnds"}},
		{"the mode written again queues a job and an extra restart (metal-operator#81)",
			"diff first, write only what differs, never the mode unless it changed",
			[]string{"TestSetBoot", "TestFaults"}},
		{"a job that exists already: \"pending configuration values are already committed\" (quadsproject/quads#726, badfish#397)",
			"look before create; a refusal is success if what is pending is what was wanted",
			[]string{"TestSetBIOSCommitted", "TestBIOSCommitted"}},
		{"attributes stay pending and are never applied (dell/terraform-provider-redfish#231)",
			"success is the value read back after POST, not a job that was accepted",
			[]string{"TestSetBIOSDeaf", "act TestForgottenFirmware", "act TestSetBIOSJobs"}},
		{"the settings resource is needed on some controllers and wrong on others (DMTF/Redfish-Tacklebox#144, sushy check-for-boot-attrs-in-settingsuri)",
			"get the settings resource and use it only if it holds the attribute, else the resource itself",
			[]string{"TestBootSettings", "TestBootOrder", "TestBIOSPlaces"}},
		{"ETags: missing, weak, empty, changed by compression (sushy fix-missing-etags, ignore-empty-string, do-not-offer-compression)",
			"a ladder for each host, remembered: as given, without W/, none; Accept-Encoding: identity",
			[]string{"TestETags", "TestEmptyETag"}},
		{"no session is left (gofish#75, theforeman/smart-proxy#895)",
			"one session for the whole run, ended on every way out; basic authentication where none is left",
			[]string{"TestOneSession", "TestSessionLimit", "TestInterruptedLogin", "TestInterrupted", "TestSessionVanished", "TestFaults", "TestEmulatorFaults"}},
		{"vendors want more, less or other than the standard (Ironic supermicro-redfish-override, redfish-full-boot-payload-asrockrack, fix-detect-vendor-serviceroot)",
			"a quirk table as data, by the service root's vendor, model and firmware, each row with a fixture",
			[]string{"TestQuirkRows", "TestQuirkStrangers", "TestVersions"}},
		{"virtual media: inserted and not, ejected and not, licences, URLs (Ironic fix-redfish-vmedia-stale-insert-skip)",
			"read back image and state, then wait for the first read on our server; plain URLs; a licence is an error of its own",
			[]string{"TestMedia", "TestMediaLies", "TestMediaBodies", "TestStaleMedia", "netboot TestMedia", "act TestEscalation", "act TestMediaOverTheWire"}},
		{"power: 409 after Off, \"in POST\", transitions (Ironic redfish-power-on-conflict, redfish-post-boot-retry, sushy retry-ilo-not-ready)",
			"retry by class of error with a stated budget, and tell which class is waited on",
			[]string{"TestPowerConflict", "TestPowerLostAnswer", "TestPowerStuck", "TestInPOST", "TestBusy", "TestBudget", "TestRetryAfter"}},
		{"finished tasks vanish before they are read (Ironic idrac-import-configuration-task-deleted, fix-bios-update-silent-fail)",
			"404 of a task is unknown, not done; the end state settles it",
			[]string{"TestBIOSJob", "TestEmulatorFaults", "act TestSetBIOSJobs"}},
		{"a dead controller blocks a worker for minutes, floods freeze one, retries lock accounts (Ironic redfish-connect-timeout, omni#785)",
			"connect timeout of 10 s at most, one request at a time, a rate limit, stop after the second 401",
			[]string{"TestUnreachable", "TestHang", "TestVanished", "TestOneSession", "TestPace", "TestLockout", "TestLockoutBasic"}},
		{"a firmware update leaves the controller dead for minutes (Ironic LP 2092398, 2139122)",
			"no update but by a verb of its own; find system and manager anew before the next step",
			[]string{"TestAnotherFirmware"}},
	}
}

// TestPain: each of the 13 points has its tests, and they exist.
func TestPain(t *testing.T) {
	all := points()
	if len(all) != 13 {
		t.Fatalf("%d points, want 13", len(all))
	}
	sources := map[string]string{}
	for _, folder := range []string{"", "act", "netboot"} {
		dir := "."
		if folder != "" {
			dir = filepath.Join("..", "..", folder)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources[folder] += string(text)
		}
	}
	for i, p := range all {
		if p.reported == "" || p.lesson == "" || len(p.tests) == 0 {
			t.Errorf("point %d is not whole: %+v", i+1, p)
		}
		for _, name := range p.tests {
			folder, test, ok := strings.Cut(name, " ")
			if !ok {
				folder, test = "", name
			}
			if !strings.Contains(sources[folder], "\nfunc "+test+"(t *testing.T) {") {
				t.Errorf("point %d (%s): there is no %s", i+1, p.lesson, name)
			}
		}
	}
}
