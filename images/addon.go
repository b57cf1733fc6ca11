package images

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
	"github.com/ra2-deploy/ra2-deploy/inventory"
)

// FileAddonStub is systemd's stub of an add-on in the folder of a signed image:
// the words of a class are signed upon it.
const FileAddonStub = "addon.efi"

// addonFile is where the stub looks for add-ons, whatever name and path firmware
// started it by (systemd-stub(7)). Beside it, in BOOTX64.EFI.extra.d, it would look
// only where firmware tells that path, which some don't.
const addonFile = "/loader/addons/ra2.addon.efi"

// Room is a place on the system partition that holds a signed add-on without a
// word. The installer writes there the add-on of the host's class, which is of
// the same size: no file system is edited for it.
type Room struct {
	Offset int64  `json:"offset"` // in the partition, bytes; of a whole sector
	Bytes  int64  `json:"bytes"`
	Digest string `json:"digest"` // sha256 of what is there in the image, hex
}

// room puts an add-on without words into the system partition. The stub of
// systemd 252 (Debian 12) reads none, and its package has none to build on.
func (b *builder) room(p pieces, work, out string, m *Manifest, esp map[string]string) error {
	stub, err := os.ReadFile(filepath.Join(p.loaders, addonStubPath))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	program, err := sign(stub, "", b.spec.Signer)
	if err != nil {
		return err
	}
	esp[addonFile] = filepath.Join(work, "ra2.addon.efi")
	m.Room = &Room{Bytes: int64(len(program))}
	return errors.Join(os.WriteFile(esp[addonFile], program, 0o644), os.WriteFile(filepath.Join(out, FileAddonStub), stub, 0o644))
}

// sign makes an add-on with these words.
func sign(stub []byte, words string, signer *secureboot.Signer) ([]byte, error) {
	program, err := secureboot.Addon(stub, words)
	if err != nil {
		return nil, err
	}
	return signer.Sign(program)
}

// findRoom notes where the add-on lies in the finished system partition: in one
// piece, since nothing was there before, and there only.
func findRoom(esp string, files map[string]string, m *Manifest) error {
	if m.Room == nil {
		return nil
	}
	program, err := os.ReadFile(files[addonFile])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(esp)
	if err != nil {
		return err
	}
	at := bytes.Index(text, program)
	if at < 0 || at%512 != 0 || bytes.Count(text, program) != 1 {
		return fmt.Errorf("the add-on of the system partition doesn't lie there in one piece, once (at %d)", at)
	}
	m.Room.Offset = int64(at)
	m.Room.Digest, err = digestFile(files[addonFile])
	return err
}

// ErrNoRoom says that an image has no place for the signed words of a class.
var ErrNoRoom = errors.New("it has no place for signed words of a class")

// Addon gives the file of the signed add-on with these words of a class for the
// image m. It is made once for the same stub, key and words; signer may be nil
// where it was made before, else the error is ErrNoKey. It is ErrNoRoom where the
// image can't have one. Words that are no class's are not signed.
func Addon(cacheDir string, m Manifest, signer *secureboot.Signer, words string) (string, error) {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	if err := inventory.CheckKernelLine(words); err != nil {
		return "", fmt.Errorf("sign the kernel line of a class: %w", err)
	}
	if m.Room == nil {
		return "", fmt.Errorf("sign the kernel line of a class: the image %s: %w", short(m.Digest), ErrNoRoom)
	}
	stub, err := os.ReadFile(filepath.Join(m.Dir, FileAddonStub))
	if err != nil {
		return "", fmt.Errorf("sign the kernel line of a class: %w", err)
	}
	dir, err := cache{cacheDir}.make("addon", key([]any{addonEdition, stub, m.SignedBy, words}), func(dir string) error {
		if signer == nil {
			return ErrNoKey
		}
		program, err := sign(stub, words, signer)
		if err != nil {
			return err
		}
		if int64(len(program)) != m.Room.Bytes {
			return fmt.Errorf("the add-on has %d bytes, and the image has room for %d: it was signed by another key", len(program), m.Room.Bytes)
		}
		return os.WriteFile(filepath.Join(dir, "ra2.addon.efi"), program, 0o644)
	})
	if err != nil {
		return "", fmt.Errorf("sign the kernel line of a class: %w", err)
	}
	return filepath.Join(dir, "ra2.addon.efi"), nil
}
