// Package deb makes file trees from Debian packages: whole systems with
// mmdebstrap, and the contents of single packages (kernel, boot loaders) that
// are unpacked and never installed. It is a family (images/family).
//
// Packages come from files that somebody vouches for (a bundle's digests), as a
// repository that is made for the moment. Archive says where they come from in
// the first place.
package deb

import (
	"fmt"
	"strings"
)

// epoch is the latest time stamp of a system: 2026-01-01T00:00:00Z.
const epoch = "1767225600"

// Programs gives the external programs that this package runs and the Debian
// packages that hold them.
func Programs() map[string]string {
	return map[string]string{"mmdebstrap": "mmdebstrap", "apt-get": "apt", "dpkg": "dpkg", "dpkg-deb": "dpkg", "chroot": "coreutils"}
}

// Archive says where a distribution's packages come from.
type Archive struct {
	Suite      string   `yaml:"suite"`      // "trixie"; with "-updates" and "-security" there are two more
	Mirror     string   `yaml:"mirror"`     // "http://deb.debian.org/debian"
	Security   string   `yaml:"security"`   // of the suite with "-security", "http://deb.debian.org/debian-security"
	Components []string `yaml:"components"` // "main"; Ubuntu has half of what we need in "universe"
	Keyring    string   `yaml:"keyring"`    // file on this host with the keys that sign it
	KeyringIn  string   `yaml:"keyringIn"`  // Debian package that has the keyring
}

// At gives the archive at another mirror, which has the security suite at
// the same place below it: a mirror of Debian's at <mirror>-security, one of
// Ubuntu's at <mirror>. Where the archive's name is inside of the address, as
// snapshot.debian.org has it (…/archive/debian/20261101T000000Z), it is that which
// becomes the other's.
func (a Archive) At(mirror string) Archive {
	_, last, _ := cutLast(strings.TrimSuffix(a.Mirror, "/"))
	_, security, _ := cutLast(strings.TrimSuffix(a.Security, "/"))
	a.Mirror = strings.TrimSuffix(mirror, "/")
	a.Security = a.Mirror + strings.TrimPrefix(security, last)
	if i := strings.LastIndex(a.Mirror, "/"+last+"/"); i >= 0 {
		a.Security = a.Mirror[:i+1] + security + a.Mirror[i+1+len(last):]
	}
	return a
}

// cutLast parts the last element of a path off.
func cutLast(path string) (before, last string, found bool) {
	i := strings.LastIndex(path, "/")
	return path[:max(i, 0)], path[i+1:], i >= 0
}

// Sources gives the lines of apt's sources.list, with the keyring that must
// have signed each.
func (a Archive) Sources() []string {
	line := func(url, suite string) string {
		return fmt.Sprintf("deb [signed-by=%s] %s %s %s", a.Keyring, url, suite, strings.Join(a.Components, " "))
	}
	return []string{line(a.Mirror, a.Suite), line(a.Mirror, a.Suite+"-updates"), line(a.Security, a.Suite+"-security")}
}
