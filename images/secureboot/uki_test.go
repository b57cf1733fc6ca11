package secureboot

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnified(t *testing.T) {
	p, err := parse(unified(t, stub()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		".linux": "a kernel", ".initrd": "an initrd", ".cmdline": "ra2.mode=boot quiet", ".uname": "6.12.0", ".osrel": "ID=debian\n",
	} {
		if got, ok := p.content(name); !ok || string(got) != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if last := p.sections[len(p.sections)-1]; last.name != ".linux" {
		t.Errorf("the last section is %s: the kernel would unpack itself over it", last.name)
	}
	for i, s := range p.sections {
		if s.address%p.align != 0 || i > 0 && s.address < p.sections[i-1].address+p.sections[i-1].size {
			t.Errorf("section %s lies at %#x", s.name, s.address)
		}
	}
}

// TestObjcopy: the GNU tools read the same sections out of what we built on
// systemd's own stub, at the same addresses as they lie in memory.
func TestObjcopy(t *testing.T) {
	need(t, "objcopy", "binutils")
	dir := t.TempDir()
	kernel := bytes.Repeat([]byte("kernel "), 1000)
	program, err := Unified(realStub(t), Parts{Linux: kernel, Initrd: []byte("an initrd"), Line: "quiet", OS: "ID=debian\n"})
	if err != nil {
		t.Fatal(err)
	}
	in := put(t, filepath.Join(dir, "in.efi"), program)
	for name, want := range map[string]string{".linux": string(kernel), ".initrd": "an initrd", ".cmdline": "quiet", ".osrel": "ID=debian\n"} {
		out := filepath.Join(dir, name)
		if said, err := exec.Command("objcopy", "-O", "binary", "--only-section", name, in, out).CombinedOutput(); err != nil {
			t.Fatalf("objcopy: %v: %s", err, said)
		}
		got, err := os.ReadFile(out)
		if err != nil || !bytes.HasPrefix(got, []byte(want)) || len(bytes.Trim(got[len(want):], "\x00")) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestUnifiedRefuses(t *testing.T) {
	signed, err := newSigner(t, "ours", keyOf()).Sign(stub())
	if err != nil {
		t.Fatal(err)
	}
	full := stub()
	parts := Parts{Linux: []byte("k"), Initrd: []byte("i"), Line: "l", OS: "o", Release: "r"}
	for want, try := range map[string]func() ([]byte, error){
		"no PE program":  func() ([]byte, error) { return Unified([]byte("#!/bin/sh"), parts) },
		"signed already": func() ([]byte, error) { return Unified(signed, parts) },
		"there already":  func() ([]byte, error) { return Unified(unified(t, full), parts) },
		"no .sdmagic":    func() ([]byte, error) { return nil, nil },
		"line is empty":  func() ([]byte, error) { return Unified(full, Parts{Linux: []byte("k"), Initrd: []byte("i")}) },
		"line break": func() ([]byte, error) {
			return Unified(full, Parts{Linux: []byte("k"), Initrd: []byte("i"), Line: "a\nb"})
		},
		"initrd is empty": func() ([]byte, error) { return Unified(full, Parts{Linux: []byte("k"), Line: "l"}) },
	} {
		if want == "no .sdmagic" {
			other := bytes.Replace(stub(), []byte(".sdmagic"), []byte(".rodata\x00"), 1)
			try = func() ([]byte, error) { return Unified(other, parts) }
			want = "no section .sdmagic"
		}
		if _, err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func FuzzUnified(f *testing.F) {
	f.Add(stub(), "quiet")
	f.Fuzz(func(t *testing.T, stub []byte, line string) {
		out, err := Unified(stub, Parts{Linux: []byte("k"), Initrd: []byte("i"), Line: line})
		if err != nil {
			return
		}
		p, err := parse(out)
		if err != nil {
			t.Fatalf("what was built can't be read: %v", err)
		}
		if got, _ := p.content(sectionLine); string(got) != line {
			t.Errorf("the line is %q and should be %q", got, line)
		}
	})
}
