package provisioner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/templates"
)

// addon is the signed add-on with the words of a class.
type addon struct {
	file   string
	digest string // "sha256:<hex>"
}

// signed returns the files with the signed add-ons of all classes that have a
// node and add words to its kernel line. They are made where that has changed,
// which takes the private key. Where nothing is signed, or where the image's stub
// would read none, there are none.
func (f imageFiles) signed(c inventory.Cluster) (imageFiles, error) {
	f.addons = map[string]addon{}
	if f.keys.certificate == nil || f.manifest.Room == nil {
		return f, nil
	}
	for _, words := range slices.Sorted(maps.Keys(classesByWords(c))) {
		file, err := images.Addon(f.cache, f.manifest, f.keys.signer, words)
		if errors.Is(err, images.ErrNoKey) {
			return f, noKey(c, err)
		}
		if err != nil {
			return f, err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return f, err
		}
		sum := sha256.Sum256(text)
		f.addons[words] = addon{file, "sha256:" + hex.EncodeToString(sum[:])}
	}
	return f, nil
}

// classesByWords returns which classes with nodes add which words to the kernel
// line, their names sorted.
func classesByWords(c inventory.Cluster) map[string][]string {
	all := map[string][]string{}
	for _, n := range c.Nodes {
		words := c.Classes[n.Class].KernelLine()
		if words != "" && !slices.Contains(all[words], n.Class) {
			all[words] = append(all[words], n.Class)
		}
	}
	for _, classes := range all {
		slices.Sort(classes)
	}
	return all
}

// unsigned says which words of which classes come by no signature although the
// image is signed, and why; empty where there are none.
func (f imageFiles) unsigned(c inventory.Cluster) (said []string) {
	if f.manifest.SignedBy == "" || f.manifest.Room != nil {
		return nil
	}
	why := "its " + f.manifest.Stub + " reads no signed add-ons, systemd 254 and later do"
	if f.manifest.Stub == "" {
		why = "it was made before there were signed add-ons; next: ra2-deploy image build"
	}
	byWords := classesByWords(c)
	for _, words := range slices.Sorted(maps.Keys(byWords)) {
		said = append(said, fmt.Sprintf("what the classes %q add to the kernel line is not signed, and under Secure Boot only huge pages of it are in force (%s): of the image %s, %s",
			byWords[words], words, f.manifest.Distribution, why))
	}
	return said
}

// place returns the add-on of a class's words and where it belongs on the disk; nil
// where there is none.
func (f imageFiles) place(words string) *templates.Addon {
	a, ok := f.addons[words]
	if !ok {
		return nil
	}
	room := f.manifest.Room
	return &templates.Addon{URL: agent.AddonPath(a.digest), Digest: a.digest, Old: named(room.Digest), Offset: room.Offset}
}
