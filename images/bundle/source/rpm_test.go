package source

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/rpm"
)

// What dnf finds becomes items that are fetched again by their source, and one
// that isn't there any more is named.
func TestRPM(t *testing.T) {
	dir := os.Getenv("RA2_RPMREPO")
	if dir == "" || os.Geteuid() != 0 {
		t.Skip("needs root and a repository: go test ./e2e/rpmrepo makes one")
	}
	from := "file://" + filepath.Join(dir, "repo")
	r := RPM{
		Archive: rpm.Archive{Release: "1", Repositories: []rpm.Repository{{Name: "test", URL: from, Keys: []string{filepath.Join(dir, "RPM-GPG-KEY-ra2-test-rpm")}, Signed: true}}},
		Install: []string{"chrony"}, Alone: []string{"ipxe-bootimgs-x86"}, Store: Store{Dir: t.TempDir()},
	}
	items, err := bundle.Resolve(t.Context(), []bundle.Source{r})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"chrony", "glibc", "ipxe-bootimgs-x86"} {
		n := slices.IndexFunc(items, func(i bundle.Item) bool { return i.Name == name })
		if n < 0 || !strings.HasPrefix(items[n].Source, "rpm:"+from+" "+name+"-") || !r.Has(items[n]) {
			t.Errorf("%s: %d of %v", name, n, items)
		}
	}
	r.Store.Dir = t.TempDir() // as on another day
	w, err := bundle.Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := bundle.Fill(t.Context(), w, items, []bundle.Source{r}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(nil); err != nil {
		t.Fatal(err)
	}
	gone := items[0]
	gone.Source += ".old"
	r.Store.Dir = t.TempDir()
	if err := r.Fetch(t.Context(), gone, w); !errors.As(err, new(*bundle.Gone)) {
		t.Errorf("a package that isn't there: %v", err)
	}
	if other := (bundle.Item{Kind: bundle.RPM, Source: "rpm:https://elsewhere.example a.rpm"}); r.Has(other) {
		t.Errorf("it has %v", other)
	}
}
