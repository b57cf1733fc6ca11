package images

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// TestSBOM: the document lists packages of the distribution and the modules
// that a program says it was built from, in valid SPDX, and is the same each
// time.
func TestSBOM(t *testing.T) {
	root, out := t.TempDir(), t.TempDir()
	node := filepath.Join(root, "usr/bin/ra2-node")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", node, "../cmd/ra2-node").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said) // a test's own program doesn't say what it was built from
	}
	b := &builder{recipe: readRecipe(t), distro: readRecipe(t).Distributions["debian-13"]}
	p := pieces{data: t.TempDir()}
	if err := os.WriteFile(filepath.Join(p.data, moduleList), []byte("go.etcd.io/etcd/server/v3 v3.7.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := Manifest{Distribution: "debian-13", Inputs: strings.Repeat("ab", 32), Packages: []string{"bash 5.2.37-2+b5", "kubelet 1.37.2-1", "libc6 2:2.41~rc1", "linux-image-amd64 6.12"}}
	if err := b.writeSBOM(p, root, out, m); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, FileSBOM))
	if err != nil {
		t.Fatal(err)
	}
	if inside, err := os.ReadFile(filepath.Join(root, "usr/share/ra2", FileSBOM)); err != nil || !bytes.Equal(inside, text) {
		t.Errorf("the image's own copy differs: %v", err)
	}
	var doc v2_3.Document
	if err := spdxjson.ReadInto(bytes.NewReader(text), &doc); err != nil {
		t.Fatal(err)
	}
	ids, purls := map[string]bool{}, map[string]bool{}
	for _, p := range doc.Packages {
		if p.PackageName == "" || p.PackageDownloadLocation == "" || ids[string(p.PackageSPDXIdentifier)] {
			t.Errorf("a package without a name, without a location, or twice: %+v", p)
		}
		ids[string(p.PackageSPDXIdentifier)] = true
		for _, r := range p.PackageExternalReferences {
			purls[r.Locator] = true
		}
	}
	for _, r := range doc.Relationships {
		if a, z := string(r.RefA.ElementRefID), string(r.RefB.ElementRefID); a != "DOCUMENT" && !ids[a] || !ids[z] {
			t.Errorf("a relationship of nothing: %s %s %s", a, r.Relationship, z)
		}
	}
	for _, want := range []string{"pkg:deb/debian/bash@5.2.37-2%2Bb5?arch=amd64", "pkg:deb/debian/libc6@2%3A2.41~rc1?arch=amd64", "pkg:golang/golang.org/x/sys@v0.49.0",
		"pkg:deb/ra2-deploy/kubelet@1.37.2-1?arch=amd64", "pkg:golang/go.etcd.io/etcd/server/v3@v3.7.0"} {
		if !purls[want] {
			t.Errorf("%s is missing", want)
		}
	}
	if doc.CreationInfo.Created != "2026-01-01T00:00:00Z" || len(doc.Relationships) != len(doc.Packages) {
		t.Errorf("made %s, %d relationships of %d packages", doc.CreationInfo.Created, len(doc.Relationships), len(doc.Packages))
	}
	again := t.TempDir()
	if err := b.writeSBOM(p, root, again, m); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(filepath.Join(again, FileSBOM)); err != nil || !bytes.Equal(second, text) {
		t.Errorf("the same content gave another document: %v", err)
	}
}

// TestSBOMNoProgram: a program that can't be asked is named.
func TestSBOMNoProgram(t *testing.T) {
	root := t.TempDir()
	if err := put(root, "usr/bin/ra2-node", []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := (&builder{}).writeSBOM(pieces{}, root, t.TempDir(), Manifest{})
	if err == nil || !strings.Contains(err.Error(), "ra2-node") {
		t.Errorf("%v", err)
	}
}
