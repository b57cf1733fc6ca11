package oci

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// libraryDirs are where Debian keeps shared libraries on amd64; its dynamic
// linker searches them without a cache file.
func libraryDirs() []string {
	return []string{"/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib", "/lib"}
}

// Closure gives what a dynamically linked program of the system at root needs
// to run alone: the program itself, its dynamic linker and all shared
// libraries, path in the system to file on the host.
func Closure(root, program string) (map[string]string, error) {
	file, err := resolve(root, program)
	if err != nil {
		return nil, fmt.Errorf("find the libraries of %s: %w", program, err)
	}
	found := map[string]string{program: file}
	open := []string{program}
	for len(open) > 0 {
		needs, err := needed(found[open[0]])
		if err != nil {
			return nil, fmt.Errorf("find the libraries of %s: %s: %w", program, open[0], err)
		}
		open = open[1:]
		for _, need := range needs {
			inside, err := locate(root, need)
			if err != nil {
				return nil, fmt.Errorf("find the libraries of %s: %w", program, err)
			}
			if _, known := found[inside]; !known {
				found[inside] = filepath.Join(root, inside)
				open = append(open, inside)
			}
		}
	}
	return found, nil
}

// maxLinks is how many symbolic links may follow one another, as in Linux.
const maxLinks = 40

// resolve follows symbolic links of the last path element inside the system at
// root: Debian's alternatives are absolute ones.
func resolve(root, path string) (string, error) {
	for range maxLinks {
		file := filepath.Join(root, path)
		to, err := os.Readlink(file)
		if err != nil {
			_, err = os.Stat(file) // no link: this is it, if it is there
			return file, err
		}
		if filepath.IsAbs(to) {
			path = to
		} else {
			path = filepath.Join(filepath.Dir(path), to)
		}
	}
	return "", fmt.Errorf("%s: more than %d symbolic links", path, maxLinks)
}

// needed gives the names of libraries (DT_NEEDED) and the dynamic linker's path
// (PT_INTERP) of one ELF file.
func needed(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		path := make([]byte, p.Filesz)
		if _, err := p.ReadAt(path, 0); err != nil {
			return nil, err
		}
		names = append(names, strings.TrimRight(string(path), "\x00"))
	}
	return names, nil
}

func locate(root, name string) (string, error) {
	if filepath.IsAbs(name) {
		_, err := os.Stat(filepath.Join(root, name))
		return name, err
	}
	for _, dir := range libraryDirs() {
		inside := filepath.Join(dir, name)
		_, err := os.Stat(filepath.Join(root, inside))
		if err == nil {
			return inside, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("library %s is not in %s", name, root)
}
