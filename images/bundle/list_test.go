package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListIsTheSameOfBothForms(t *testing.T) {
	b := made(t, key(t, 1).Sign)
	file := filepath.Join(t.TempDir(), "bundle.tar")
	text := exported(t, b)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	dir, err := List(t.Context(), b.Dir())
	if err != nil {
		t.Fatal(err)
	}
	one, err := List(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if dir.Signer != key(t, 1).Verifier().ID() || one.Signer != dir.Signer || one.Total != dir.Total || one.Bundle.Digest() != b.Digest() {
		t.Errorf("%+v\n%+v", dir, one)
	}
	if diff := cmp.Diff(dir.Bytes, one.Bytes); diff != "" {
		t.Error(diff)
	}
	checked, err := Verify(t.Context(), b.Dir(), nil, nil)
	if err != nil || checked.Bytes != dir.Total {
		t.Errorf("%d bytes were listed and %d are there, %v", dir.Total, checked.Bytes, err)
	}
	i, err := b.Find(Image, "registry.k8s.io/pause:v1")
	if err != nil || dir.Bytes[i.Digest] < i.Size+2000 { // two layers of 1000 bytes
		t.Errorf("%s has %d bytes, %v", i, dir.Bytes[i.Digest], err)
	}
	// The rest of the file isn't looked at.
	if err := os.WriteFile(file, text[:len(text)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := List(t.Context(), file); err != nil {
		t.Error(err)
	}
}

func TestFromGivesTheSameBundle(t *testing.T) {
	b := made(t, nil)
	w, err := Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	sources := []Source{From(b)}
	items, err := Resolve(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	var last Progress
	if err := Fill(t.Context(), w, items, sources, func(p Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	again, err := w.Commit(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, b.Dir()), tree(t, again.Dir())); diff != "" {
		t.Error(diff)
	}
	if last.Doing != "sync" || last.Bytes < 10_000 {
		t.Errorf("the last words were %+v", last)
	}
}

func TestFillNamesWhatNobodyHas(t *testing.T) {
	b := made(t, nil)
	w, err := Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	items := b.Items()
	items[0].Size++
	items[1].Name += "x"
	err = Fill(t.Context(), w, items, []Source{From(b)}, nil)
	for _, i := range items[:2] {
		if err == nil || !strings.Contains(err.Error(), i.String()+": nothing here can fetch it") {
			t.Errorf("%s: %v", i, err)
		}
	}
	items = b.Items()
	for _, i := range items[:3] {
		if err := os.Remove(b.Path(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Fill(t.Context(), w, items, []Source{From(b)}, nil); err == nil || !strings.Contains(err.Error(), "it is missing in bundle") {
		t.Errorf("got %v", err)
	}
	if _, err := w.Commit(nil); err == nil {
		t.Error("a bundle was made all the same")
	}
}
