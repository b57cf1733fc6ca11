package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, args ...string) Document {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, &out, &errs); code != 0 {
		t.Fatalf("exit status %d: %s", code, &errs)
	}
	var d Document
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	return d
}

// TestReads reads a tree that has one of everything: a file is told whole or not at
// all, and what can't be read is named.
func TestReads(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"a": "alpha\n", "b": "\xff\x00", "secret": "hunter2", "large": strings.Repeat("x", maxFile+1)} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("somewhere/else", at("link")); err != nil {
		t.Fatal(err)
	}
	d := read(t, "-file", at("*"), "-file", at("gone"), "-digest", at("secret"), "-link", at("link"), "-name", at("l*"),
		"-run", "false", "-run", "echo one two", "-run", "no-such-program", "-file", "[")
	if !d.Done || d.Files[at("a")] != "alpha\n" || string(d.Bytes[at("b")]) != "\xff\x00" || d.Links[at("link")] != "somewhere/else" {
		t.Errorf("%+v", d)
	}
	if !strings.HasPrefix(d.Digests[at("secret")], "sha256:f52fbd32b2b3b86f") || !slices.Equal(d.Names, []string{at("large"), at("link")}) {
		t.Errorf("digests %v, names %v", d.Digests, d.Names)
	}
	if d.Runs["false"].Exit != 1 || d.Runs["echo one two"].Output != "one two\n" || len(d.Runs) != 2 {
		t.Errorf("runs: %v", d.Runs)
	}
	if _, half := d.Files[at("large")]; half || len(d.Lacks) != 2 || d.Lacks["["] == "" || !strings.HasPrefix(d.Lacks[at("large")], "larger than") {
		t.Errorf("lacks: %v", d.Lacks)
	}
}

// TestRoot refuses a root that isn't one, and says so.
func TestRoot(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-root", filepath.Join(t.TempDir(), "gone")}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "change into the root") || out.Len() > 0 {
		t.Errorf("exit status %d: %s%s", code, &out, &errs)
	}
	for _, args := range [][]string{{"-no"}, {"word"}} {
		if code := run(t.Context(), args, &out, &errs); code != 2 {
			t.Errorf("%v: exit status %d", args, code)
		}
	}
}
