package rpmrepo

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseControl(t *testing.T) {
	d := parseControl(`Package: chrony
Version: 4.6.1-3+deb13u2
Architecture: amd64
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: iproute2, libcap2 (>= 1:2.10), libc6:any (<< 2.42) | libc6.1
Provides: time-daemon (= 1), ntp
Description: Versatile implementation of the Network Time Protocol
 Version: not this one
`)
	want := []dependency{
		{{"init-system-helpers", ">=", "1.54~"}}, {{"iproute2", "", ""}}, {{"libcap2", ">=", "1:2.10"}}, {{"libc6", "<", "2.42"}, {"libc6.1", "", ""}},
	}
	if fmt.Sprint(d.depends) != fmt.Sprint(want) {
		t.Errorf("depends %v", d.depends)
	}
	if d.name != "chrony" || d.version != "4.6.1-3+deb13u2" || d.noarch || !slices.Equal(d.provides, []string{"time-daemon", "ntp"}) {
		t.Errorf("read %+v", d)
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]string{
		"4.6.1-3+deb13u2": "4.6.1-3+deb13u2", "1:2.75-10": "1:2.75-10", "2026f-0+deb13u1": "2026f-0+deb13u1",
		"3.1-20250104-1": "3.1.20250104-1", "6.5": "6.5", "1.17.0~dev": "1.17.0~dev",
	} {
		if got := parseVersion(text).String(); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// What something needs is packaged, and what isn't packaged is needed by
// nothing.
func TestPlan(t *testing.T) {
	table := table{Never: []string{"debconf"}, Packages: []edit{
		{Name: "iproute", From: []string{"iproute2"}},
		{Name: "chrony", From: []string{"chrony"}},
		{Name: "glibc", From: []string{"libc6", "libc-bin"}},
		{Name: "kernel-core", From: []string{kernelPackage}},
	}}
	debs := map[string]deb{}
	for _, d := range []deb{
		{name: "iproute2", depends: parseDepends("libc6 (>= 2.4), libcap2 (>= 1:2.10), debconf | debconf-2.0")},
		{name: "chrony", depends: parseDepends("iproute2, ntp-keys | tzdata, libc6")},
		{name: "libc6", depends: parseDepends("libc-bin")}, {name: "libc-bin"}, {name: "libcap2"}, {name: "zone", provides: []string{"tzdata"}},
		{name: "debconf"}, {name: "linux-image-6.12.1-cloud"},
	} {
		debs[d.name] = d
	}
	packs, err := table.plan(debs)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range packs {
		lines = append(lines, p.Name+": "+strings.Join(p.requires, ", "))
	}
	want := []string{"iproute: glibc, libcap2 >= 1:2.10", "chrony: iproute, zone, glibc", "glibc: ", "kernel-core: ", "libcap2: ", "zone: "}
	if !slices.Equal(lines, want) {
		t.Errorf("plan %q\nwant %q", lines, want)
	}
	if got := packs[3].named("/boot/vmlinuz-@RELEASE@ @UNAME@"); got != "/boot/vmlinuz-6.12.1-cloud 6.12.1_cloud" {
		t.Errorf("the kernel's file is %s", got)
	}
	delete(debs, "linux-image-6.12.1-cloud")
	if _, err := table.plan(debs); err == nil || !strings.Contains(err.Error(), kernelMeta) {
		t.Errorf("without a kernel: %v", err)
	}
}

func TestPatterns(t *testing.T) {
	for glob, names := range map[string][2][]string{
		"/usr/share/doc/**":  {{"/usr/share/doc/a", "/usr/share/doc/a/b"}, {"/usr/share/doc", "/usr/share/docs/a"}},
		"/usr/lib/rpm/*.sh":  {{"/usr/lib/rpm/a.sh"}, {"/usr/lib/rpm/a/b.sh", "/usr/lib/rpm/a.shx"}},
		"/usr/lib/*/net/**":  {{"/usr/lib/a/net/b"}, {"/usr/lib/a/b/net/c"}},
		"/usr/bin/rpmbuild":  {{"/usr/bin/rpmbuild"}, {"/usr/bin/rpmbuild2"}},
		"/usr/lib/libp.so.*": {{"/usr/lib/libp.so.5"}, {"/usr/lib/libpxso.5"}},
	} {
		for _, name := range names[0] {
			if !matches(patterns([]string{glob}), name) {
				t.Errorf("%s doesn't match %s", glob, name)
			}
		}
		for _, name := range names[1] {
			if matches(patterns([]string{glob}), name) {
				t.Errorf("%s matches %s", glob, name)
			}
		}
	}
}

// rpm refuses a version with "-" in it, and a dependency with one takes it for
// the release.
func TestVersionsAreRPMs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := parseVersion(rapid.StringMatching(`([0-9]:)?[0-9][0-9a-z.+~-]{0,12}`).Draw(t, "version"))
		if strings.ContainsAny(v.version, "-:") || strings.ContainsAny(v.release, "-:") {
			t.Errorf("version %q, release %q", v.version, v.release)
		}
	})
}

// The table is read strictly, and names nothing twice.
func TestTable(t *testing.T) {
	table, err := readTable(packagesText)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range table.Packages {
		if e.Name == "" || seen[e.Name] {
			t.Errorf("package %q is there twice", e.Name)
		}
		seen[e.Name] = true
	}
	if _, err := readTable([]byte("packages: [{nam: x}]")); err == nil {
		t.Error("an unknown key is read")
	}
}
