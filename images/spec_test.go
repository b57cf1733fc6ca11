package images

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle/source"
)

// node makes a file that stands for ra2-node.
func node(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ra2-node")
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func inputs(t *testing.T, s Spec) string {
	t.Helper()
	b, err := newBuilder(s, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.inputs
}

func TestInputsKnowWhatMatters(t *testing.T) {
	base := Spec{Node: node(t, "one")}
	k := inputs(t, base)
	if other := inputs(t, Spec{Node: node(t, "one"), Distribution: "debian-13", Kernel: "cloud"}); other != k {
		t.Error("another path or a written default changes the key")
	}
	for what, s := range map[string]Spec{
		"ra2-node":   {Node: node(t, "two")},
		"kernel":     {Node: base.Node, Kernel: "generic"},
		"mirror":     {Node: base.Node, Mirror: "http://mirror.example/debian"},
		"kubernetes": {Node: base.Node, Kubernetes: true},
	} {
		if inputs(t, s) == k {
			t.Errorf("another %s gives the same key", what)
		}
	}
}

// A program that a dynamic loader has to start is no /init of an initramfs.
func TestDynamicNode(t *testing.T) {
	for kind, wrong := range map[elf.ProgType]bool{elf.PT_INTERP: true, elf.PT_LOAD: false} {
		var program bytes.Buffer
		head := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1}
		copy(head.Ident[:], "\x7fELF\x02\x01\x01")
		if err := binary.Write(&program, binary.LittleEndian, struct {
			elf.Header64
			elf.Prog64
		}{head, elf.Prog64{Type: uint32(kind)}}); err != nil {
			t.Fatal(err)
		}
		_, err := newBuilder(Spec{Node: node(t, program.String())}, t.TempDir(), nil)
		if (err != nil) != wrong || err != nil && !strings.Contains(err.Error(), "linked dynamically") {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

func TestAllThatIsWrongAtOnce(t *testing.T) {
	_, err := Build(t.Context(), Spec{Distribution: "minix", Node: "/nowhere/ra2-node"}, t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), `"minix" is not known: use debian-12 or debian-13`) || !strings.Contains(err.Error(), "/nowhere/ra2-node") {
		t.Errorf("got %v", err)
	}
	_, err = Build(t.Context(), Spec{Kernel: "tiny"}, t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "use cloud or generic") || !strings.Contains(err.Error(), "go build ./cmd/ra2-node") {
		t.Errorf("got %v", err)
	}
}

func TestNeedsNamesPackages(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	got := Needs(Spec{Kubernetes: true})
	for _, want := range []string{"apt", "coreutils", "dosfstools", "dpkg", "e2fsprogs", "erofs-utils", "golang-go", "mmdebstrap", "mtools", "syslinux"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not in %v", want, got)
		}
	}
	if slices.Contains(Needs(Spec{}), "golang-go") {
		t.Error("an image without Kubernetes needs no compiler")
	}
}

func TestFinishedIsFoundWithoutPrograms(t *testing.T) {
	s := Spec{Node: node(t, "one"), Kubernetes: true}
	dir := t.TempDir()
	b, err := newBuilder(s, dir, func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.cache.scratch("image")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{FileImage, FileKernel, FileInitrd} {
		if err := os.WriteFile(filepath.Join(out, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	made, err := b.publish(out, Manifest{Digest: strings.Repeat("ab", 32), Inputs: b.inputs})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.finished(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("finished without loaders: %v", err)
	}
	for _, name := range loaderFiles() {
		if err := os.MkdirAll(Loaders(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(Loaders(dir), name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	got, err := Build(t.Context(), s, dir, nil)
	if err != nil || got.Digest != made.Digest || got.Dir != made.Dir {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := os.Remove(filepath.Join(made.Dir, FileKernel)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.finished(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("finished without its kernel: %v", err)
	}
}

// TestUbuntu: what differs from Debian is data; apt is asked for Ubuntu's own
// names, at its own mirrors and with its own keys.
func TestUbuntu(t *testing.T) {
	b, err := newBuilder(Spec{Node: node(t, "one"), Distribution: "ubuntu-24.04", Kubernetes: true, Mirror: "http://mirror.site/ubuntu"}, t.TempDir(), func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	apt, ok := b.sources()[0].(source.Apt)
	if !ok {
		t.Fatalf("the first source is a %T", b.sources()[0])
	}
	lines := strings.Join(apt.Lines, "\n")
	for _, want := range []string{"deb [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] http://archive.ubuntu.com/ubuntu noble main universe", "http://security.ubuntu.com/ubuntu noble-security main universe"} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
	for _, want := range []string{"systemd", "runc", "keepalived", "iproute2"} {
		if !slices.Contains(apt.Install, want) {
			t.Errorf("%s is not asked for: %v", want, apt.Install)
		}
	}
	for _, own := range []string{"kubelet", "kubeadm", "containerd", "cni-plugin-flannel", "ra2-node"} {
		if slices.Contains(apt.Install, own) {
			t.Errorf("Ubuntu is asked for our own %s", own)
		}
	}
	if got := strings.Join(apt.Alone, " "); got != "linux-image-virtual systemd-boot-efi syslinux-common ipxe" {
		t.Errorf("alone: %s", got)
	}
	if apt.Mirror != "http://archive.ubuntu.com/ubuntu" || apt.Stead["http://security.ubuntu.com/ubuntu"] != "http://mirror.site/ubuntu" {
		t.Errorf("mirror %s, instead %v", apt.Mirror, apt.Stead)
	}
}

// TestChooseIsFound: an image that was made of a bundle is the one that the
// plain spec wants from then on, until an input of that changes.
func TestChooseIsFound(t *testing.T) {
	b := packed(t, [3]string{"bash", "5.2", trixie})
	plain, dir := Spec{Node: node(t, "one")}, t.TempDir()
	of := plain
	of.Bundle = &b
	if inputs(t, of) == inputs(t, plain) {
		t.Error("a bundle that is given doesn't change the key")
	}
	from, err := newBuilder(of, dir, func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	out, err := from.cache.scratch("image")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(Loaders(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{FileImage, FileKernel, FileInitrd} {
		if err := os.WriteFile(filepath.Join(out, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range loaderFiles() {
		if err := os.WriteFile(filepath.Join(Loaders(dir), name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	made, err := from.publish(out, Manifest{Digest: strings.Repeat("cd", 32)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Built(plain, dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found before it was chosen: %v", err)
	}
	if err := Choose(plain, dir, made); err != nil {
		t.Fatal(err)
	}
	if got, err := Built(plain, dir); err != nil || got.Digest != made.Digest {
		t.Errorf("chosen and not found: %+v, %v", got, err)
	}
	plain.Node = node(t, "two")
	if _, err := Built(plain, dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found for another ra2-node: %v", err)
	}
}
