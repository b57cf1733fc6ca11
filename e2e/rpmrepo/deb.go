package rpmrepo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// deb is one downloaded Debian package.
type deb struct {
	file, name, version, summary, homepage string
	noarch                                 bool
	depends                                []dependency
	provides                               []string
}

// dependency is one of a package: alternatives, of which one must be there.
type dependency []alternative

// alternative is "name" or "name (op version)", with rpm's word for op.
type alternative struct{ name, op, version string }

// keyring has the archive's keys (package debian-archive-keyring).
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// download gets packages and all that they depend on, from Debian 13. apt has a
// root of its own, so that neither this host's sources nor its packages matter,
// and nothing is installed.
func download(ctx context.Context, dir string, names []string) (map[string]deb, error) {
	for _, d := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	var sources strings.Builder
	for _, s := range []string{"debian trixie", "debian trixie-updates", "debian-security trixie-security"} {
		fmt.Fprintf(&sources, "deb [signed-by=%s] http://deb.debian.org/%s main\n", keyring, s)
	}
	for name, text := range map[string]string{"etc/apt/sources.list": sources.String(), "var/lib/dpkg/status": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	apt := func(args ...string) error {
		line := []string{"apt-get", "--quiet", "--assume-yes"}
		for _, o := range []string{"Dir=" + dir, "Dir::State::status=" + dir + "/var/lib/dpkg/status", "APT::Architecture=amd64", "APT::Architectures=amd64",
			"APT::Sandbox::User=root", "APT::Install-Recommends=false", "Acquire::Languages=none", "Acquire::Retries=3", "APT::Update::Error-Mode=any"} {
			line = append(line, "-o", o)
		}
		_, err := command.Run(ctx, command.Command{Dir: dir, Args: append(line, args...)})
		return err
	}
	if err := apt("update"); err != nil {
		return nil, err
	}
	// What an earlier day left would be a second version of a package.
	if err := apt("autoclean"); err != nil {
		return nil, err
	}
	if err := apt(append([]string{"install", "--download-only"}, names...)...); err != nil {
		return nil, err
	}
	return readDebs(ctx, filepath.Join(dir, "var/cache/apt/archives"))
}

// readDebs reads what the packages in a folder say of themselves, by name.
func readDebs(ctx context.Context, dir string) (map[string]deb, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return nil, err
	}
	debs := map[string]deb{}
	for _, file := range files {
		out, err := command.Run(ctx, command.Command{Args: []string{"dpkg-deb", "--field", file}})
		if err != nil {
			return nil, err
		}
		d := parseControl(string(out))
		d.file = file
		debs[d.name] = d
	}
	return debs, nil
}

// parseControl reads a control file (deb-control(5)).
func parseControl(text string) deb {
	field := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
			field[name] = strings.TrimSpace(value)
		}
	}
	d := deb{name: field["Package"], version: field["Version"], summary: field["Description"], homepage: field["Homepage"], noarch: field["Architecture"] == "all"}
	for _, relation := range []string{"Pre-Depends", "Depends"} {
		d.depends = append(d.depends, parseDepends(field[relation])...)
	}
	for _, p := range parseDepends(field["Provides"]) {
		d.provides = append(d.provides, p[0].name)
	}
	return d
}

// parseDepends reads "a (>= 1), b | c:any" (deb-control(5)).
func parseDepends(text string) []dependency {
	ops := map[string]string{">=": ">=", "<=": "<=", ">>": ">", "<<": "<", "=": "="}
	var all []dependency
	for clause := range strings.SplitSeq(text, ",") {
		var d dependency
		for word := range strings.SplitSeq(clause, "|") {
			name, version, _ := strings.Cut(strings.TrimSpace(word), "(")
			name, _, _ = strings.Cut(strings.TrimSpace(name), ":")
			if name == "" {
				continue
			}
			a := alternative{name: name}
			if words := strings.Fields(strings.TrimSuffix(version, ")")); len(words) == 2 {
				a.op, a.version = ops[words[0]], words[1]
			}
			d = append(d, a)
		}
		if d != nil {
			all = append(all, d)
		}
	}
	return all
}

// evr is a version as rpm has it: epoch, version and release.
type evr struct{ epoch, version, release string }

// parseVersion splits a Debian version, "[epoch:]upstream[-revision]"
// (deb-version(7)). rpm allows "-" in neither part, and compares "~" and "+" as
// dpkg does.
func parseVersion(text string) evr {
	v := evr{epoch: "0", version: text}
	if epoch, rest, ok := strings.Cut(text, ":"); ok {
		v.epoch, v.version = epoch, rest
	}
	if i := strings.LastIndex(v.version, "-"); i >= 0 {
		v.version, v.release = v.version[:i], v.version[i+1:]
	}
	v.version = strings.ReplaceAll(v.version, "-", ".")
	return v
}

// String gives the form that dependencies have.
func (v evr) String() string {
	s := v.version
	if v.epoch != "0" {
		s = v.epoch + ":" + s
	}
	if v.release != "" {
		s += "-" + v.release
	}
	return s
}
