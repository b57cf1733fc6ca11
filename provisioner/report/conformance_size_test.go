package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// site is the snapshot of the lab with its inventory, grown to as many nodes.
func site(t testing.TB, nodes int) conform.Snapshot {
	t.Helper()
	s := recorded(t)
	text, err := os.ReadFile("../verify/testdata/lab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, problems := inventory.Parse("lab.yaml", text, inventory.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s.Want = &want
	if s, err = mutate.Grow(s, nodes); err != nil {
		t.Fatal(err)
	}
	return s
}

// odd is a site of 200 nodes of which one has a smaller disk and an old kernel.
func odd(t testing.TB) conform.Snapshot {
	t.Helper()
	s := site(t, 200)
	n := s.Nodes[137]
	n.Status.NodeInfo.KernelVersion = "4.19.0"
	n.Status.Capacity = n.Status.Capacity.DeepCopy()
	n.Status.Capacity["ephemeral-storage"] = resource.MustParse("7G")
	s.Nodes[137] = n
	return s
}

// sizes are the bytes of a report in each format.
func sizes(t testing.TB, c report.Conformance) map[string]int {
	t.Helper()
	data, err := json.MarshalIndent(c, "", "  ")
	var html, xml bytes.Buffer
	for _, err := range []error{err, c.WritePage(&html), c.WriteJUnit(&xml)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return map[string]int{"text": len(report.ConformanceText(c)), "all": len(report.AllConformance(c)), "html": html.Len(), "junit": xml.Len(), "json": len(data)}
}

// TestSizes bounds what a reader gets of 200 nodes, of which the exception comes
// first.
func TestSizes(t *testing.T) {
	c := conformance(t, odd(t))
	got := sizes(t, c)
	for format, most := range map[string]int{"text": 8 << 10, "all": 160 << 10, "html": 350 << 10, "junit": 220 << 10, "json": 4 << 20} {
		if got[format] > most {
			t.Errorf("%s: %d bytes, want %d at most", format, got[format], most)
		}
	}
	text := report.ConformanceText(c)
	if lines := strings.Count(text, "\n"); lines > 60 {
		t.Errorf("%d lines:\n%s", lines, text)
	}
	for _, want := range []string{
		"ra2.os.002   Linux kernel version: want a kernel that the container runtime and kubeadm support: 5.4, 5.10, 5.15, or from 6.0 on; node/w-137 has 4.19.0\n",
		"node/cp-a has 12.3 GB\n                      and 199 more: node/",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	all := report.AllConformance(c)
	if first, most := strings.Index(all, "        got 7.0 GB: node/w-137\n"), strings.Index(all, "        got 12.3 GB: node/cp-a, cp-b, cp-c, "); first < 0 || most < first {
		t.Errorf("the exception is at %d, the others at %d of\n%.3000s", first, most, all)
	}
	for i := range 200 {
		if name := c.Rows[3].Findings[i].Subject; !strings.Contains(all, name[len("node/"):]) {
			t.Errorf("%s isn't named", name)
		}
	}
}

// BenchmarkReport judges sites and writes their reports; it prints how large they
// are.
func BenchmarkReport(b *testing.B) {
	rows, err := conform.Rows()
	if err != nil {
		b.Fatal(err)
	}
	for _, nodes := range []int{6, 50, 200} {
		s := site(b, nodes)
		c, err := report.NewConformance("test", s, conform.Judge(rows, s), 46)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("judge/nodes=%d", nodes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				conform.Judge(rows, s)
			}
		})
		b.Run(fmt.Sprintf("write/nodes=%d", nodes), func(b *testing.B) {
			b.ReportAllocs()
			var got map[string]int
			for b.Loop() {
				got = sizes(b, c)
			}
			for format, n := range got {
				b.ReportMetric(float64(n), format+"-B")
			}
		})
	}
}
