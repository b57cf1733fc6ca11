package deb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/family"
)

// Entry is one package of a repository.
type Entry struct {
	Control Control
	Name    string // file name in the repository, "pool/bash_5.2_amd64.deb"
	Size    int64
	SHA256  string // hex
}

// Index gives the text of the Packages file that lists these packages, in this
// order (Debian repository format, "Packages" indices).
func Index(entries []Entry) []byte {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%sFilename: %s\nSize: %d\nSHA256: %s\n\n", e.Control.Text, e.Name, e.Size, e.SHA256)
	}
	return []byte(b.String())
}

// Release gives the text of the Release file of a flat repository with this
// Packages file.
func Release(suite string, index []byte) []byte {
	sum := sha256.Sum256(index)
	return fmt.Appendf(nil, "Origin: ra2-deploy\nSuite: %s\nCodename: %s\nArchitectures: amd64 all\nSHA256:\n %s %d Packages\n",
		suite, suite, hex.EncodeToString(sum[:]), len(index))
}

// FileName gives the name that a package has in a repository.
// The ":" of an epoch is left out, as in Debian's archive.
func FileName(p family.Package) string {
	version := p.Version
	if _, after, epoch := strings.Cut(version, ":"); epoch {
		version = after
	}
	return fmt.Sprintf("%s_%s_%s.deb", p.Name, version, p.Arch)
}

// repository makes a flat repository of packages at dir, where they lie as links.
func repository(dir, suite string, packages []family.Package) error {
	if err := os.MkdirAll(filepath.Join(dir, "pool"), 0o755); err != nil {
		return err
	}
	var entries []Entry
	for _, p := range packages {
		control, err := ReadControl(p.File)
		if err != nil {
			return fmt.Errorf("package %s: %w", p, err)
		}
		e := Entry{control, "pool/" + FileName(p), p.Size, p.Digest}
		if err := os.Symlink(p.File, filepath.Join(dir, e.Name)); err != nil {
			return fmt.Errorf("package %s: %w", p, err)
		}
		entries = append(entries, e)
	}
	index := Index(entries)
	if err := os.WriteFile(filepath.Join(dir, "Packages"), index, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "Release"), Release(suite, index), 0o644)
}
