package verify

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// plain returns the snapshot of a cluster that kubeadm alone made
// (e2e/site_plain_test.go): a control plane and a worker, flannel. It was recorded by
// `verify --yes --image --keep` on 2026-11-24 and stripped of identifiers, of lists of
// images, and of what tells of the computer below.
func plain(t *testing.T) conform.Snapshot {
	t.Helper()
	var s conform.Snapshot
	data, err := os.ReadFile("testdata/plain.json")
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reviewed is a line of testdata/plain.txt: what a person found right for one row.
type reviewed struct {
	readOnly, probed conform.Verdict
	why              string
}

// TestPlain judges a cluster that we didn't install, and wants the verdicts that were
// looked up on it by hand: of each row, read-only, and with facts and probes.
func TestPlain(t *testing.T) {
	golden := plainGolden(t)
	read, probed := plain(t), plain(t)
	read.Facts, read.Probes, read.Missing = nil, nil, map[conform.Part]string{"facts": "not asked: --read-only", "probes": "not asked: --read-only"}
	maps.DeleteFunc(read.Told, func(p conform.Part, _ time.Time) bool {
		return strings.HasPrefix(string(p), "facts/") || strings.HasPrefix(string(p), "probes/")
	})
	for _, c := range []struct {
		how  string
		s    conform.Snapshot
		want func(reviewed) conform.Verdict
	}{
		{"read-only", read, func(r reviewed) conform.Verdict { return r.readOnly }},
		{"probed", probed, func(r reviewed) conform.Verdict { return r.probed }},
	} {
		rows := judged(t, c.s).Rows
		if len(rows) != len(golden) {
			t.Errorf("%d rows are judged, and %d were reviewed", len(rows), len(golden))
		}
		for _, r := range rows {
			g := golden[r.ID]
			if want := c.want(g); r.Verdict != want {
				t.Errorf("%s, %s: got %s, want %s, for: %s\n%+v", r.ID, c.how, r.Verdict, want, g.why, r.Findings)
			}
		}
	}
}

func plainGolden(t *testing.T) map[string]reviewed {
	t.Helper()
	f, err := os.Open("testdata/plain.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]reviewed{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		words := strings.Fields(lines.Text())
		if len(words) < 4 {
			t.Fatalf("testdata/plain.txt: %q has no row, two verdicts and why", lines.Text())
		}
		id := strings.TrimSuffix(words[0], "*")
		if _, twice := all[id]; twice {
			t.Errorf("%s was reviewed twice", id)
		}
		all[id] = reviewed{conform.Verdict(words[1]), conform.Verdict(words[2]), strings.Join(words[3:], " ")}
	}
	return all
}

// TestPlainDocs wants the page for users to name just the rows that fail, or are
// unknown, on the plain cluster.
func TestPlainDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## What a plain kubeadm cluster gives")
	section, _, _ = strings.Cut(section, "\n## ")
	section, _, ended := strings.Cut(section, "With `--read-only`")
	table, open, parted := strings.Cut(section, "Unknown stay")
	if !ended || !parted {
		t.Fatal("the section is not as it was")
	}
	for verdict, text := range map[conform.Verdict]string{conform.Fail: table, conform.Unknown: open} {
		said := map[string]bool{}
		for _, id := range regexp.MustCompile(`ra2\.\w+\.\d+\w?`).FindAllString(text, -1) {
			said[id] = true
		}
		for id, g := range plainGolden(t) {
			if is := g.probed == verdict; is != said[id] {
				t.Errorf("%s is %s, and the page names it among those that are %s: %v", id, g.probed, verdict, said[id])
			}
		}
	}
}
