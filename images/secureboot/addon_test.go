package secureboot

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAddon: all add-ons of one signer have one size and the same bytes whenever
// they are made, and what is signed is the line.
func TestAddon(t *testing.T) {
	s := newSigner(t, "site", keyOf())
	size := 0
	for _, line := range []string{"", "iommu=pt", strings.Repeat("x", maxLine-1)} {
		var made [2][]byte
		for i := range made {
			program, err := Addon(stub(), line)
			if err != nil || len(program) != AddonBytes {
				t.Fatalf("%d bytes, %v", len(program), err)
			}
			if made[i], err = s.Sign(program); err != nil {
				t.Fatal(err)
			}
		}
		if size == 0 {
			size = len(made[0])
		}
		if !bytes.Equal(made[0], made[1]) || len(made[0]) != size {
			t.Errorf("%.20q: %d bytes, the first add-on has %d", line, len(made[0]), size)
		}
		if got, err := Line(made[0]); err != nil || got != line {
			t.Errorf("its line is %q, %v", got, err)
		}
		if err := Verify(made[0], []*x509.Certificate{s.Certificate()}); err != nil {
			t.Error(err)
		}
	}
}

// TestAddonChanged: no byte of a signed add-on can be another one, but those that
// Authenticode leaves out: the checksum and the place of the signatures.
func TestAddonChanged(t *testing.T) {
	s := newSigner(t, "site", keyOf())
	program, err := Addon(stub(), "iommu=pt")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(program)
	if err != nil {
		t.Fatal(err)
	}
	p, err := parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	for at := range AddonBytes {
		if at >= p.opt+optCheckSum && at < p.opt+optCheckSum+4 || at >= p.opt+optSecurity && at < p.opt+optSecurity+8 {
			continue
		}
		changed := bytes.Clone(signed)
		changed[at] ^= 1
		if err := Verify(changed, []*x509.Certificate{s.Certificate()}); err == nil {
			t.Fatalf("byte %d was changed and the program is still taken", at)
		}
	}
	other := newSigner(t, "other", keyOf())
	var missing *NotSigned
	if err := Verify(signed, []*x509.Certificate{other.Certificate()}); !errors.As(err, &missing) {
		t.Errorf("signed by another: %v", err)
	}
}

func TestAddonRefuses(t *testing.T) {
	b, err := newBuilding(stub())
	if err == nil {
		err = b.add(".large", make([]byte, AddonBytes), dataSection)
	}
	if err != nil {
		t.Fatal(err)
	}
	large := b.finish()
	for want, try := range map[string]struct {
		stub []byte
		line string
	}{
		"line break":    {stub(), "a\nb"},
		"a kernel":      {stub(), strings.Repeat("x", maxLine)},
		"no PE program": {[]byte("#!/bin/sh"), "a"},
		"there already": {unified(t, stub()), "a"},
		"are for all":   {large, "a"},
	} {
		if _, err := Addon(try.stub, try.line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestAddonPeers: the GNU tools and sbverify read what we build.
func TestAddonPeers(t *testing.T) {
	need(t, "objcopy", "binutils")
	need(t, "sbverify", "sbsigntool")
	s := newSigner(t, "site", keyOf())
	program, err := Addon(addonStub(), "iommu=pt isolcpus=managed_irq,2-N")
	if err == nil {
		program, err = s.Sign(program)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in, line := put(t, filepath.Join(dir, "a.addon.efi"), program), filepath.Join(dir, "line")
	certificate, _ := files(t, s)
	if said, err := exec.Command("sbverify", "--cert", certificate, in).CombinedOutput(); err != nil {
		t.Errorf("sbverify: %v: %s", err, said)
	}
	if said, err := exec.Command("objcopy", "-O", "binary", "--only-section", ".cmdline", in, line).CombinedOutput(); err != nil {
		t.Fatalf("objcopy: %v: %s", err, said)
	}
	if got, err := os.ReadFile(line); err != nil || string(bytes.TrimRight(got, "\x00")) != "iommu=pt isolcpus=managed_irq,2-N" {
		t.Errorf("%q, %v", got, err)
	}
}

// addonStub is systemd's own, where this host has one (systemd 254).
func addonStub() []byte {
	if text, err := os.ReadFile("/usr/lib/systemd/boot/efi/addonx64.efi.stub"); err == nil {
		return text
	}
	return stub()
}

func TestStubName(t *testing.T) {
	if name, err := StubName(stub()); err != nil || name != "test" {
		t.Errorf("%q, %v", name, err)
	}
	if name, err := StubName(bytes.Replace(stub(), []byte("LoaderInfo"), []byte("loaderinfo"), 1)); err == nil {
		t.Errorf("a program of another kind is named %q", name)
	}
}

func FuzzAddon(f *testing.F) {
	f.Add(stub(), "iommu=pt")
	f.Fuzz(func(t *testing.T, stub []byte, line string) {
		out, err := Addon(stub, line)
		if err != nil {
			return
		}
		if got, err := Line(out); err != nil || got != line || len(out) != AddonBytes {
			t.Errorf("%d bytes with the line %q, %v, and should have %q", len(out), got, err, line)
		}
	})
}
