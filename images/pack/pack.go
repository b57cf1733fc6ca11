package pack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/rpm"
)

// Format is a family of packages.
type Format string

// The formats.
const (
	Deb Format = "deb"
	RPM Format = "rpm"
)

// Any is the architecture of a package that holds nothing compiled: "all" in
// Debian, "noarch" in rpm.
const Any = "all"

// Time is the time stamp of everything in a package: 2026-01-01T00:00:00Z.
func Time() time.Time { return time.Unix(1767225600, 0).UTC() }

// Package says what becomes a .deb or an .rpm.
type Package struct {
	Name        string
	Version     string   // "1.37.2"; a module's "v1.37.2-rc.1" is written "1.37.2~rc.1", which both families sort before 1.37.2
	Release     string   // "" means "1"
	Arch        string   // Go's word, "amd64", or Any; "" means "amd64"
	Summary     string   // one line
	Description string   // more lines; "" for none
	License     string   // SPDX expression, "Apache-2.0"
	Homepage    string   // URL; "" for none
	Source      string   // what it was made from, as in a bundle: "go:k8s.io/kubernetes@v1.37.2 h1:…"; "" for none
	Depends     []string // as the format writes them: "runc (>= 1.1)" in Debian, "runc >= 1.1" in rpm
	Provides    []string
	Conflicts   []string
	Files       []File
	Scripts     Scripts
}

// File is one file, folder or symbolic link of a package.
type File struct {
	Path         string      // "/usr/bin/kubelet"
	Host         string      // file on this host with the content
	Data         []byte      // the content where there is no Host
	Link         string      // target: this is a symbolic link
	Dir          bool        // this is a folder, which the package owns
	Mode         fs.FileMode // permissions, and fs.ModeSetuid and the like; of a link nothing
	Owner, Group string      // "" means root
}

// Scripts are the texts of what the package manager runs; "" for none. They
// begin with "#!/bin/sh".
type Scripts struct{ PreInstall, PostInstall, PreRemove, PostRemove string }

// FileName gives the file's name in the family's convention:
// "kubelet_1.37.2-1_amd64.deb", "kubelet-1.37.2-1.x86_64.rpm".
func (p Package) FileName(f Format) string {
	if f == RPM {
		return rpm.DefaultRPM.ConventionalFileName(p.info(f))
	}
	return deb.Default.ConventionalFileName(p.info(f))
}

// FullVersion gives the version with the release, as package managers print
// it: "1.37.2-1".
func (p Package) FullVersion() string { return upstream(p.Version) + "-" + p.release() }

// Write writes the package to w. The error says all that is wrong with p.
func (p Package) Write(w io.Writer, f Format) error {
	if err := p.write(w, f); err != nil {
		return fmt.Errorf("make the %s package %s: %w", f, p.Name, err)
	}
	return nil
}

func (p Package) write(w io.Writer, f Format) error {
	if err := p.check(f); err != nil {
		return err
	}
	// nfpm takes contents and scripts from files only.
	scratch, err := os.MkdirTemp("", "ra2-pack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	info := p.info(f)
	if info.Contents, err = p.contents(scratch, f); err != nil {
		return err
	}
	if info.Scripts, err = p.Scripts.write(scratch); err != nil {
		return err
	}
	if f == RPM {
		return rpm.DefaultRPM.Package(info, w)
	}
	return deb.Default.Package(info, w)
}

// named is what both families take for a package's name (Debian Policy 5.6.1;
// rpm takes more).
func named() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`) }

// check says all that is wrong with p.
func (p Package) check(f Format) error {
	var wrong []error
	if f != Deb && f != RPM {
		wrong = append(wrong, fmt.Errorf("format %q is not known: use deb or rpm", f))
	}
	if f == Deb && !named().MatchString(p.Name) || p.Name == "" {
		wrong = append(wrong, fmt.Errorf("%q is no package name", p.Name))
	}
	if v := upstream(p.Version); v == "" || v[0] < '0' || v[0] > '9' {
		wrong = append(wrong, fmt.Errorf("version %q doesn't begin with a digit", p.Version))
	}
	for what, value := range map[string]string{"summary": p.Summary, "licence": p.License} {
		if value == "" || strings.Contains(value, "\n") {
			wrong = append(wrong, fmt.Errorf("its %s must be one line and is %q", what, value))
		}
	}
	seen := map[string]bool{}
	for _, file := range p.Files {
		if err := file.check(); err != nil {
			wrong = append(wrong, err)
		}
		if seen[file.Path] {
			wrong = append(wrong, fmt.Errorf("%s is in it twice", file.Path))
		}
		seen[file.Path] = true
	}
	return errors.Join(wrong...)
}

func (f File) check() error {
	if !filepath.IsAbs(f.Path) || filepath.Clean(f.Path) != f.Path {
		return fmt.Errorf("%q is no absolute path", f.Path)
	}
	kinds := 0
	for _, is := range []bool{f.Host != "", f.Data != nil, f.Link != "", f.Dir} {
		if is {
			kinds++
		}
	}
	if kinds > 1 {
		return fmt.Errorf("%s is more than one of a host's file, data, a link and a folder", f.Path)
	}
	if f.Host == "" {
		return nil
	}
	info, err := os.Stat(f.Host)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", f.Host)
	}
	return err
}

// info gives all but the contents, as nfpm wants it.
func (p Package) info(f Format) *nfpm.Info {
	arch := p.Arch
	if arch == "" {
		arch = "amd64"
	}
	info := &nfpm.Info{
		Name: p.Name, Version: upstream(p.Version), VersionSchema: "none", Release: p.release(), Arch: arch, Platform: "linux",
		Maintainer: "ra2-deploy <packages@ra2-deploy.io>", Vendor: "ra2-deploy", Homepage: p.Homepage, License: p.License,
		Description: p.description(), MTime: Time(), DisableGlobbing: true,
	}
	info.Depends, info.Provides, info.Conflicts = slices.Clone(p.Depends), slices.Clone(p.Provides), slices.Clone(p.Conflicts)
	if f == RPM {
		info.RPM = nfpm.RPM{Summary: p.Summary, Group: "Unspecified", BuildHost: "ra2-deploy", Compression: "zstd"}
		return info
	}
	info.Section = "admin"
	info.Deb.Compression = "zstd"
	if p.Source != "" {
		info.Deb.Fields = map[string]string{"Ra2-Source": p.Source}
	}
	return info
}

func (p Package) release() string {
	if p.Release == "" {
		return "1"
	}
	return p.Release
}

// description gives the summary, the text and what p was made from.
func (p Package) description() string {
	lines := []string{p.Summary}
	if p.Description != "" {
		lines = append(lines, strings.TrimSpace(p.Description))
	}
	if p.Source != "" {
		lines = append(lines, "Made from "+p.Source)
	}
	return strings.Join(lines, "\n")
}

// upstream writes a version of a Go module as both families compare it: "~"
// sorts before everything, and "-" parts the release off.
func upstream(version string) string {
	return strings.ReplaceAll(strings.Replace(strings.TrimPrefix(version, "v"), "-", "~", 1), "-", ".")
}
