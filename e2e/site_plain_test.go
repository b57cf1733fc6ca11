package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// TestPlain judges a cluster that ra2-deploy didn't install: two Debian machines with
// kubeadm's packages, joined by hand, of one family, with no label, zone or setting of
// ours. The verdicts wanted are those of provisioner/verify/testdata/plain.txt, where
// each of the 166 rows has what was seen on such a cluster by hand. About four
// minutes, half of which the probes take.
func TestPlain(t *testing.T) {
	needsSite(t)
	b := newBench(t, "e2e-plain", "plain.yaml")
	kubeconfig := b.formPlain()
	var read report.Conformance
	b.part("read-only", func(b *bench) { read = b.plainReadOnly(kubeconfig) })
	b.part("nobody to ask", func(b *bench) { b.plainUnasked(kubeconfig) })
	b.part("evidence", func(b *bench) { b.plainEvidence(kubeconfig, read) })
	b.part("probed", func(b *bench) { b.plainProbed(kubeconfig) })
}

// plainReadOnly wants the right verdicts from reading alone: seen on the wire, and by
// what is there before and after.
func (b *bench) plainReadOnly(kubeconfig string) report.Conformance {
	before := b.plainObjects(kubeconfig)
	watched, requests := b.watched(kubeconfig)
	c := b.plainReport(b.run("verify", "--cluster", watched, "--read-only", "-o", "json"))
	b.onlyGets(requests())
	b.plainGolden(c, 0)
	b.same(before, b.plainObjects(kubeconfig))
	return c
}

// plainUnasked wants that nothing is made where nobody can say yes, though the image
// is named, and that the report says why.
func (b *bench) plainUnasked(kubeconfig string) {
	before := b.plainObjects(kubeconfig)
	for why, flags := range map[string][]string{
		"--image has to name where": nil, "nobody can be asked": {"--image", probeImage},
	} {
		watched, requests := b.watched(kubeconfig)
		r := b.run(append([]string{"verify", "--cluster", watched, "-o", "json"}, flags...)...)
		b.onlyGets(requests())
		c := b.plainReport(r)
		b.plainGolden(c, 0)
		for _, part := range []string{"facts", "probes"} {
			if !strings.Contains(c.Missing[part], why) {
				b.Errorf("the report doesn't say why %s are missing (%q): %q", part, why, c.Missing[part])
			}
		}
		if !strings.Contains(r.err, "nothing is created here") {
			b.Errorf("nobody is told that nothing is created\n%s", r)
		}
	}
	b.same(before, b.plainObjects(kubeconfig))
}

// probeImage is our image, which somebody has put into the nodes' stores.
const probeImage = "ra2-deploy.io/probe:v1"

// plainProbed wants the right verdicts with facts and probes, and nothing left. Here
// something is made, which proves that whoever watches would have seen it before.
func (b *bench) plainProbed(kubeconfig string) {
	before := b.plainObjects(kubeconfig)
	watched, requests := b.watched(kubeconfig)
	keep := filepath.Join(filepath.Dir(b.dir), "plain.json")
	c := b.plainReport(b.run("verify", "--cluster", watched, "--yes", "--image", probeImage, "--keep", keep, "-o", "json"))
	if !slices.Contains(requests(), "POST /api/v1/namespaces") {
		b.Errorf("namespaces were made, and nobody saw it: %v", requests())
	}
	b.plainGolden(c, 1)
	b.same(before, b.plainObjects(kubeconfig))
}

// plainEvidence runs the commands of a report as its reader would.
func (b *bench) plainEvidence(kubeconfig string, c report.Conformance) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		b.Skip("kubectl isn't installed: nobody sees the evidence again")
	}
	b.seenAgain(c, func(args string) result {
		return b.start("ip", "netns", "exec", b.namespace(), "sh", "-c", "kubectl --kubeconfig "+kubeconfig+" "+args).wait()
	})
}

func (b *bench) plainReport(r result) report.Conformance {
	b.Helper()
	c, err := report.ReadConformance([]byte(b.exits(r, 3).out))
	if err != nil {
		b.Fatalf("%v\n%s", err, r)
	}
	return c
}

// plainGolden compares a report with the reviewed list: its column 0 is read-only, 1
// with facts and probes. Rows with a star are decided by the computer below: on one
// that isn't like that of the review they are told, and not compared.
func (b *bench) plainGolden(c report.Conformance, column int) {
	b.Helper()
	golden, err := os.ReadFile("../provisioner/verify/testdata/plain.txt")
	if err != nil {
		b.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^(ra2\.[^*\s]+)(\*?) +(\S+) +(\S+) +(.+)$`).FindAllStringSubmatch(string(golden), -1)
	if len(rows) != 166 || len(c.Rows) != 166 {
		b.Errorf("%d rows were reviewed, and %d are in the report", len(rows), len(c.Rows))
	}
	alike := b.likeReviewed()
	for _, m := range rows {
		id, star, want, why := m[1], m[2] != "", conform.Verdict(m[3+column]), m[5]
		switch r := rowOf(c, id); {
		case r.Verdict == want:
		case star && !alike:
			b.Logf("%s: got %s; not compared with %s: this computer is another than that of the review", id, r.Verdict, want)
		default:
			b.Errorf("%s: got %s, want %s, for: %s\n%+v", id, r.Verdict, want, why, r.Findings)
		}
	}
}

// likeReviewed reports whether the computer below is virtual and small, as that on
// which the list was reviewed.
func (b *bench) likeReviewed() bool {
	b.Helper()
	first := plainMachines()[0]
	small := b.shell(`awk '/^MemTotal/ {exit $2 > 31000000}' /proc/meminfo && [ "$(nproc)" -lt 16 ] && echo yes || echo no`).out == "yes\n"
	return small && b.on(first, "systemd-detect-virt", "--vm").code == 0
}

// onlyGets wants requests, and none that could change something.
func (b *bench) onlyGets(requests []string) {
	b.Helper()
	if len(requests) < 20 {
		b.Errorf("only %d requests were seen: %v", len(requests), requests)
	}
	for _, r := range requests {
		if !strings.HasPrefix(r, http.MethodGet+" ") || strings.Contains(r, "watch=") {
			b.Errorf("it sent %s", r)
		}
	}
}

// same wants the cluster to hold what it held before.
func (b *bench) same(before, after map[string]string) {
	b.Helper()
	for name, version := range after {
		if before[name] != version {
			b.Errorf("%s is %q, and was %q before", name, version, before[name])
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			b.Errorf("%s is gone", name)
		}
	}
	if len(before) < 100 {
		b.Errorf("only %s were looked at", fmt.Sprint(len(before), " objects"))
	}
}
