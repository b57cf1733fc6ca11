// Package initrd makes the initial RAM file system of installer and installed
// system: /init (ra2-node) and the kernel modules that it may need before the
// root is mounted, as a cpio archive in zstd (RFC 8878; the kernel needs
// CONFIG_RD_ZSTD).
package initrd

import (
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// window is the zstd window in bytes. The kernel's decompressor takes up to
// 128 MiB (lib/decompress_unzstd.c); 8 MiB costs little memory and loses little.
const window = 8 << 20

// Contents says what goes into an initrd.
type Contents struct {
	Init    string   // file that becomes /init, a static program
	Modules *Modules // nil for none
	Choose  func(file string) bool
}

// Write writes the initrd to out. The same contents give the same bytes.
func Write(out io.Writer, c Contents) error {
	z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("write initrd: %w", err)
	}
	if err := c.write(NewWriter(z)); err != nil {
		z.Close()
		return fmt.Errorf("write initrd: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write initrd: %w", err)
	}
	return nil
}

func (c Contents) write(w *Writer) error {
	init, err := os.ReadFile(c.Init)
	if err != nil {
		return err
	}
	for _, dir := range []string{"dev", "etc", "proc", "run", "sys", "sysroot", "tmp"} {
		if err := w.Dir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := w.File("init", 0o755, init); err != nil {
		return err
	}
	if c.Modules != nil {
		if err := c.Modules.write(w, c.Modules.Choose(c.Choose)); err != nil {
			return err
		}
	}
	return w.Close()
}
