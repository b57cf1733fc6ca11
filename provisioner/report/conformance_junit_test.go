package report_test

import (
	"bytes"
	"encoding/xml"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func junit(t *testing.T, c report.Conformance) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestJUnitOutcomes wants of each verdict its outcome, whatever the level, and
// of one that nobody knows an error.
func TestJUnitOutcomes(t *testing.T) {
	row := func(id string, l ra2.Level, f conform.Finding) conform.Result {
		return conform.Result{ID: "ra2.os." + id, Title: "t", Says: "s", Level: l, How: conform.Setting, Verdict: f.Verdict, Findings: []conform.Finding{f}}
	}
	c, err := report.NewConformance("test", conform.Snapshot{}, []conform.Result{
		row("001", ra2.Must, conform.Finding{Verdict: conform.Pass, Got: "fine"}),
		row("002", ra2.Must, conform.Finding{Verdict: conform.Fail, Subject: "node/a", Want: "5", Got: "4"}),
		row("003", ra2.Should, conform.Finding{Verdict: conform.Fail, Want: "5", Got: "4"}),
		row("004", ra2.May, conform.Finding{Verdict: conform.Unknown, Missing: []string{"facts: not asked"}}),
		row("005", ra2.Must, conform.Finding{Verdict: conform.Waived, Waiver: &conform.Waiver{Reason: "old", Until: "2027-06-30"}}),
		row("006", ra2.Must, conform.Finding{Verdict: conform.NotApplicable, Got: "no mesh"}),
		row("007", ra2.Must, conform.Finding{Verdict: "later"}),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := string(junit(t, c))
	for _, want := range []string{
		`tests="7" failures="2" errors="2" time=`, `<testsuite name="ra2.os" tests="7" failures="2" errors="2" skipped="2"`,
		`<failure type="fail/must" message="want 5; node/a has 4">`, `<failure type="fail/should" message="want 5; got 4">`,
		`<error type="unknown/may" message="missing: facts: not asked">`, `<skipped type="waived/must" message="waived until 2027-06-30, old">`,
		`<skipped type="not-applicable/must" message="no mesh">`, `<error type="later/must" message="later">`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// TestJUnit reads the lab's file, and a hostile one, and makes them again.
func TestJUnit(t *testing.T) {
	for name, c := range map[string]report.Conformance{"lab": labReport(t), "hostile": hostile(t)} {
		data := junit(t, c)
		if !bytes.Equal(data, junit(t, c)) {
			t.Errorf("%s: the same report gives another file", name)
		}
		var read struct {
			Suites []struct {
				Name  string `xml:"name,attr"`
				Cases []struct {
					Name string `xml:"name,attr"`
				} `xml:"testcase"`
			} `xml:"testsuite"`
		}
		if err := xml.Unmarshal(data, &read); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := 0
		for _, s := range read.Suites {
			for _, r := range s.Cases {
				if !strings.HasPrefix(r.Name, s.Name+".") {
					t.Errorf("%s: %q stands in %s", name, r.Name, s.Name)
				}
				n++
			}
		}
		if n != len(c.Rows) || len(read.Suites) != 9 {
			t.Errorf("%s: %d cases in %d suites", name, n, len(read.Suites))
		}
	}
}

// reader is a program that counts outcomes as a CI does: by its own reading,
// not by the numbers that the file names.
const reader = `import sys, junitparser as j
n = {}
for suite in j.JUnitXml.fromstring(sys.stdin.buffer.read()):
    for case in suite:
        for r in case.result or ["pass"]:
            k = r if isinstance(r, str) else type(r).__name__.lower()
            n[k] = n.get(k, 0) + 1
print(" ".join("%s=%d" % i for i in sorted(n.items())))
`

// TestJUnitRead lets junitparser, which CI tools use, read the lab's file.
func TestJUnitRead(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import junitparser").Run(); err != nil {
		t.Skip("needs junitparser (apt-get install python3-junitparser)")
	}
	c := labReport(t)
	cmd := exec.Command(python, "-c", reader)
	cmd.Stdin = bytes.NewReader(junit(t, c))
	out, err := cmd.CombinedOutput()
	n := c.Summary.Verdicts
	want := strings.Join([]string{
		"error=" + strconv.Itoa(n[conform.Unknown]), "failure=" + strconv.Itoa(n[conform.Fail]), "pass=" + strconv.Itoa(n[conform.Pass]),
		"skipped=" + strconv.Itoa(n[conform.Waived]+n[conform.NotApplicable]),
	}, " ")
	if got := strings.TrimSpace(string(out)); err != nil || got != want {
		t.Errorf("junitparser reads %s, %v; want %s", got, err, want)
	}
}
