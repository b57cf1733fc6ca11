package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/ipmisim"
)

// One machine whose controller the inventory knows by IPMI alone is installed
// from power-off and switched off again; Redfish, which is there all the same,
// is never asked.
func TestInstallByIPMI(t *testing.T) {
	needsLab(t)
	if _, err := exec.LookPath(ipmisim.Program); err != nil {
		t.Skip("needs OpenIPMI's ipmi_sim: apt install openipmi")
	}
	const waivers = "    waivers:\n"
	more := waivers
	for _, row := range []string{"004", "008", "009", "010", "012", "013", "014", "016"} { // what IPMI can't tell
		more += "      - {requirement: ra2.ch." + row + ", reason: IPMI can't tell, until: 2099-12-31}\n"
	}
	b := newBench(t, "t-in-ipmi", "small.yaml", "host-a", host, "kind: qemu", "ipmi: only", ", bios: {smt: enabled}, hugepages: {2Mi: 32}", "", waivers, more)
	b.must(b.run("image", "build", b.inventory()))
	b.part("facts", (*bench).knowsByIPMI)
	if b.part("up", func(b *bench) { b.must(b.inside("up", "--yes", b.inventory())) }) {
		b.part("again", func(b *bench) {
			if r := b.must(b.inside("up", "--yes", b.inventory())); !strings.Contains(r.out, "as the inventory wants it") {
				b.Errorf("%s", r)
			}
		})
	}
	b.part("down", func(b *bench) { b.must(b.inside("down", "--yes", b.inventory())) })
	if r := b.must(b.run("lab", "status", b.dir)); strings.Count(r.out, " Off ") != 1 {
		b.Errorf("the machine is not off\n%s", r)
	}
	if lines := b.requests(host, time.Time{}); len(lines) > 0 {
		b.Errorf("Redfish was asked: %v", lines)
	}
}

// knowsByIPMI wants what IPMI tells, and unknown for all else.
func (b *bench) knowsByIPMI() {
	r := b.must(b.inside("facts", b.inventory(), host))
	for _, want := range []string{"RA2LAB0011", "17170000-0000-4000-8000-000000000011", "told by ipmi", "firmware     BMC 2.31", "processors   unknown", "memory       unknown"} {
		if !strings.Contains(r.out, want) {
			b.Errorf("the facts lack %q\n%s", want, r)
		}
	}
}
