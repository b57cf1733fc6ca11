package images

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What a manifest says of a unit.
const (
	UnitEnabled = "enabled" // something starts it
	UnitMasked  = "masked"  // nothing can
)

// unitsOf gives the units of a root that something starts, or that nothing can
// start, by the links in its /etc/systemd/system (systemctl(1), is-enabled).
func unitsOf(root string) (map[string]string, error) {
	units := map[string]string{}
	dir := filepath.Join(root, "etc/systemd/system")
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Type() != fs.ModeSymlink {
			return err
		}
		to, err := os.Readlink(name)
		if err != nil {
			return err
		}
		switch folder := filepath.Dir(name); {
		case folder == dir && to == "/dev/null":
			units[d.Name()] = UnitMasked
		case strings.HasSuffix(folder, ".wants"), strings.HasSuffix(folder, ".requires"):
			if units[d.Name()] != UnitMasked {
				units[d.Name()] = UnitEnabled
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	return units, nil
}

// sysctlsOf gives the kernel settings of a root as systemd-sysctl writes them
// at its start (sysctl.d(5)): files of all folders in the order of their names,
// one in /etc in the place of its namesake in /usr/lib.
func sysctlsOf(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, dir := range []string{"usr/lib/sysctl.d", "etc/sysctl.d"} {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list kernel settings: %w", err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".conf") {
				files[e.Name()] = filepath.Join(root, dir, e.Name())
			}
		}
	}
	settings := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := os.ReadFile(files[name])
		if errors.Is(err, fs.ErrNotExist) {
			continue // a link to nothing, or to the host's
		}
		if err != nil {
			return nil, fmt.Errorf("list kernel settings: %w", err)
		}
		readSysctls(string(text), settings)
	}
	return settings, nil
}

// readSysctls reads the lines of one file. "-" before a key lets it fail; a
// line of "-" and a key alone takes it out of the patterns, and sets nothing.
func readSysctls(text string, into map[string]string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(strings.TrimPrefix(line, "-"), "=")
		if line == "" || line[0] == '#' || line[0] == ';' || !ok {
			continue
		}
		into[strings.ReplaceAll(strings.TrimSpace(key), "/", ".")] = strings.Join(strings.Fields(value), " ")
	}
}
