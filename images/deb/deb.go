// Package deb makes file trees from Debian packages: whole systems with
// mmdebstrap, and the contents of single packages (kernel, boot loaders) that
// are unpacked and never installed. apt checks the archive's signatures with
// the host's debian-archive-keyring in both cases.
package deb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// Keyring is where the package debian-archive-keyring puts the archive's keys.
const Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// epoch is the latest time stamp of a system: 2026-01-01T00:00:00Z.
const epoch = "1767225600"

// Programs gives the external programs that this package runs and the Debian
// packages that hold them.
func Programs() map[string]string {
	return map[string]string{"mmdebstrap": "mmdebstrap", "apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg"}
}

// Archive says where packages come from.
type Archive struct {
	Suite    string `yaml:"suite"`    // "trixie"
	Mirror   string `yaml:"mirror"`   // "http://deb.debian.org/debian"
	Security string `yaml:"security"` // "http://deb.debian.org/debian-security"
}

// sources gives the lines of sources.list.
func (a Archive) sources() []string {
	line := func(url, suite string) string {
		return fmt.Sprintf("deb [signed-by=%s] %s %s main", Keyring, url, suite)
	}
	return []string{line(a.Mirror, a.Suite), line(a.Mirror, a.Suite+"-updates"), line(a.Security, a.Suite+"-security")}
}

// excluded are paths that no node reads. Licences stay.
func excluded() []string {
	return []string{"/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*",
		"/usr/share/bash-completion/*", "/usr/share/doc/*"}
}

// System makes a Debian system at dir, which must not exist, from the
// essential packages and those of include, without recommendations. It needs
// root: files belong to their real owners.
func (a Archive) System(ctx context.Context, dir string, include []string) error {
	args := []string{"mmdebstrap", "--variant=essential", "--mode=root", "--format=directory", "--architectures=amd64",
		"--aptopt=Acquire::Languages \"none\"", "--include=" + strings.Join(include, ",")}
	for _, path := range excluded() {
		args = append(args, "--dpkgopt=path-exclude="+path)
	}
	args = append(args, "--dpkgopt=path-include=/usr/share/doc/*/copyright", a.Suite, dir)
	// mmdebstrap gives files that scripts make this time.
	env := []string{"SOURCE_DATE_EPOCH=" + epoch}
	if _, err := command.Run(ctx, command.Command{Env: env, Args: append(args, a.sources()...)}); err != nil {
		return fmt.Errorf("make a Debian system (%s from %s): %w", a.Suite, a.Mirror, err)
	}
	return nil
}

// Unpack downloads packages and unpacks them into dir without what they depend
// on. A kernel metapackage (linux-image-amd64) stands for the kernel that it
// depends on. It gives what was unpacked,
// "name version".
func (a Archive) Unpack(ctx context.Context, dir string, packages []string) ([]string, error) {
	scratch, err := os.MkdirTemp(filepath.Dir(dir), "apt-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	apt, err := a.newApt(ctx, scratch)
	if err != nil {
		return nil, fmt.Errorf("unpack Debian packages: %w", err)
	}
	names := make([]string, len(packages))
	for i, p := range packages {
		if names[i], err = apt.resolve(ctx, p); err != nil {
			return nil, fmt.Errorf("unpack Debian packages: %w", err)
		}
	}
	if _, err := apt.run(ctx, append([]string{"apt-get", "download"}, names...)...); err != nil {
		return nil, fmt.Errorf("unpack Debian packages: %w", err)
	}
	return unpackAll(ctx, scratch, dir)
}

func unpackAll(ctx context.Context, from, dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(from, "*.deb"))
	if err != nil {
		return nil, err
	}
	var unpacked []string
	for _, file := range files {
		if _, err := command.Run(ctx, command.Command{Args: []string{"dpkg-deb", "--extract", file, dir}}); err != nil {
			return nil, fmt.Errorf("unpack Debian packages: %w", err)
		}
		out, err := command.Run(ctx, command.Command{Args: []string{"dpkg-deb", "--show", "--showformat=${Package} ${Version}", file}})
		if err != nil {
			return nil, fmt.Errorf("unpack Debian packages: %w", err)
		}
		unpacked = append(unpacked, string(out))
	}
	slices.Sort(unpacked)
	return unpacked, nil
}

// apt is apt with a root of its own, so that neither the host's sources nor
// its packages matter.
type apt struct{ dir string }

func (a Archive) newApt(ctx context.Context, dir string) (apt, error) {
	for _, d := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return apt{}, err
		}
	}
	files := map[string]string{
		"etc/apt/sources.list": strings.Join(a.sources(), "\n") + "\n",
		"var/lib/dpkg/status":  "",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return apt{}, err
		}
	}
	t := apt{dir}
	_, err := t.run(ctx, "apt-get", "update")
	return t, err
}

func (t apt) run(ctx context.Context, args ...string) ([]byte, error) {
	options := []string{args[0], "--quiet"}
	for _, o := range []string{"Dir=" + t.dir, "Dir::State::status=" + t.dir + "/var/lib/dpkg/status", "APT::Architecture=amd64",
		"APT::Architectures=amd64", "APT::Sandbox::User=root", "Acquire::Languages=none", "Acquire::Retries=3", "APT::Update::Error-Mode=any"} {
		options = append(options, "-o", o)
	}
	return command.Run(ctx, command.Command{Dir: t.dir, Args: append(options, args[1:]...)})
}

// resolve follows a metapackage to the package that it stands for.
func (t apt) resolve(ctx context.Context, name string) (string, error) {
	if !strings.HasPrefix(name, "linux-image-") {
		return name, nil
	}
	out, err := t.run(ctx, "apt-cache", "depends", name)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if real, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: linux-image-"); ok {
			return "linux-image-" + real, nil
		}
	}
	return "", fmt.Errorf("package %s depends on no kernel: %s", name, out)
}

// Installed lists the packages of the system at dir, "name version", sorted.
func Installed(dir string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "var/lib/dpkg/status"))
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var all []string
	for stanza := range strings.SplitSeq(string(text), "\n\n") {
		field := map[string]string{}
		for line := range strings.Lines(stanza) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && !strings.HasPrefix(line, " ") {
				field[name] = value
			}
		}
		if strings.HasSuffix(field["Status"], " installed") {
			all = append(all, field["Package"]+" "+field["Version"])
		}
	}
	slices.Sort(all)
	return all, nil
}
