package rpmrepo

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// shape makes the tree at root, of unpacked Debian packages, that of an rpm
// package.
func (p pack) shape(root string, drop []string) error {
	steps := []func() error{
		func() error { return p.move(root) },
		func() error { return p.lay(root) },
		func() error { return p.prune(root, drop) },
		func() error { return p.bundle(root) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// named puts the kernel's release in; @UNAME@ is that in a form that a version
// may have, which allows one "-".
func (p pack) named(s string) string {
	return strings.NewReplacer("@RELEASE@", p.release, "@UNAME@", strings.ReplaceAll(p.release, "-", "_")).Replace(s)
}

// move brings files to the places of their kind on Fedora. Licences come first.
func (p pack) move(root string) error {
	moves := map[string]string{}
	for _, from := range p.From {
		moves["/usr/share/doc/"+from+"/copyright"] = "/usr/share/licenses/" + p.Name + "/" + from
	}
	for from, to := range p.Move {
		moves[p.named(from)] = p.named(to)
	}
	for _, from := range slices.Sorted(maps.Keys(moves)) {
		file, err := filepath.EvalSymlinks(filepath.Join(root, from))
		if err != nil {
			if _, licence := p.Move[from]; !licence && strings.HasPrefix(from, "/usr/share/doc/") {
				continue // a link to the licence of another package
			}
			return err
		}
		to := filepath.Join(root, moves[from])
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.Rename(file, to); err != nil {
			return err
		}
	}
	return nil
}

// lay adds copies, links and files.
func (p pack) lay(root string) error {
	for _, from := range slices.Sorted(maps.Keys(p.Copy)) {
		text, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return err
		}
		if err := put(filepath.Join(root, p.Copy[from]), text); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Write)) {
		if err := put(filepath.Join(root, name), []byte(p.Write[name])); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Link)) {
		file := filepath.Join(root, name)
		if err := os.RemoveAll(file); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(p.Link[name], file); err != nil {
			return err
		}
	}
	return nil
}

// put writes a file of root's; secrets of shadow(5) only for root.
func put(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if base := filepath.Base(file); base == "shadow" || base == "gshadow" {
		mode = 0o600
	}
	return os.WriteFile(file, text, mode)
}

// prune removes what isn't packaged, programs in languages that aren't there,
// and folders that are empty then.
func (p pack) prune(root string, drop []string) error {
	only, never := patterns(p.Only), patterns(append(slices.Clone(drop), p.Drop...))
	kept := map[string]bool{}
	for _, made := range []map[string]string{p.Move, p.Write, p.Link} {
		for from, to := range made {
			kept[p.named(from)], kept[p.named(to)] = true, true
		}
	}
	for _, to := range p.Copy {
		kept[to] = true
	}
	var emptied []string
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(file, root)
		if err != nil || name == "" || kept[name] || strings.HasPrefix(name, "/usr/share/licenses/") {
			return err
		}
		if d.IsDir() {
			if matches(never, name) || len(only) > 0 || matches(never, name+"/x") {
				emptied = append(emptied, file)
			}
			return nil
		}
		script, err := interpreted(file, d)
		if err != nil {
			return err
		}
		if script || matches(never, name) || len(only) > 0 && !matches(only, name) {
			return os.Remove(file)
		}
		return nil
	})
	for _, dir := range slices.Backward(emptied) {
		os.Remove(dir) // stays when it holds something
	}
	return err
}

// interpreted reports whether a file is a program for Perl or Python.
func interpreted(file string, d fs.DirEntry) (bool, error) {
	if !d.Type().IsRegular() {
		return false, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := f.Read(head)
	if err != nil && err != io.EOF {
		return false, err
	}
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	return bytes.HasPrefix(line, []byte("#!")) && (bytes.Contains(line, []byte("perl")) || bytes.Contains(line, []byte("python"))), nil
}

// bundle joins the authorities' certificates as Fedora's package brings them.
func (p pack) bundle(root string) error {
	if p.Name != "ca-certificates" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(root, "usr/share/ca-certificates/mozilla/*.crt"))
	if err != nil {
		return err
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		all = append(all, text...)
	}
	return put(filepath.Join(root, "etc/pki/tls/certs/ca-bundle.crt"), all)
}

// patterns compiles shell patterns in which "**" crosses folders.
func patterns(globs []string) []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, g := range globs {
		text := regexp.QuoteMeta(g)
		text = strings.ReplaceAll(text, `\*\*`, `.+`)
		text = strings.ReplaceAll(text, `\*`, `[^/]*`)
		all = append(all, regexp.MustCompile("^"+text+"$"))
	}
	return all
}

func matches(all []*regexp.Regexp, name string) bool {
	return slices.ContainsFunc(all, func(r *regexp.Regexp) bool { return r.MatchString(path.Clean(name)) })
}
