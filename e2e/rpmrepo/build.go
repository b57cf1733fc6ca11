package rpmrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// epoch is the time of everything in the packages: 2026-01-01T00:00:00Z.
const epoch = "1767225600"

// buildAll makes all packages, as many at once as there are processors. The
// first that fails ends the others.
func buildAll(ctx context.Context, work, out string, packs []pack, drop []string, debs map[string]deb) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	slots, errs := make(chan struct{}, runtime.NumCPU()), make([]error, len(packs))
	for i, p := range packs {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			if err := p.build(ctx, filepath.Join(work, p.Name), out, drop, debs); err != nil {
				errs[i] = fmt.Errorf("package %s: %w", p.Name, err)
				cancel(errors.New("another package failed"))
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// build makes one package with rpmbuild.
func (p pack) build(ctx context.Context, work, out string, drop []string, debs map[string]deb) error {
	tree := filepath.Join(work, "tree")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return err
	}
	for _, from := range p.From {
		if _, err := command.Run(ctx, command.Command{Args: []string{"dpkg-deb", "--extract", debs[from].file, tree}}); err != nil {
			return err
		}
	}
	licence := p.licence(tree)
	if err := p.shape(tree, drop); err != nil {
		return err
	}
	files, err := listFiles(tree)
	if err != nil {
		return err
	}
	head := deb{name: p.Name, version: "1-1", summary: p.Name + " of the test distribution", noarch: true}
	if len(p.From) > 0 {
		head = debs[p.From[0]]
	}
	spec := filepath.Join(work, p.Name+".spec")
	if err := os.WriteFile(spec, []byte(p.spec(head, licence, tree, files)), 0o644); err != nil {
		return err
	}
	args := []string{"rpmbuild", "-bb", "--quiet", "--target", "x86_64", "--buildroot", filepath.Join(work, "root")}
	for name, value := range map[string]string{"_topdir": work, "_rpmdir": out, "_rpmfilename": "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm"} {
		args = append(args, "--define", name+" "+value)
	}
	env := []string{"SOURCE_DATE_EPOCH=" + epoch, "HOME=" + work}
	if _, err := command.Run(ctx, command.Command{Env: env, Args: append(args, spec)}); err != nil {
		return err
	}
	return os.RemoveAll(work)
}

// spec is the file that rpmbuild reads. Nothing is compiled or changed on the
// way; rpmbuild finds by itself which libraries and interpreters files need.
func (p pack) spec(head deb, licence, tree string, files []string) string {
	v := parseVersion(head.version)
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	for _, macro := range []string{"debug_package %{nil}", "__os_install_post %{nil}", "_build_id_links none", "_binary_payload w3.zstdio",
		"use_source_date_epoch_as_buildtime 1", "clamp_mtime_to_source_date_epoch 1", "_buildhost ra2-test-rpm", "_use_internal_dependency_generator 1"} {
		line("%%global %s", macro)
	}
	line("Name: %s\nVersion: %s\nRelease: %s", p.Name, v.version, or(v.release, "1"))
	if v.epoch != "0" {
		line("Epoch: %s", v.epoch)
	}
	line("Summary: %s\nLicense: %s", or(head.summary, p.Name), licence)
	if head.homepage != "" {
		line("URL: %s", head.homepage)
	}
	if head.noarch {
		line("BuildArch: noarch")
	}
	for _, r := range slices.Concat(p.requires, p.Requires) {
		line("Requires: %s", p.named(r))
	}
	for _, r := range p.Provides {
		line("Provides: %s", p.named(r))
	}
	line("%%description\n%s\nMade of Debian's %s for tests.", or(head.summary, p.Name), or(strings.Join(p.From, ", "), "nothing"))
	line("%%install\nrm -rf %%{buildroot}\nmv '%s' %%{buildroot}", tree)
	line("%%files\n%s", strings.Join(files, "\n"))
	s.WriteString(p.Script)
	return s.String()
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// listFiles gives the lines of %files: everything in the tree. Files in /etc
// are configuration, which rpm -V doesn't count as damaged when it was changed.
func listFiles(tree string) ([]string, error) {
	var all []string
	escape := strings.NewReplacer(`\`, `\\`, "%", "%%") // "[" alone is no pattern: coreutils has a program of that name
	err := filepath.WalkDir(tree, func(file string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(file, tree)
		if err != nil || name == "" {
			return err
		}
		quoted := `"` + escape.Replace(name) + `"`
		switch {
		case d.IsDir():
			quoted = "%dir " + quoted
		case strings.HasPrefix(name, "/etc/") && d.Type().IsRegular():
			quoted = "%config(noreplace) " + quoted
		case strings.HasPrefix(name, "/usr/share/licenses/"):
			quoted = "%license " + quoted
		}
		all = append(all, quoted)
		return nil
	})
	return all, err
}

// licence gives the names of the licences in a Debian package's file of them
// (DEP-5: "License: GPL-2+").
func (p pack) licence(tree string) string {
	const unknown = "see the licence file"
	if len(p.From) == 0 {
		return "Apache-2.0"
	}
	text, err := os.ReadFile(filepath.Join(tree, "usr/share/doc", p.From[0], "copyright"))
	if err != nil {
		return unknown // a link to that of another package
	}
	var names []string
	for l := range strings.Lines(string(text)) {
		name, ok := strings.CutPrefix(l, "License:")
		name = strings.TrimSpace(name)
		if ok && name != "" && !strings.ContainsAny(name, "%,") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return or(strings.Join(names, " and "), unknown)
}
