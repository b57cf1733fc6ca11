package bundle

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Kind says what an item is.
type Kind string

// The kinds.
const (
	Deb   Kind = "deb"   // a Debian binary package
	RPM   Kind = "rpm"   // an rpm package
	Image Kind = "image" // a container image of one platform
	File  Kind = "file"  // any other file: a boot loader, a program, an operating system's image
)

// Digest is "sha256:" and 64 hexadecimal digits in lower case.
type Digest string

// Hex returns the digits.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), prefix) }

const prefix = "sha256:"

// check says what is wrong with d.
func (d Digest) check() error {
	sum, err := hex.DecodeString(d.Hex())
	if err != nil || len(sum) != 32 || string(d) != prefix+hex.EncodeToString(sum) {
		return fmt.Errorf("digest %q is not sha256: and 64 digits", string(d))
	}
	return nil
}

// digestOf writes a sum as a digest.
func digestOf(sum []byte) Digest { return Digest(prefix + hex.EncodeToString(sum)) }

// Item is one thing in a bundle.
type Item struct {
	Kind    Kind   `json:"kind"`
	Name    string `json:"name"`              // of a package; reference with tag of an image (registry.k8s.io/pause:3.10.2); path of a file (loader/snponly.efi)
	Version string `json:"version,omitempty"` // as the package manager writes it; tag of an image
	Arch    string `json:"arch,omitempty"`    // as the package manager writes it: amd64, all, x86_64, noarch
	Source  string `json:"source"`            // where it came from: apt:<archive> <suite> <path>, rpm:<url> <path>, go:<module>@<version> <sum>, oci:<image>@<digest>, file:<name>
	Digest  Digest `json:"digest"`            // of its content; of an image's manifest
	Size    int64  `json:"size"`              // bytes of that content
}

// String names the item for people: "deb adduser 3.152".
func (i Item) String() string {
	if i.Version == "" || i.Kind == Image {
		return string(i.Kind) + " " + i.Name
	}
	return string(i.Kind) + " " + i.Name + " " + i.Version
}

// compare orders items: bundles and locks list them so. Two that are equal here
// are the same item.
func compare(a, b Item) int {
	return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name),
		strings.Compare(a.Version, b.Version), strings.Compare(a.Arch, b.Arch), strings.Compare(a.Source, b.Source))
}

var (
	// Debian Policy 5.6.1; rpm adds capitals and "_" (rpm.spec(5), NAME).
	packageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*$`)
	// Debian Policy 5.6.12; rpm adds "^" and "_", and an epoch is in both.
	versionText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+:~^_-]*$`)
	archText    = regexp.MustCompile(`^[a-z0-9_-]+$`)
	sourceText  = regexp.MustCompile(`^(apt|rpm|go|oci|file):[!-~]+( [!-~]+)*$`)
)

// Check says all that is wrong with the item.
func (i Item) Check() error {
	wrong := []error{i.Digest.check()}
	if i.Size < 0 {
		wrong = append(wrong, fmt.Errorf("size %d is negative", i.Size))
	}
	if err := errors.Join(append(wrong, i.checkIdentity())...); err != nil {
		return fmt.Errorf("item %q: %w", i.String(), err)
	}
	return nil
}

// checkIdentity looks at what an item has before its content is known.
func (i Item) checkIdentity() error {
	var wrong []error
	if !sourceText.MatchString(i.Source) {
		wrong = append(wrong, fmt.Errorf("source %q is not apt:, rpm:, go:, oci: or file: and what it needs", i.Source))
	}
	if (i.Arch != "" || i.Kind != File) && !archText.MatchString(i.Arch) {
		wrong = append(wrong, fmt.Errorf("architecture %q is none", i.Arch))
	}
	if (i.Version != "" || i.Kind != File) && !versionText.MatchString(i.Version) {
		wrong = append(wrong, fmt.Errorf("version %q is none", i.Version))
	}
	switch i.Kind {
	case Deb, RPM:
		if !packageName.MatchString(i.Name) {
			wrong = append(wrong, fmt.Errorf("%q is no name of a package", i.Name))
		}
	case Image:
		if tag, err := name.NewTag(i.Name, name.StrictValidation); err != nil {
			wrong = append(wrong, err)
		} else if tag.Name() != i.Name || tag.TagStr() != i.Version {
			wrong = append(wrong, fmt.Errorf("its whole name is %s, its version %s", tag.Name(), tag.TagStr()))
		}
	case File:
		if !fs.ValidPath(i.Name) || i.Name == "." || strings.ContainsFunc(i.Name, unprintable) {
			wrong = append(wrong, fmt.Errorf("%q is no path below a folder", i.Name))
		}
	default:
		wrong = append(wrong, fmt.Errorf("kind %q is not deb, rpm, image or file", i.Kind))
	}
	return errors.Join(wrong...)
}

// unprintable finds what would break a line of a lock in two.
func unprintable(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }

// checkAll looks at the items of a bundle or a lock, which must be sorted.
func checkAll(items []Item) error {
	var wrong []error
	for n, i := range items {
		wrong = append(wrong, i.Check())
		if n > 0 && compare(items[n-1], i) == 0 {
			wrong = append(wrong, fmt.Errorf("item %q is there twice", i.String()))
		}
	}
	if !slices.IsSortedFunc(items, compare) {
		wrong = append(wrong, errors.New("the items are not in order (kind, name, version, arch, source)"))
	}
	return errors.Join(wrong...)
}
