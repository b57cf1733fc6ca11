package pid1

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoKexec says that the machine has to go through its firmware.
var ErrNoKexec = errors.New("this machine can't kexec")

// InMemory copies r into a file that exists in memory only, and checks its
// digest ("sha256:<hex>").
func InMemory(name string, r io.Reader, digest string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory file for %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), r)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("fetch %s: after %d bytes: %w", name, n, err)
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, digest) {
		f.Close()
		return nil, fmt.Errorf("fetch %s: it has the digest %s and should have %s", name, got, digest)
	}
	return f, nil
}

// LoadKernel makes the kernel ready to be started (kexec_file_load(2)).
func LoadKernel(kernel, initrd *os.File, line string) error {
	if name := Container(); name != "" {
		return fmt.Errorf("%w: it is a container machine (%s) and the kernel is the host's", ErrNoKexec, name)
	}
	if err := unix.KexecFileLoad(int(kernel.Fd()), int(initrd.Fd()), line, 0); err != nil {
		return fmt.Errorf("%w: kexec_file_load: %w", ErrNoKexec, err)
	}
	return nil
}

// StartKernel starts the kernel that LoadKernel made ready. It returns only
// when that fails.
func StartKernel() error {
	unix.Sync()
	return fmt.Errorf("%w: reboot: %w", ErrNoKexec, unix.Reboot(unix.LINUX_REBOOT_CMD_KEXEC))
}
