package provisioner

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot/stubtest"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// signedWords is a site with two classes, of which one adds words, and an image
// that has room for them.
func signedWords(t *testing.T) (c inventory.Cluster, dir string, files imageFiles) {
	t.Helper()
	c, dir = signedSite(t)
	c.Classes = map[string]inventory.Class{
		"hp":   {Profile: inventory.HighPerformance, Reserved: "0-1", HugePages: map[string]int{"1Gi": 4}},
		"none": {}, "unused": {HugePages: map[string]int{"2Mi": 7}},
	}
	c.Nodes[0].Class = "hp"
	other := c.Nodes[0]
	other.Name, other.Class = "b", "none"
	c.Nodes = append(c.Nodes, other)
	keys, err := readKeys(c, dir)
	if err != nil {
		t.Fatal(err)
	}
	stub := stubtest.Stub("systemd-addon 257")
	empty, err := secureboot.Addon(stub, "")
	if err == nil {
		empty, err = keys.signer.Sign(empty)
	}
	if err != nil {
		t.Fatal(err)
	}
	const hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	m := images.Manifest{
		Dir: t.TempDir(), Digest: hex, RawBytes: 1, KernelDigest: hex, InitrdDigest: hex, SignedBy: keys.fingerprint(), Stub: "systemd-stub 257",
		Room: &images.Room{Offset: 4096, Bytes: int64(len(empty)), Digest: strings.TrimPrefix(digest(empty), "sha256:")},
	}
	if err := os.WriteFile(filepath.Join(m.Dir, images.FileAddonStub), stub, 0o644); err != nil {
		t.Fatal(err)
	}
	return c, dir, imageFiles{cache: t.TempDir(), manifest: m, keys: keys}
}

// TestSignedWords: a host of a class with words is ordered to lay the add-on that
// is served to it and that is signed by the site; one of a class without is not.
func TestSignedWords(t *testing.T) {
	c, _, files := signedWords(t)
	files, err := files.signed(c)
	if err != nil || len(files.addons) != 1 {
		t.Fatalf("%d add-ons, %v", len(files.addons), err)
	}
	r := &Run{want: c, servers: &servers{}}
	words := c.Classes["hp"].KernelLine()
	order, err := r.workflow(files)("a", step.Install{Disk: "serial:S1", KernelLine: words})
	if err != nil {
		t.Fatal(err)
	}
	action := order.Actions[1]
	if action.Image != agent.ActionAddon || order.Config.Addon != action.Environment[agent.EnvAddonDigest] || action.Environment[agent.EnvAddonOffset] != "4096" {
		t.Errorf("%+v, %+v", action, order.Config)
	}
	file, err := files.find(strings.TrimPrefix(order.Config.Addon, "sha256:"), agent.FileAddon)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := secureboot.Line(program); err != nil || line != words || digest(program) != order.Config.Addon {
		t.Errorf("its line is %q, %v", line, err)
	}
	if err := secureboot.Verify(program, []*x509.Certificate{files.keys.certificate}); err != nil {
		t.Error(err)
	}
	if _, err := files.find(strings.Repeat("ab", 32), agent.FileAddon); err == nil {
		t.Error("an add-on of nobody is served")
	}
	order, err = r.workflow(files)("b", step.Install{Disk: "serial:S1"})
	if err != nil || len(order.Actions) != 3 || order.Config.Addon != "" {
		t.Errorf("a class without words: %+v, %v", order, err)
	}
}

// TestSignedWordsWithoutKey: they are made with the key and served without it;
// other words need the key again, and that is said before anything is touched.
func TestSignedWordsWithoutKey(t *testing.T) {
	c, dir, files := signedWords(t)
	if _, err := files.signed(c); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "boot.key")); err != nil {
		t.Fatal(err)
	}
	var err error
	if files.keys, err = readKeys(c, dir); err != nil || files.keys.signer != nil {
		t.Fatalf("a key that is elsewhere: %v", err)
	}
	if again, err := files.signed(c); err != nil || len(again.addons) != 1 {
		t.Errorf("without the key: %v", err)
	}
	c.Classes["hp"] = inventory.Class{HugePages: map[string]int{"1Gi": 5}}
	if _, err := files.signed(c); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "file boot.key") {
		t.Errorf("other words, without the key: %v", err)
	}
}

// TestUnsignedWords: where the stub reads no add-ons, or nothing is signed, hosts
// are ordered as before, and the first is told with its reason.
func TestUnsignedWords(t *testing.T) {
	c, _, files := signedWords(t)
	if said := files.unsigned(c); len(said) != 0 {
		t.Errorf("an image with room: %q", said)
	}
	room := files.manifest.Room
	files.manifest.Room, files.manifest.Stub = nil, "systemd-stub 252.39"
	files, err := files.signed(c)
	if err != nil || len(files.addons) != 0 || files.place(c.Classes["hp"].KernelLine()) != nil {
		t.Errorf("%+v, %v", files.addons, err)
	}
	if said := files.unsigned(c); len(said) != 1 || !strings.Contains(said[0], `["hp"]`) || !strings.Contains(said[0], "its systemd-stub 252.39 reads no signed add-ons") {
		t.Errorf("%q", said)
	}
	files.manifest.Stub = ""
	if said := files.unsigned(c); len(said) != 1 || !strings.Contains(said[0], "ra2-deploy image build") {
		t.Errorf("%q", said)
	}
	files.manifest.Room, files.manifest.SignedBy, files.keys = room, "", bootKeys{}
	files, err = files.signed(c)
	if said := files.unsigned(c); err != nil || len(files.addons)+len(said) != 0 {
		t.Errorf("an image that isn't signed: %+v, %q, %v", files.addons, said, err)
	}
}
