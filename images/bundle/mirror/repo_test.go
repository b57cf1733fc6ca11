package mirror_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/pack"
)

// packages are two that need each other, one for every machine.
func packages(source string) []pack.Package {
	program := pack.Package{
		Name: "ra2-peer", Version: "v1.2.3", Arch: "amd64", Summary: "a program", Description: "Two lines\nof it.", License: "Apache-2.0",
		Homepage: "https://example.com/?a=1&b=2", Source: source, Depends: []string{"ra2-peer-data"}, Provides: []string{"peer"},
		Files: []pack.File{{Path: "/usr/bin/ra2-peer", Data: []byte("#!/bin/sh\n"), Mode: 0o755}, {Path: "/etc/ra2-peer.conf", Data: []byte("a\n"), Mode: 0o644}},
	}
	data := pack.Package{
		Name: "ra2-peer-data", Version: "v1.0.0", Arch: pack.Any, Summary: "data <of> it", License: "Apache-2.0", Source: source,
		Files: []pack.File{{Path: "/usr/share/ra2-peer", Dir: true, Mode: 0o755}, {Path: "/usr/share/ra2-peer/data", Data: bytes.Repeat([]byte("data"), 100), Mode: 0o644}},
	}
	return []pack.Package{program, data}
}

const (
	fromModule = "go:example.com/peer@v1.2.3 h1:AAAA"
	fromSuite  = "apt:http://deb.example/debian trixie pool/main/p/peer.deb"
)

// apt is apt with a root of its own that knows one repository.
func (s *site) apt(suite string) func(args ...string) (string, error) {
	s.Helper()
	get := program(s.TB, "apt-get", "apt")
	dir := s.TempDir()
	for _, d := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			s.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"etc/apt/sources.list": "deb [trusted=yes] " + s.web.URL + "/deb " + suite + " main\n", "var/lib/dpkg/status": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			s.Fatal(err)
		}
	}
	ca := s.ca()
	return func(args ...string) (string, error) {
		line := []string{get, "--quiet", "--yes"}
		for _, o := range []string{
			"Dir=" + dir, "Dir::State::status=" + dir + "/var/lib/dpkg/status", "APT::Architecture=amd64", "APT::Architectures=amd64",
			"APT::Sandbox::User=root", "APT::Update::Error-Mode=any", "Acquire::https::CAInfo=" + ca, "Debug::NoLocking=1",
		} {
			line = append(line, "-o", o)
		}
		return try(s.TB, dir, append(line, args...)...)
	}
}

// A real apt takes the repository: update, download, and what depends on what.
func TestApt(t *testing.T) {
	for suite, source := range map[string]string{"ra2": fromModule, "trixie": fromSuite} {
		t.Run(suite, func(t *testing.T) {
			s := newSite(t, pack.Deb, packages(source)...)
			apt := s.apt(suite)
			if said, err := apt("update"); err != nil || strings.Contains(said, "W:") {
				t.Fatalf("%v\n%s", err, said)
			}
			said, err := apt("install", "--download-only", "ra2-peer")
			if err != nil || !strings.Contains(said, "2 newly installed") {
				t.Fatalf("%v\n%s", err, said)
			}
			if said, err := apt("download", "ra2-peer"); err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			for _, c := range s.server.Counts() {
				if c.What == "deb ra2-peer 1.2.3-1" && c.Requests == 2 {
					return
				}
			}
			t.Errorf("counts %+v", s.server.Counts())
		})
	}
}

// A package that was damaged on the serving machine stops apt before it is
// installed; the log names it.
func TestAptDamaged(t *testing.T) {
	s := newSite(t, pack.Deb, packages(fromModule)...)
	apt := s.apt("ra2")
	if said, err := apt("update"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	s.flip(string(s.items[0].Digest), 200)
	if said, err := apt("install", "--download-only", "ra2-peer"); err == nil || !strings.Contains(said, "500") {
		t.Errorf("%v\n%s", err, said)
	}
	if !strings.Contains(s.log.String(), "deb ra2-peer 1.2.3-1 is damaged") {
		t.Errorf("the log: %s", s.log)
	}
	fresh := newSite(t, pack.Deb, packages(fromModule)...)
	fresh.flip(string(fresh.items[0].Digest), 200)
	if got := fresh.ask(http.MethodGet, "/deb/dists/ra2/Release"); got.code != 500 || !strings.Contains(got.body, "deb ra2-peer 1.2.3-1") {
		t.Errorf("lists of a damaged package: %d %s", got.code, got.body)
	}
}

// The same bundle gives the same lists, and each list answers to its digest.
func TestAptLists(t *testing.T) {
	a, b := newSite(t, pack.Deb, packages(fromModule)...), newSite(t, pack.Deb, packages(fromModule)...)
	release := a.ask(http.MethodGet, "/deb/dists/ra2/Release")
	if release.code != 200 || release.body != b.ask(http.MethodGet, "/deb/dists/ra2/Release").body {
		t.Fatalf("%d\n%s\n%s", release.code, release.body, b.ask(http.MethodGet, "/deb/dists/ra2/Release").body)
	}
	lists := 0
	for line := range strings.Lines(release.body) {
		var sum, at string
		var size int
		if n, _ := fmt.Sscanf(line, " %s %d %s\n", &sum, &size, &at); n != 3 {
			continue
		}
		lists++
		for _, path := range []string{at, filepath.Join(filepath.Dir(at), "by-hash/SHA256", sum)} {
			if got := a.ask(http.MethodGet, "/deb/dists/ra2/"+path); got.code != 200 || len(got.body) != size || hash(got.body) != sum {
				t.Errorf("%s: %d, %d bytes, sha256 %s", path, got.code, len(got.body), hash(got.body))
			}
		}
	}
	if lists != 2 {
		t.Errorf("%d lists in\n%s", lists, release.body)
	}
	if got := a.ask(http.MethodGet, "/rpm/repodata/repomd.xml"); got.code != 404 {
		t.Errorf("the rpm repository of a bundle for Debian: %d %s", got.code, got.body)
	}
}

// A real dnf takes the repository.
func TestDNF(t *testing.T) {
	dnf := program(t, "dnf", "dnf")
	s := newSite(t, pack.RPM, packages(fromModule)...)
	root := t.TempDir()
	run := func(args ...string) (string, error) {
		line := []string{dnf, "--assumeyes", "--installroot", root, "--releasever", "1", "--disablerepo=*", "--repofrompath=ra2," + s.web.URL + "/rpm",
			"--enablerepo=ra2", "--setopt=ra2.sslcacert=" + s.ca(), "--setopt=ra2.gpgcheck=0", "--setopt=cachedir=" + root + "/cache", "--setopt=reposdir=" + root,
			"--forcearch=x86_64"}
		return try(t, root, append(line, args...)...)
	}
	to := filepath.Join(root, "got")
	if said, err := run("install", "--downloadonly", "--downloaddir", to, "ra2-peer"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	files, err := filepath.Glob(filepath.Join(to, "*.rpm"))
	if err != nil || len(files) != 2 {
		t.Errorf("dnf got %v, %v", files, err)
	}
	said, err := run("repoquery", "--whatprovides", "peer")
	if err != nil || !strings.Contains(said, "ra2-peer-0:1.2.3-1.x86_64") {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err = run("repoquery", "--whatprovides", "/usr/share/ra2-peer/data"); err != nil || !strings.Contains(said, "ra2-peer-data-0:1.0.0-1.noarch") {
		t.Errorf("%v\n%s", err, said)
	}
	names := []string{s.items[0].String(), s.items[1].String()}
	for _, c := range s.server.Counts() {
		if i := slices.Index(names, c.What); i >= 0 && c.Failed == 0 {
			names = slices.Delete(names, i, i+1)
		}
	}
	if len(names) > 0 {
		t.Errorf("dnf didn't get %v: %+v", names, s.server.Counts())
	}
}
