package images

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ra2-deploy/ra2-deploy/images/initrd"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
)

// FileStub is systemd's stub in the folder of a signed image: the boot program
// of a network boot is built on it.
const FileStub = "stub.efi"

// Where the package of systemd-boot has its stubs, in every family.
const (
	stubPath      = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"
	addonStubPath = "usr/lib/systemd/boot/efi/addonx64.efi.stub"
)

// ErrNoKey says that something has to be signed and the key is not here.
var ErrNoKey = errors.New("it has to be signed, and the private key of spec.secureBoot is not here")

// secure puts the signed kernel image in the place of the boot loader: what
// firmware starts from the disk is then one program, and its signature covers
// kernel, initrd, kernel line and with that the root's hash.
//
// The line also has the initrd's digest: a start of the same kernel by kexec
// takes the initrd from the system partition, which nothing else covers.
func (b *builder) secure(p pieces, work, out string, m *Manifest, esp map[string]string) error {
	if b.spec.SignedBy == "" {
		return nil
	}
	if b.spec.Signer == nil {
		return ErrNoKey
	}
	stub, err := os.ReadFile(filepath.Join(p.loaders, stubPath))
	if err != nil {
		return fmt.Errorf("sign the image: %w", err)
	}
	if err := os.WriteFile(filepath.Join(out, FileStub), stub, 0o644); err != nil {
		return err
	}
	if m.Stub, err = secureboot.StubName(stub); err != nil {
		return fmt.Errorf("sign the image: %w", err)
	}
	if err := b.room(p, work, out, m, esp); err != nil {
		return fmt.Errorf("sign the image: make room for the words of a class: %w", err)
	}
	program, err := unified(out, m, m.KernelLine+" ra2.initrd="+m.InitrdDigest, nil)
	if err == nil {
		program, err = b.spec.Signer.Sign(program)
	}
	if err != nil {
		return fmt.Errorf("sign the image: %w", err)
	}
	for _, inert := range []string{"/loader/loader.conf", "/loader/entries/ra2.conf"} {
		delete(esp, inert)
	}
	m.SignedBy = b.spec.SignedBy
	esp[firmwareStarts] = filepath.Join(work, "ra2.efi")
	return os.WriteFile(esp[firmwareStarts], program, 0o644)
}

// firmwareStarts is what firmware starts from a disk that it knows nothing of
// (UEFI 2.10, 3.5.1.1).
const firmwareStarts = "/EFI/BOOT/BOOTX64.EFI"

// unified joins stub, kernel and initrd in an image's folder; more is a second
// piece of initrd, which the kernel unpacks over the first.
func unified(dir string, m *Manifest, line string, more []byte) ([]byte, error) {
	var files [3][]byte
	for i, name := range []string{FileStub, FileKernel, FileInitrd} {
		var err error
		if files[i], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	rd := files[2]
	if len(more) > 0 { // a piece begins at a multiple of four (Linux, buffer-format.rst)
		rd = append(append(rd, make([]byte, (4-len(rd)%4)%4)...), more...)
	}
	return secureboot.Unified(files[0], secureboot.Parts{
		Linux: files[1], Initrd: rd, Line: line, Release: m.KernelRelease,
		OS: "ID=ra2\nPRETTY_NAME=\"ra2-deploy, " + m.Distribution + "\"\nVERSION_ID=" + m.KernelRelease + "\n",
	})
}

// Installer gives the file of the signed boot program with which hosts boot
// from the network: kernel and initrd of the image m, the kernel line, and at
// hostsPath in its initrd the text hosts. It is made once for the same of all
// these; signer may be nil where it was made before, else the error is ErrNoKey.
func Installer(cacheDir string, m Manifest, signer *secureboot.Signer, line, hostsPath, hosts string) (string, error) {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	c := cache{cacheDir}
	stub, err := digestFile(filepath.Join(m.Dir, FileStub))
	if err != nil {
		return "", fmt.Errorf("make the signed boot program: %w", err)
	}
	k := key([]any{installerEdition, stub, m.KernelDigest, m.InitrdDigest, m.KernelRelease, m.Distribution, m.SignedBy, line, hostsPath, hosts})
	dir, err := c.make("netboot", k, func(dir string) error {
		if signer == nil {
			return ErrNoKey
		}
		var more bytes.Buffer
		w := initrd.NewWriter(&more)
		if err := errors.Join(w.Dir(filepath.Dir(hostsPath), 0o700), w.File(hostsPath, 0o600, []byte(hosts)), w.Close()); err != nil {
			return err
		}
		program, err := unified(m.Dir, &m, line, more.Bytes())
		if err == nil {
			program, err = signer.Sign(program)
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "installer.efi"), program, 0o644)
	})
	if err != nil {
		return "", fmt.Errorf("make the signed boot program: %w", err)
	}
	return filepath.Join(dir, "installer.efi"), nil
}

// installerEdition counts the changes of Installer that give other bytes.
const installerEdition = 1
