package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// judged wants of a site that is up the verdicts that were reviewed, evidence
// that kubectl shows again, and that a row that is broken is seen.
func (b *bench) judged() {
	kubeconfig := b.state("secrets/kubeconfig") // what a command prints is kept, and must hold no secret
	before, file := b.verify("before.json")
	b.reviewed(before)
	if _, err := exec.LookPath("kubectl"); err != nil {
		b.Skip("kubectl isn't installed: nobody sees the evidence again, and nothing is broken")
	}
	kubectl := func(args string) result {
		return b.start("ip", "netns", "exec", b.namespace(), "sh", "-c", "kubectl --kubeconfig "+kubeconfig+" "+args).wait()
	}
	b.seenAgain(before, kubectl)
	b.must(kubectl("cordon worker-b"))
	defer func() { b.must(kubectl("uncordon worker-b")) }()
	after, newer := b.verify("after.json")
	if r := rowOf(after, "ra2.k8s.004"); r.Verdict != conform.Fail {
		b.Errorf("a zone whose only worker is cordoned: %+v", r)
	}
	if r := b.exits(b.run("verify", "diff", file, newer), 3); !strings.Contains(r.out, "pass → fail  ra2.k8s.004") {
		b.Errorf("%s", r)
	}
}

// verify judges the site, and keeps the report.
func (b *bench) verify(name string) (report.Conformance, string) {
	b.Helper()
	r := b.exits(b.inside("verify", "--inventory", b.inventory(), "-o", "json"), 3)
	c, err := report.ReadConformance([]byte(r.out))
	if err != nil {
		b.Fatalf("%v\n%s", err, r)
	}
	file := filepath.Join(filepath.Dir(b.dir), name)
	if err := os.WriteFile(file, []byte(r.out), 0o600); err != nil {
		b.Fatal(err)
	}
	return c, file
}

// reviewed compares verdicts with those of the recorded lab, and wants no
// unknown that reading could have answered.
func (b *bench) reviewed(c report.Conformance) {
	golden, err := os.ReadFile("../provisioner/verify/testdata/lab-inventory.txt")
	if err != nil {
		b.Fatal(err)
	}
	for part, why := range c.Missing {
		if !strings.HasPrefix(why, "not tried: ") {
			b.Errorf("%s is missing: %s", part, why)
		}
	}
	if len(c.Rows) != 166 {
		b.Errorf("%d rows", len(c.Rows))
	}
	for _, m := range regexp.MustCompile(`(?m)^(\S+) +(ra2\.\S+) `).FindAllStringSubmatch(string(golden), -1) {
		if r := rowOf(c, m[2]); r.ID != "" && string(r.Verdict) != m[1] {
			b.Errorf("%s is %s, and %s in the reviewed report: %+v", r.ID, r.Verdict, m[1], r.Findings)
		}
	}
	for _, r := range c.Rows {
		for _, f := range r.Findings {
			if said := strings.Join(f.Missing, "; "); f.Verdict == conform.Unknown && !regexp.MustCompile(`^(facts|probes)/|^the row asks`).MatchString(said) {
				b.Errorf("%s is unknown for want of %s", r.ID, said)
			}
		}
	}
}

// seenAgain runs the command of each row's first evidence, as a reader would.
func (b *bench) seenAgain(c report.Conformance, kubectl func(string) result) {
	ran := map[string]bool{}
	for _, r := range c.Rows {
		if len(r.Findings[0].Evidence) == 0 {
			continue
		}
		e := r.Findings[0].Evidence[0]
		args, ok := strings.CutPrefix(e.Command, "kubectl ")
		if !ok || ran[args] {
			continue
		}
		ran[args] = true
		if got := kubectl(args); got.code != 0 {
			b.Errorf("%s: the evidence can't be seen again:\n%s", r.ID, got)
		}
	}
	if len(ran) < 20 {
		b.Errorf("only %d commands were tried", len(ran))
	}
}

func rowOf(c report.Conformance, id string) conform.Result {
	for _, r := range c.Rows {
		if r.ID == id {
			return r
		}
	}
	return conform.Result{}
}
