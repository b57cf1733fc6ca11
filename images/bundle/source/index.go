package source

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// index is apt with a root of its own, so that neither the host's sources nor its
// packages matter.
type index struct{ dir string }

// debPackage is one package as an archive's index has it.
type debPackage struct {
	name, version, arch string
	archive, path       string // address, and path below it
	sha256              string
	size                int64
	depends             string
}

// newIndex makes an apt in dir and fetches the indices of its archives, whose
// signatures apt checks.
func newIndex(ctx context.Context, dir string, lines []string) (index, error) {
	for _, d := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return index{}, err
		}
	}
	files := map[string]string{
		"etc/apt/sources.list": strings.Join(lines, "\n") + "\n",
		"var/lib/dpkg/status":  "",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return index{}, err
		}
	}
	x := index{dir}
	_, err := x.run(ctx, "apt-get", "update")
	return x, err
}

func (x index) run(ctx context.Context, args ...string) ([]byte, error) {
	options := []string{args[0], "--quiet"}
	for _, o := range []string{"Dir=" + x.dir, "Dir::State::status=" + x.dir + "/var/lib/dpkg/status", "APT::Architecture=amd64",
		"APT::Architectures=amd64", "APT::Sandbox::User=root", "Acquire::Languages=none", "Acquire::Retries=3", "APT::Update::Error-Mode=any",
		// The host's configuration counts: it may name a proxy, or say that its clock
		// is wrong. But what it takes without a signature isn't ours.
		"Acquire::AllowInsecureRepositories=false", "Acquire::AllowWeakRepositories=false",
		"Acquire::AllowDowngradeToInsecureRepositories=false", "APT::Get::AllowUnauthenticated=false"} {
		options = append(options, "-o", o)
	}
	// What apt says is read: not in the user's language.
	return command.Run(ctx, command.Command{Dir: x.dir, Env: []string{"LC_ALL=C.UTF-8"}, Args: append(options, args[1:]...)})
}

// closure gives the essential packages and install with all that those need,
// without recommendations, as apt chooses among alternatives; and alone.
func (x index) closure(ctx context.Context, install, alone []string) ([]debPackage, error) {
	var all []debPackage
	if len(install) > 0 {
		uris, err := x.uris(ctx, append([]string{"apt-get", "install", "--yes", "--no-install-recommends", "--print-uris", "?essential"}, install...))
		if err != nil {
			return nil, err
		}
		if all, err = x.packages(ctx, uris); err != nil {
			return nil, err
		}
	}
	for len(alone) > 0 {
		uris, err := x.uris(ctx, append([]string{"apt-get", "download", "--print-uris"}, alone...))
		if err != nil {
			return nil, err
		}
		more, err := x.packages(ctx, uris)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
		alone = kernelsOf(more)
	}
	slices.SortFunc(all, func(a, b debPackage) int { return strings.Compare(a.name, b.name) })
	return slices.Compact(all), nil
}

// uriLine is what apt prints with --print-uris: address, file name, size and a
// hash that isn't sha256.
var uriLine = regexp.MustCompile(`(?m)^'([^']+)' ([^ _]+)_\S+ \d+ `)

// uris asks apt which files it would fetch, and returns their addresses by the
// name of the package.
func (x index) uris(ctx context.Context, args []string) (map[string]string, error) {
	out, err := x.run(ctx, args...)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, m := range uriLine.FindAllStringSubmatch(string(out), -1) {
		plain, err := url.PathUnescape(m[1])
		if err != nil {
			return nil, fmt.Errorf("apt would fetch %s: %w", m[1], err)
		}
		found[m[2]] = plain
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("apt names nothing to fetch: %s", out)
	}
	return found, nil
}

// packages describes the packages of these addresses.
func (x index) packages(ctx context.Context, uris map[string]string) ([]debPackage, error) {
	var names []string
	for name := range uris {
		names = append(names, name)
	}
	slices.Sort(names)
	stanzas, err := x.show(ctx, names)
	if err != nil {
		return nil, err
	}
	var all []debPackage
	var wrong []error
	for _, name := range names {
		i := slices.IndexFunc(stanzas, func(p debPackage) bool { return p.name == name && strings.HasSuffix(uris[name], "/"+p.path) })
		if i < 0 {
			wrong = append(wrong, fmt.Errorf("apt would fetch %s, which its index doesn't describe", uris[name]))
			continue
		}
		p := stanzas[i]
		p.archive = strings.TrimSuffix(uris[name], "/"+p.path)
		all = append(all, p)
	}
	return all, errors.Join(wrong...)
}

// show reads the index: each version of the packages with these names.
func (x index) show(ctx context.Context, names []string) ([]debPackage, error) {
	out, err := x.run(ctx, append([]string{"apt-cache", "show"}, names...)...)
	if err != nil {
		return nil, err
	}
	var all []debPackage
	for stanza := range strings.SplitSeq(string(out), "\n\n") {
		if strings.TrimSpace(stanza) == "" {
			continue
		}
		p, err := readStanza(stanza)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// readStanza reads what an index says of one package (Debian Policy 5.1; the
// fields are those of Packages files, DebianRepository/Format).
func readStanza(stanza string) (debPackage, error) {
	field := map[string]string{}
	for line := range strings.Lines(stanza) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), ": "); ok && !strings.HasPrefix(line, " ") {
			field[name] = value
		}
	}
	size, err := strconv.ParseInt(field["Size"], 10, 64)
	if err != nil || field["SHA256"] == "" || field["Filename"] == "" {
		return debPackage{}, fmt.Errorf("the index has no path, size and sha256 of package %q: %s", field["Package"], stanza)
	}
	return debPackage{
		name: field["Package"], version: field["Version"], arch: field["Architecture"], depends: field["Depends"],
		path: strings.TrimPrefix(field["Filename"], "./"), sha256: strings.ToLower(field["SHA256"]), size: size,
	}, nil
}

// kernelPart is a dependency on a part of a kernel: Debian has all of it in one
// package, Ubuntu the modules in another.
var kernelPart = regexp.MustCompile(`(?:^|[,|])\s*(linux-(?:image|modules)-[^ ,|(:]+)`)

// kernelsOf gives what packages of kernels need of other such: linux-image-amd64
// of Debian and linux-image-generic of Ubuntu only stand for one.
func kernelsOf(packages []debPackage) (names []string) {
	for _, p := range packages {
		if !kernelPart.MatchString(p.name) {
			continue
		}
		for _, m := range kernelPart.FindAllStringSubmatch(p.depends, -1) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// versions lists the versions of a package that the archives have.
func (x index) versions(ctx context.Context, name string) ([]string, error) {
	out, err := x.run(ctx, "apt-cache", "madison", name)
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		if words := strings.Split(line, "|"); len(words) == 3 && strings.TrimSpace(words[0]) == name {
			all = append(all, strings.TrimSpace(words[1]))
		}
	}
	return slices.Compact(all), nil
}
