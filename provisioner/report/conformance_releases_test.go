package report_test

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func byRelease(t *testing.T, release ra2.Release, s conform.Snapshot) report.Conformance {
	t.Helper()
	rows, err := conform.RowsOf(release)
	if err != nil {
		t.Fatal(err)
	}
	c, err := report.NewConformanceBy(release, "test", s, conform.Judge(rows, s), 46)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDiffOfReleases compares the same cluster by two releases: nothing becomes
// worse by what the newer release asks; what became worse of the cluster does.
func TestDiffOfReleases(t *testing.T) {
	old := mutate.Conformant()
	old.Server.GitVersion = "v1.30.4" // enough for Pieman
	for i := range old.Nodes {
		old.Nodes[i].Status.NodeInfo.KubeletVersion = old.Server.GitVersion
	}
	broken := old
	broken.DaemonSets = slices.DeleteFunc(slices.Clone(old.DaemonSets), func(d appsv1.DaemonSet) bool { return d.Name == "nfd-worker" })
	pieman := byRelease(t, ra2.Pieman, old)
	for _, c := range []struct {
		name  string
		newer report.Conformance
		worse int
		says  map[string]string
	}{
		{"the release", byRelease(t, ra2.Quinnipiac, old), 0, map[string]string{
			"ra2.k8s.005": "RA2 Quinnipiac asks something else; ", "ra2.lcm.004": "new in RA2 Quinnipiac; ",
		}},
		{"the cluster", byRelease(t, ra2.Pieman, broken), 1, map[string]string{"ra2.ch.018": "it is not deployed"}},
		{"both", byRelease(t, ra2.Quinnipiac, broken), 1, map[string]string{"ra2.ch.018": "it is not deployed", "ra2.k8s.005": "RA2 Quinnipiac asks something else; "}},
	} {
		d := report.Diff(pieman, c.newer)
		if d.Worse != c.worse {
			t.Errorf("%s: %d are worse:\n%s", c.name, d.Worse, report.DiffText(d))
		}
		for id, said := range c.says {
			i := slices.IndexFunc(d.Changes, func(r report.RowChange) bool { return r.ID == id })
			if i < 0 || !strings.HasPrefix(d.Changes[i].Said, said) {
				t.Errorf("%s: %s isn't told by %q:\n%s", c.name, id, said, report.DiffText(d))
			}
		}
		other := c.newer.Catalogue.Commit != pieman.Catalogue.Commit
		if noted := strings.Contains(strings.Join(d.Notes, "\n"), "RA2 Quinnipiac (889d7e6), was RA2 Pieman (ec4f35a)"); noted != other {
			t.Errorf("%s: %v", c.name, d.Notes)
		}
	}
}

// TestDiffOfAnUnknownRelease takes what two reports themselves say, where this
// program doesn't have a catalogue of one of them.
func TestDiffOfAnUnknownRelease(t *testing.T) {
	from := byRelease(t, ra2.Pieman, mutate.Conformant())
	to := from
	to.Catalogue.Commit, to.Catalogue.Release = "0123456789abcdef", "Rhine"
	to.Rows = slices.Clone(from.Rows)
	for i := range to.Rows {
		to.Rows[i].Verdict = conform.Fail
	}
	to.Rows[0].Says = "something else"
	to.Rows[1].ID = "ra2.new.001"
	d := report.Diff(from, to)
	for id, said := range map[string]string{to.Rows[0].ID: "RA2 Rhine asks something else; ", "ra2.new.001": "new in RA2 Rhine; "} {
		i := slices.IndexFunc(d.Changes, func(r report.RowChange) bool { return r.ID == id })
		if i < 0 || !strings.HasPrefix(d.Changes[i].Said, said) {
			t.Errorf("%s: %+v", id, d.Changes[max(i, 0)])
		}
	}
	if d.Worse < 80 {
		t.Errorf("rows that ask the same as before, and fail now: %d", d.Worse)
	}
}
