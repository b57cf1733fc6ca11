package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestRefused wants that a host which is not what the inventory says, or not
// fit, ends the run before anything is written anywhere. Each story is a
// whole site with one wrong host.
func TestRefused(t *testing.T) {
	needsSite(t)
	const node = "    - {name: worker-b, zone: b, roles: [worker], class: lab"
	for name, c := range map[string]struct {
		lab   string // what is different of worker-b in the lab
		from  string // what is replaced in the inventory
		to    string
		wants []string
	}{
		"one socket":        {", hardware: {sockets: 1}}", "", "", []string{"ra2.ch.008", "worker-b"}},
		"another serial":    {", faults: {wrongSerial: SOMEBODY}}", "", "", []string{"identity", "worker-b", "RA2LAB0015", "SOMEBODY"}},
		"another disk":      {"}", "RA2DISK0015", "NOTHERE0001", []string{"identity", "worker-b", "NOTHERE0001"}},
		"another boot port": {"}", "52:54:00:17:00:15", "52:54:00:17:00:99", []string{"identity", "worker-b", "52:54:00:17:00:99"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "e2e-no", "ha.yaml", node+"}", node+c.lab)
			text, err := os.ReadFile(b.inventory())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), c.from) {
				t.Fatalf("the inventory has no %q", c.from)
			}
			if err := os.WriteFile(b.inventory(), []byte(strings.ReplaceAll(string(text), c.from, c.to)), 0o644); err != nil {
				t.Fatal(err)
			}
			b.refuses(c.wants)
		})
	}
}

// refuses wants exit status 3 with these words, and nothing but questions in
// the log of every controller.
func (b *bench) refuses(words []string) {
	b.Helper()
	for _, args := range [][]string{{"up", "--yes"}, {"plan"}, {"validate", "--hardware"}} {
		since := time.Now()
		r := b.exits(b.inside(append(args, b.inventory())...), 3)
		for _, w := range words {
			if !strings.Contains(r.out+r.err, w) {
				b.Errorf("%q is not said\n%s", w, r)
			}
		}
		b.onlyReads(since, machines()...)
	}
	r := b.must(b.run("lab", "status", b.dir))
	if n := strings.Count(r.out, " Off "); n != len(machines()) {
		b.Errorf("%d machines are off; want all\n%s", n, r)
	}
	b.dataSame()
}
