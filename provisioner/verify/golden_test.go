package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/jsonpath"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

var update = flag.Bool("update", false, "write the reports of the lab anew")

// lab returns the snapshot of the demo's cluster: three control planes and
// three workers, kubeadm, flannel; recorded by `verify --keep` on 2026-11-24 and
// stripped of identifiers and lists of images. Facts and probes were recorded on
// another lab of the same day and site, and stripped of what tells of its machine;
// the workers' labels of their profile are of that one, too.
func lab(t *testing.T) conform.Snapshot {
	t.Helper()
	var s conform.Snapshot
	data, err := os.ReadFile("testdata/lab.json")
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// labInventory is what the demo's cluster was made of.
func labInventory(t *testing.T) *inventory.Cluster {
	t.Helper()
	data, err := os.ReadFile("testdata/lab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := inventory.Parse("lab.yaml", data, inventory.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return &c
}

func judged(t *testing.T, s conform.Snapshot) report.Conformance {
	t.Helper()
	return judgedBy(t, ra2.Default, s)
}

func judgedBy(t *testing.T, release ra2.Release, s conform.Snapshot) report.Conformance {
	t.Helper()
	rows, err := conform.RowsOf(release)
	if err != nil {
		t.Fatal(err)
	}
	c, err := report.NewConformanceBy(release, "test", s, conform.Judge(rows, s), 37)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGolden compares the reports of the lab with those that were reviewed:
// by the API alone, read-only, and with the inventory, the nodes' facts and probes.
func TestGolden(t *testing.T) {
	alone, listed := lab(t), lab(t)
	alone.Hosts, alone.Facts, alone.Probes, alone.Missing = nil, nil, nil, map[conform.Part]string{}
	maps.DeleteFunc(alone.Told, func(p conform.Part, _ time.Time) bool {
		return p == conform.Hosts || strings.HasPrefix(string(p), "facts/") || strings.HasPrefix(string(p), "probes/")
	})
	listed.Want = labInventory(t)
	for file, s := range map[string]conform.Snapshot{"lab-alone.txt": alone, "lab-inventory.txt": listed} {
		c := judged(t, s)
		golden(t, file, report.ConformanceText(c)+"\n"+table(c))
	}
}

// golden compares a text with a file of testdata, or writes it there.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile("testdata/"+file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/" + file)
	if err != nil || !bytes.Equal(want, []byte(text)) {
		t.Errorf("%s differs (%v); run go test ./provisioner/verify -update, and review the difference:\n%s", file, err, text)
	}
}

// TestGoldenReleases compares what later releases say of the lab with what was
// reviewed: the rows that a release added or says otherwise, and those whose verdict
// it changes.
func TestGoldenReleases(t *testing.T) {
	s := lab(t)
	s.Want = labInventory(t)
	var text strings.Builder
	before := judged(t, s)
	for _, release := range ra2.Releases()[1:] {
		c := judgedBy(t, release, s)
		fmt.Fprintf(&text, "RA2 %s (%.7s), Kubernetes %s or newer: %d rows; %s\n", c.Catalogue.Release, c.Catalogue.Commit, c.Catalogue.Kubernetes, c.Summary.Rows, counts(c))
		later := c
		later.Rows = slices.DeleteFunc(slices.Clone(c.Rows), func(r conform.Result) bool {
			i := slices.IndexFunc(before.Rows, func(o conform.Result) bool { return o.ID == r.ID })
			return i >= 0 && reflect.DeepEqual(before.Rows[i], r)
		})
		fmt.Fprintf(&text, "%s\n", table(later))
		d := report.Diff(before, c)
		if d.Worse > 0 {
			t.Errorf("%s: the same cluster is worse than before: %s", release, report.DiffText(d))
		}
		before = c
	}
	golden(t, "lab-releases.txt", text.String())
}

func counts(c report.Conformance) string {
	var words []string
	for _, v := range conform.Verdicts() {
		words = append(words, fmt.Sprintf("%d %s", c.Summary.Verdicts[v], v))
	}
	return strings.Join(words, ", ")
}

// table is a line for each row: its verdict, and what was found first.
func table(c report.Conformance) string {
	var b strings.Builder
	for _, r := range c.Rows {
		f := r.Findings[slices.IndexFunc(r.Findings, func(f conform.Finding) bool { return f.Verdict == r.Verdict })]
		said := strings.Join(append(f.Missing, f.Got), "; ")
		if f.Got != "" {
			said = f.Got
		}
		fmt.Fprintf(&b, "%-14s %-12s %s\n", r.Verdict, r.ID, conform.Trim(strings.TrimSpace(f.Subject+" "+said)))
	}
	return b.String()
}

// TestEvidenceCanBeSeenAgain evaluates each path that a report of the lab names
// of a node, as kubectl would, and wants it to be there.
func TestEvidenceCanBeSeenAgain(t *testing.T) {
	s := lab(t)
	seen := 0
	for _, r := range judged(t, s).Rows {
		for _, f := range r.Findings {
			for _, e := range f.Evidence {
				if !strings.Contains(e.Command, "jsonpath") {
					continue
				}
				path := jsonpath.New(r.ID).AllowMissingKeys(false)
				if err := path.Parse("{" + e.Path + "}"); err != nil {
					t.Errorf("%s: %s: %v", r.ID, e.Command, err)
				}
				name, ok := strings.CutPrefix(e.Object, "node/")
				i := slices.IndexFunc(s.Nodes, func(n corev1.Node) bool { return n.Name == name })
				if !ok || e.Value == "" || i < 0 {
					continue
				}
				var out bytes.Buffer
				if err := path.Execute(&out, asJSON(t, s.Nodes[i])); err != nil || out.Len() == 0 {
					t.Errorf("%s: %s gives %q, %v; the report says %s", r.ID, e.Command, out.String(), err, e.Value)
				}
				seen++
			}
		}
	}
	if seen < 60 {
		t.Errorf("only %d were looked at", seen)
	}
}

func asJSON(t *testing.T, v any) any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLabels checks that the labels by which conform knows our nodes are those
// that nodes get.
func TestLabels(t *testing.T) {
	s := lab(t)
	rows, err := conform.Rows()
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{kubeadm.LabelGeneration, kubeadm.LabelImage} {
		if s.Nodes[0].Labels[label] == "" {
			t.Errorf("the lab's nodes have no label %s", label)
		}
	}
	for _, r := range conform.Judge(rows, s) {
		if (r.ID == "ra2.os.004" || r.ID == "ra2.os.005") && r.Verdict != conform.Pass {
			t.Errorf("%s: %+v", r.ID, r.Findings)
		}
	}
}

// TestDigest changes one word of a report, and wants it to be noticed.
func TestDigest(t *testing.T) {
	c := judged(t, lab(t))
	data, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := report.ReadConformance(data); err != nil {
		t.Error(err)
	}
	byHand(t, data, c.Digest)
	changed := bytes.Replace(data, []byte(`"verdict": "fail"`), []byte(`"verdict": "pass"`), 1)
	if _, err := report.ReadConformance(changed); err == nil || !strings.Contains(err.Error(), "changed after it was made") {
		t.Errorf("%v", err)
	}
	if _, err := report.ReadConformance([]byte(`{"rows": []}`)); err == nil {
		t.Error("something else is taken for a report")
	}
}

// byHand makes the digest as docs/conformance.md says that a person can.
func byHand(t *testing.T, data []byte, want string) {
	t.Helper()
	jq, err := exec.LookPath("jq")
	if err != nil {
		t.Log("jq isn't installed here: the digest is not made by hand")
		return
	}
	cmd := exec.Command(jq, "-jcS", "del(.digest)")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(out)); err != nil || got != want {
		t.Errorf("by hand it is %s, %v; the report says %s", got, err, want)
	}
}

// FuzzJudge judges whatever a file of --from may hold.
func FuzzJudge(f *testing.F) {
	rows, err := conform.RowsOf(ra2.Head)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		`{"told":{"nodes":"2026-11-24T12:00:00Z","pods":"2026-11-24T12:00:00Z","serviceCIDRs":"2026-11-24T12:00:00Z"},"nodes":[{"metadata":{"name":"a"}}],"pods":[{"spec":{}}]}`,
		`{"told":{"hosts":"2026-11-24T12:00:00Z"},"hosts":{}}`,
		`{"told":{"probes/failover":"2026-11-24T12:00:00Z"},"probes":[{"name":"failover","outcome":"pass"}]}`,
		`{"told":{"customTypes":"2026-11-24T12:00:00Z"},"custom":{"bgppeers.metallb.io":[null,{"metadata":1}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s conform.Snapshot
		if json.Unmarshal(data, &s) != nil {
			return
		}
		for _, r := range conform.Judge(rows, s) {
			if !slices.Contains(conform.Verdicts(), r.Verdict) || len(r.Findings) == 0 {
				t.Errorf("%s: %q", r.ID, r.Verdict)
			}
		}
	})
}

// FuzzReport reads whatever a file of verify diff may hold.
func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"rows":[{"id":"ra2.ch.001"}],"digest":"sha256:00"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := report.ReadConformance(data); err == nil && len(c.Rows) == 0 {
			t.Error("a report without rows")
		}
	})
}
