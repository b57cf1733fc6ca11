package e2e

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

// rootPartition is the name of the read-only root in the partition table.
const rootPartition = "ra2-root"

// rootDigest reads a disk from its beginning to the end of the root partition
// and returns the digest of that partition's bytes.
func rootDigest(disk io.Reader) (string, error) {
	head, first, last, err := rootPlace(disk)
	if err != nil {
		return "", err
	}
	if _, err := io.CopyN(io.Discard, disk, first-int64(head)); err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, disk, last-first); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// errNoTable says that a disk can't boot.
var errNoTable = errors.New("the disk has no partition table")

// rootPlace reads the partition table at the beginning of a disk. It returns how
// much of the disk it has read, and where the root partition begins and ends.
func rootPlace(disk io.Reader) (read int, first, end int64, err error) {
	const sector = 512
	head := make([]byte, 34*sector) // protective MBR, GPT header, 128 entries (UEFI 2.10, 5.3)
	if _, err := io.ReadFull(disk, head); err != nil {
		return 0, 0, 0, fmt.Errorf("read the partition table: %w", err)
	}
	if !bytes.HasPrefix(head[sector:], []byte("EFI PART")) {
		return 0, 0, 0, fmt.Errorf("%w: %q", errNoTable, head[sector:sector+8])
	}
	for entry := head[2*sector:]; len(entry) >= 128; entry = entry[128:] {
		name := make([]uint16, 36)
		for i := range name {
			name[i] = binary.LittleEndian.Uint16(entry[56+2*i:])
		}
		if strings.TrimRight(string(utf16.Decode(name)), "\x00") == rootPartition {
			first, last := binary.LittleEndian.Uint64(entry[32:]), binary.LittleEndian.Uint64(entry[40:])
			return len(head), int64(first) * sector, int64(last+1) * sector, nil
		}
	}
	return 0, 0, 0, fmt.Errorf("the disk has no partition %s", rootPartition)
}

// imageRoot returns the digest of the root partition in the image that the
// inventory wants.
func (b *bench) imageRoot() (string, error) {
	b.Helper()
	f, err := os.Open(filepath.Join(b.imageDir(), "image.raw.zst"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := zstd.NewReader(f)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	return rootDigest(raw)
}

// imageDir is where the image lies that the inventory wants.
func (b *bench) imageDir() string {
	b.Helper()
	r := b.must(b.run("image", "build", "-o", "json", b.inventory()))
	var manifest struct{ Digest string }
	if err := json.Unmarshal([]byte(r.out), &manifest); err != nil {
		b.Fatalf("%s: %v", r, err)
	}
	return filepath.Join(cmp.Or(os.Getenv("RA2_CACHE"), "/var/cache/ra2-deploy"), "images", manifest.Digest)
}
