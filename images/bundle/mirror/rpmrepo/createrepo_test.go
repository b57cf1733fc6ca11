package rpmrepo_test

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/images/bundle/mirror/rpmrepo"
	"github.com/ra2-deploy/ra2-deploy/images/pack"
)

// some are packages with all that primary.xml has a place for.
func some() []pack.Package {
	return []pack.Package{
		{
			Name: "ra2-peer", Version: "v1.2.3-rc.1", Arch: "amd64", Summary: "a <program> & more", Description: "Two lines\nof it.", License: "Apache-2.0",
			Homepage: "https://example.com/?a=1&b=2", Depends: []string{"ra2-peer-data >= 2:1.0-3", "/bin/sh", "other < 4"}, Provides: []string{"peer = 3", "bare"},
			Conflicts: []string{"foe <= 1"}, Scripts: pack.Scripts{PostInstall: "#!/bin/sh\ntrue\n", PreInstall: "#!/bin/sh\ntrue\n"},
			Files: []pack.File{
				{Path: "/usr/bin/ra2-peer", Data: []byte("x"), Mode: 0o755}, {Path: "/etc/ra2.conf", Data: []byte("y\n"), Mode: 0o644},
				{Path: "/usr/share/ra2", Dir: true, Mode: 0o755}, {Path: "/usr/lib/ra2/ümlaut", Data: []byte("z"), Mode: 0o644},
			},
		},
		{Name: "empty", Version: "v1", Arch: pack.Any, Summary: "nothing", License: "MIT"},
	}
}

// Our lists say of a package what those of createrepo_c say.
func TestAsCreaterepo(t *testing.T) {
	program, err := exec.LookPath("createrepo_c")
	if err != nil {
		t.Skip("needs createrepo_c (Debian package createrepo-c)")
	}
	dir := t.TempDir()
	var all []rpmrepo.Package
	for _, p := range some() {
		var data bytes.Buffer
		if err := p.Write(&data, pack.RPM); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, p.FileName(pack.RPM)), data.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		h, err := rpmrepo.Read(&data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rpmrepo.Package{Header: h, Path: p.FileName(pack.RPM)})
	}
	if text, err := exec.CommandContext(t.Context(), program, "--quiet", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	ours, err := rpmrepo.Lists(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"primary", "filelists"} {
		files, err := filepath.Glob(filepath.Join(dir, "repodata", "*-"+list+".xml.gz"))
		if err != nil || len(files) != 1 {
			t.Fatalf("createrepo_c made %v, %v", files, err)
		}
		theirs, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(facts(t, theirs), facts(t, ours[named(ours, list)])); diff != "" {
			t.Errorf("%s (createrepo_c -, ours +):\n%s", list, diff)
		}
	}
}

// named returns the path of a list.
func named(lists map[string][]byte, list string) string {
	for at := range lists {
		if strings.HasSuffix(at, "-"+list+".xml.gz") {
			return at
		}
	}
	return ""
}

// facts are the elements of a packed document, one a line, sorted within their
// package, without what is of the files and not of the packages.
func facts(t *testing.T, packed []byte) map[string][]string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Packages []struct {
			Name  string `xml:"name"`
			Named string `xml:"name,attr"`
			Inner string `xml:",innerxml"`
		} `xml:"package"`
	}
	if err := xml.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	ofFile := regexp.MustCompile(`</?time[^>]*>|<checksum .*</checksum>|</?location[^>]*>| package="\d+"`)
	between, empty := regexp.MustCompile(`>\s+<`), regexp.MustCompile(`<([\w:-]+)([^<>]*[^<>/])?></([\w:-]+)>`)
	out := map[string][]string{}
	for _, p := range doc.Packages {
		inner := ofFile.ReplaceAllString(p.Inner, "")
		inner = strings.NewReplacer("&#34;", "&quot;", "&#xA;", "\n").Replace(inner)
		inner = between.ReplaceAllString(empty.ReplaceAllString(inner, "<$1$2/>"), ">\n<")
		lines := strings.Split(strings.TrimSpace(inner), "\n")
		slices.Sort(lines)
		out[p.Name+p.Named] = lines
	}
	return out
}
