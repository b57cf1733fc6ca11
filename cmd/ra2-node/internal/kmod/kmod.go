// Package kmod loads kernel modules without kmod: by the aliases of the
// devices that the kernel has found, and by name.
package kmod

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// A Loader knows the modules of one kernel. It is safe for many goroutines.
type Loader struct {
	mu      sync.Mutex          // one module at a time
	dir     string              // /lib/modules/<release>
	deps    map[string][]string // module to the files that it needs, itself first (modules.dep)
	aliases map[string][]alias  // by bus, "pci"
	loaded  map[string]bool     // by file
	insert  func(path string) error
}

type alias struct{ pattern, module string }

// Open reads the module lists below root (usually "/") for a kernel release.
// A kernel without modules gives a loader that loads nothing, and no error:
// everything may be built in.
func Open(root, release string) (*Loader, error) {
	l := &Loader{deps: map[string][]string{}, aliases: map[string][]alias{}, loaded: map[string]bool{}, insert: insert}
	for _, base := range []string{"lib/modules", "usr/lib/modules"} {
		dir := filepath.Join(root, base, release)
		err := l.read(dir)
		if err == nil {
			l.dir = dir
			return l, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return l, fmt.Errorf("read the module lists: %w", err)
		}
	}
	return l, nil
}

// Empty reports whether there is nothing to load.
func (l *Loader) Empty() bool { return l.dir == "" }

func (l *Loader) read(dir string) error {
	err := lines(filepath.Join(dir, "modules.dep"), func(line string) {
		file, needs, ok := strings.Cut(line, ":")
		if ok {
			l.deps[nameOf(file)] = append([]string{file}, strings.Fields(needs)...)
		}
	})
	if err != nil {
		return err
	}
	return lines(filepath.Join(dir, "modules.alias"), func(line string) {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == "alias" {
			bus := busOf(words[1])
			l.aliases[bus] = append(l.aliases[bus], alias{words[1], words[2]})
		}
	})
}

// Load loads one module by name or alias, with all that it needs.
func (l *Loader) Load(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deps[canonical(name)] == nil {
		return l.match(name)
	}
	return l.load(canonical(name))
}

// match loads every module that has an alias for want.
func (l *Loader) match(want string) error {
	var errs []error
	for _, a := range l.aliases[busOf(want)] {
		if glob(a.pattern, want) {
			errs = append(errs, l.load(canonical(a.module)))
		}
	}
	return errors.Join(errs...)
}

func (l *Loader) load(name string) error {
	files := l.deps[name]
	for i := len(files) - 1; i >= 0; i-- { // modules.dep: the last needs nothing
		if l.loaded[files[i]] {
			continue
		}
		l.loaded[files[i]] = true // also when it fails: the second try fails as well
		err := l.insert(filepath.Join(l.dir, files[i]))
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load module %s: %w", nameOf(files[i]), err)
		}
	}
	return nil
}

// Devices loads the modules for all devices below sys ("/sys/devices").
// Loading a bus driver makes new devices appear: call it until it finds
// nothing new. seen holds the aliases that were tried already.
func (l *Loader) Devices(sys string, seen map[string]bool) (fresh int, err error) {
	if l.Empty() {
		return 0, nil
	}
	var errs []error
	_ = filepath.WalkDir(sys, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != "modalias" {
			return nil // devices come and go while we look
		}
		text, err := os.ReadFile(path)
		want := strings.TrimSpace(string(text))
		if err != nil || want == "" || seen[want] {
			return nil
		}
		seen[want] = true
		fresh++
		l.mu.Lock()
		err = l.match(want)
		l.mu.Unlock()
		if err != nil {
			errs = append(errs, err)
		}
		return nil
	})
	return fresh, errors.Join(errs...)
}

// insert gives one module file to the kernel (finit_module(2)), which unpacks
// it when it can; else we do.
func insert(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if !strings.HasSuffix(path, ".ko") {
		const compressed = 4 // MODULE_INIT_COMPRESSED_FILE, linux/module.h
		err := unix.FinitModule(int(f.Fd()), "", compressed)
		if err == nil || errors.Is(err, unix.EEXIST) {
			return err
		}
		plain, err := unpack(f, filepath.Ext(path))
		if err != nil {
			return err
		}
		return unix.InitModule(plain, "")
	}
	return unix.FinitModule(int(f.Fd()), "", 0)
}

func unpack(r io.Reader, ext string) ([]byte, error) {
	switch ext {
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return io.ReadAll(z)
	case ".gz":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	}
	return nil, fmt.Errorf("the kernel doesn't unpack %s modules and neither do we", ext)
}

// lines calls take for each line that isn't a comment.
func lines(path string, take func(string)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		if line := scan.Text(); line != "" && line[0] != '#' {
			take(line)
		}
	}
	return scan.Err()
}

// nameOf returns the module name of a file: "virtio_net" of ".../virtio-net.ko.xz".
func nameOf(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".ko")
	return canonical(name)
}

// canonical writes a module name as the kernel does.
func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }

// busOf returns what stands before the first colon of an alias.
func busOf(text string) string {
	bus, _, _ := strings.Cut(text, ":")
	return bus
}
