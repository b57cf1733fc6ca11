package images

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/disk"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot/stubtest"
)

// withRoom is a folder with what is signed of an image that has room for an add-on,
// and its system partition.
func withRoom(t *testing.T, s secureboot.Signer) (m Manifest, esp string) {
	t.Helper()
	dir := t.TempDir()
	m = Manifest{Dir: dir, Digest: "ab", SignedBy: secureboot.Fingerprint(s.Certificate())}
	stub := filepath.Join(dir, addonStubPath)
	if err := errors.Join(os.MkdirAll(filepath.Dir(stub), 0o755), os.WriteFile(stub, stubtest.Stub("systemd-addon 257"), 0o644)); err != nil {
		t.Fatal(err)
	}
	kernel := filepath.Join(dir, "k")
	if err := os.WriteFile(kernel, []byte("kernel"), 0o644); err != nil {
		t.Fatal(err)
	}
	b, files := &builder{spec: Spec{SignedBy: m.SignedBy, Signer: &s}}, map[string]string{"/EFI/BOOT/BOOTX64.EFI": kernel, "/ra2/kernel": kernel}
	if err := b.room(pieces{loaders: dir}, dir, dir, &m, files); err != nil {
		t.Fatal(err)
	}
	esp = filepath.Join(dir, "esp")
	for program := range disk.Programs() {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs the program %s", program)
		}
	}
	if err := errors.Join(disk.ESP(t.Context(), esp, "seed", files), findRoom(esp, files, &m)); err != nil {
		t.Fatal(err)
	}
	return m, esp
}

// TestRoom: what is written into the room is the file that the stub reads, by the
// word of another implementation of the file system.
func TestRoom(t *testing.T) {
	s := testSigner(t)
	m, esp := withRoom(t, s)
	if err := writeRoom(t, esp, m, &s, "iommu=pt hugepagesz=2M hugepages=32"); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("mtype", "-i", esp, "::/LOADER/addons/RA2.addon.efi").Output()
	if err != nil {
		t.Fatalf("mtype: %v", err)
	}
	if line, err := secureboot.Line(out); err != nil || line != "iommu=pt hugepagesz=2M hugepages=32" {
		t.Errorf("%q, %v", line, err)
	}
	if err := secureboot.Verify(out, []*x509.Certificate{s.Certificate()}); err != nil {
		t.Error(err)
	}
	if _, err := exec.LookPath("fsck.vfat"); err == nil {
		if said, err := exec.Command("fsck.vfat", "-n", esp).CombinedOutput(); err != nil {
			t.Errorf("fsck.vfat: %v: %s", err, said)
		}
	}
}

func writeRoom(t *testing.T, esp string, m Manifest, s *secureboot.Signer, words string) error {
	t.Helper()
	file, err := Addon(t.TempDir(), m, s, words)
	if err != nil {
		return err
	}
	program, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(esp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	was := make([]byte, m.Room.Bytes)
	if _, err := f.ReadAt(was, m.Room.Offset); err != nil {
		return err
	}
	if line, err := secureboot.Line(was); err != nil || line != "" {
		t.Errorf("in the image the line is %q, %v", line, err)
	}
	_, err = f.WriteAt(program, m.Room.Offset)
	return err
}

// TestAddon: made once with the key, found without it; another key, words that are
// no class's and an image without room are refused.
func TestAddon(t *testing.T) {
	s := testSigner(t)
	m, _ := withRoom(t, s)
	dir := t.TempDir()
	if _, err := Addon(dir, m, nil, "iommu=pt"); !errors.Is(err, ErrNoKey) {
		t.Errorf("without the key: %v", err)
	}
	file, err := Addon(dir, m, &s, "iommu=pt")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Addon(dir, m, nil, "iommu=pt"); err != nil || again != file {
		t.Errorf("found again: %q, %v", again, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	same, err := Addon(t.TempDir(), m, &s, "iommu=pt")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(same); err != nil || !bytes.Equal(got, text) {
		t.Errorf("made again it is another (%v)", err)
	}
	for _, evil := range []string{"init=/bin/sh", "iommu=pt lockdown=none", "ra2.verity=00", "module.sig_enforce=0"} {
		if _, err := Addon(dir, m, &s, evil); err == nil || !strings.Contains(err.Error(), "none that a class adds") {
			t.Errorf("%s: %v", evil, err)
		}
	}
	m.Room = nil
	if _, err := Addon(dir, m, &s, "iommu=pt"); !errors.Is(err, ErrNoRoom) {
		t.Errorf("without room: %v", err)
	}
}
