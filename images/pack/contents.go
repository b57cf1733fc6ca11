package pack

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/files"
)

// contents gives p's files as nfpm wants them, with the texts of those that
// lie in memory written below scratch. In Debian the licence is one of them
// (Debian Policy 12.5); rpm has it in its header.
func (p Package) contents(scratch string, f Format) (files.Contents, error) {
	all := p.Files
	if f == Deb {
		all = append(slices.Clone(all), p.copyright())
	}
	var out files.Contents
	for i, file := range all {
		c, err := file.content(filepath.Join(scratch, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// copyright is machine-readable (Debian's copyright format 1.0).
func (p Package) copyright() File {
	var b strings.Builder
	b.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n")
	fmt.Fprintf(&b, "Upstream-Name: %s\n", p.Name)
	if p.Source != "" {
		fmt.Fprintf(&b, "Source: %s\n", p.Source)
	}
	fmt.Fprintf(&b, "\nFiles: *\nCopyright: the authors of the source\nLicense: %s\n", p.License)
	return File{Path: "/usr/share/doc/" + p.Name + "/copyright", Data: []byte(b.String()), Mode: 0o644}
}

// content gives f as nfpm wants it; its text, if it has one, is written to the
// file named.
func (f File) content(scratch string) (*files.Content, error) {
	c := &files.Content{Destination: f.Path, FileInfo: &files.ContentFileInfo{Owner: orRoot(f.Owner), Group: orRoot(f.Group), Mode: f.Mode, MTime: Time()}}
	switch {
	case f.Dir:
		c.Type = files.TypeDir
		return c, nil
	case f.Link != "":
		c.Type, c.Source = files.TypeSymlink, f.Link
		return c, nil
	case strings.HasPrefix(f.Path, "/etc/"):
		c.Type = files.TypeConfigNoReplace
	}
	if f.Host == "" {
		c.Source = scratch
		return c, os.WriteFile(scratch, f.Data, 0o600)
	}
	// nfpm would pack a link on this host as a link.
	host, err := filepath.EvalSymlinks(f.Host)
	c.Source = host
	return c, err
}

func orRoot(name string) string {
	if name == "" {
		return "root"
	}
	return name
}

// write writes the scripts below dir and gives their names.
func (s Scripts) write(dir string) (nfpm.Scripts, error) {
	var out nfpm.Scripts
	for _, one := range []struct {
		name, text string
		file       *string
	}{
		{"preinstall", s.PreInstall, &out.PreInstall}, {"postinstall", s.PostInstall, &out.PostInstall},
		{"preremove", s.PreRemove, &out.PreRemove}, {"postremove", s.PostRemove, &out.PostRemove},
	} {
		if one.text == "" {
			continue
		}
		*one.file = filepath.Join(dir, one.name)
		if err := os.WriteFile(*one.file, []byte(one.text), 0o600); err != nil {
			return out, err
		}
	}
	return out, nil
}

// Tree gives all files, folders and links below dir as files of a package that
// puts them at the same place below "/", with their modes and owners. Devices
// and sockets are refused. Folders that every system has are left out.
func Tree(dir string) ([]File, error) {
	var all []File
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		file, err := treeFile(dir, name, d)
		if err == nil && !(file.Dir && slices.Contains(everywhere(), file.Path)) {
			all = append(all, file)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the files of a package: %w", err)
	}
	return all, nil
}

// everywhere are the folders that a distribution's own package owns.
func everywhere() []string {
	return []string{"/etc", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/share", "/usr/share/doc", "/var", "/var/lib", "/bin", "/sbin", "/lib", "/lib64"}
}

func treeFile(dir, name string, d fs.DirEntry) (File, error) {
	info, err := d.Info()
	if err != nil {
		return File{}, err
	}
	inside, err := filepath.Rel(dir, name)
	if err != nil {
		return File{}, err
	}
	f := File{Path: "/" + filepath.ToSlash(inside), Mode: info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		f.Owner, f.Group = ownerName(stat.Uid), groupName(stat.Gid)
	}
	switch info.Mode().Type() {
	case 0:
		f.Host = name
	case fs.ModeDir:
		f.Dir = true
	case fs.ModeSymlink:
		f.Link, err = os.Readlink(name)
	default:
		err = fmt.Errorf("%s is neither file, folder nor link", name)
	}
	return f, err
}

// ownerName gives a user's name. Packages know owners by name, and those of
// this host are all that there is to ask; a stranger's files become root's.
func ownerName(id uint32) string {
	u, err := user.LookupId(strconv.Itoa(int(id)))
	if err != nil {
		return "root"
	}
	return u.Username
}

func groupName(id uint32) string {
	g, err := user.LookupGroupId(strconv.Itoa(int(id)))
	if err != nil {
		return "root"
	}
	return g.Name
}
