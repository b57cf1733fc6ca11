package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/ra2-deploy/ra2-deploy/images/disk"
)

// packer takes the raw disk and gives the compressed one: a zstd frame for each
// partition, or that of a file, where the partition was compressed before.
type packer struct {
	out   io.Writer
	z     *zstd.Encoder
	raw   hash.Hash // of all that is written
	sizes *tally
	ready map[string]string // name of a partition to the file with its frame
	found bool              // what comes is in a file
	m     *Manifest
}

func newEncoder(out io.Writer) (*zstd.Encoder, error) {
	return zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedDefault))
}

// compress writes the disk through both digests and zstd in one pass; the raw
// disk never lies on this host. ready are partitions that were compressed before.
func compress(name string, parts disk.Parts, ready map[string]string, m *Manifest) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	packed := sha256.New()
	p := &packer{raw: sha256.New(), sizes: new(tally), ready: ready, m: m}
	p.out = io.MultiWriter(f, packed, p.sizes)
	if p.z, err = newEncoder(p.out); err != nil {
		return err
	}
	m.PartPacked = map[string]int64{}
	parts.Writes, parts.Wrote = p.begin, p.end
	m.RawBytes, err = disk.Write(p, parts)
	if err = errors.Join(err, p.z.Close()); err != nil {
		return fmt.Errorf("compress the disk: %w", err)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	m.CompressedBytes = info.Size()
	m.Digest, m.CompressedDigest = hex.EncodeToString(p.raw.Sum(nil)), hex.EncodeToString(packed.Sum(nil))
	return f.Close()
}

// Write implements io.Writer.
func (p *packer) Write(data []byte) (int, error) {
	p.raw.Write(data)
	if p.found {
		return len(data), nil
	}
	return p.z.Write(data)
}

// begin copies the frame of a partition that was compressed before.
func (p *packer) begin(name string) error {
	file := p.ready[name]
	if file == "" {
		return nil
	}
	if err := p.z.Close(); err != nil { // what fills the place before it
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	p.found = true
	_, err = io.Copy(p.out, f)
	return err
}

// end ends a partition's frame, so that what it takes is known exactly.
func (p *packer) end(name string) error {
	var err error
	if !p.found {
		err = p.z.Close()
	}
	p.found = false
	p.m.PartPacked[name] = p.sizes.since()
	p.z.Reset(p.out)
	return err
}

// packFile compresses a file as a partition is.
func packFile(name, to string) error {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	z, err := newEncoder(out)
	if err != nil {
		return err
	}
	_, err = io.Copy(z, from)
	return errors.Join(err, z.Close(), out.Close())
}

// tally counts what was written since it was asked last.
type tally struct{ n, last int64 }

// Write implements io.Writer.
func (t *tally) Write(p []byte) (int, error) {
	t.n += int64(len(p))
	return len(p), nil
}

// since gives the count, and begins a new one.
func (t *tally) since() int64 {
	n := t.n - t.last
	t.last = t.n
	return n
}
