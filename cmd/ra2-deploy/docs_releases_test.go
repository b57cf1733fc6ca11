package main

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// TestDocsReleases compares the table of releases in docs/conformance.md with the
// catalogues, and checks that what we install is new enough for each.
func TestDocsReleases(t *testing.T) {
	page, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?m)^\\| `([a-z]+)`( \\(default\\))? \\| (.+), `([0-9a-f]{7})` \\| (\\d+) \\| (\\d+) \\| (\\d\\.\\d+) \\|$").FindAllStringSubmatch(string(page), -1)
	if len(found) != len(ra2.Releases()) {
		t.Fatalf("the table has %d releases, the program %v", len(found), ra2.Releases())
	}
	for i, release := range ra2.Releases() {
		c, err1 := release.Load()
		rows, err2 := conform.RowsOf(release)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		stated := 0
		for _, r := range rows {
			if r.How == conform.Statement {
				stated++
			}
		}
		byDefault := map[bool]string{true: " (default)"}[release == ra2.Default]
		want := fmt.Sprint([]string{string(release), byDefault, c.Source.Release, c.Source.Commit[:7], fmt.Sprint(len(rows)), fmt.Sprint(stated), c.Source.Kubernetes})
		if got := fmt.Sprint(found[i][1:]); got != want {
			t.Errorf("the page says %s, and it is %s", got, want)
		}
		var is, least int
		if _, err := fmt.Sscanf(kubeadm.Version, "v1.%d", &is); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(c.Source.Kubernetes, "1.%d", &least); err != nil || is < least {
			t.Errorf("we install %s, and %s wants %s or newer (%v)", kubeadm.Version, release, c.Source.Kubernetes, err)
		}
	}
	if !regexp.MustCompile(`installs Kubernetes ` + regexp.QuoteMeta(kubeadm.Version) + `,`).Match(page) {
		t.Errorf("the page doesn't say that we install %s", kubeadm.Version)
	}
}
