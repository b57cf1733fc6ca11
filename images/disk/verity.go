package disk

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// VerityBlock is the size of data and hash blocks in bytes. It has to be at
// most a page of the kernel (dm-verity, "Verity target parameters").
const VerityBlock = 4096

// Verity writes the dm-verity hash device for the file data into the file out
// and returns the root hash in hex. The format is veritysetup's: a superblock,
// then format version 1 with SHA-256 and the salt before the block
// (cryptsetup, docs/v1.6.0-ReleaseNotes and lib/verity; Linux,
// admin-guide/device-mapper/verity). Salt and UUID come from seed: a salt keeps
// tables of hashes made before from being of use, it is no secret.
func Verity(out, seed, data string) (rootHash string, err error) {
	salt := sha256.Sum256([]byte(seed + "\x00verity"))
	root, levels, blocks, err := hashTree(data, salt[:])
	if err != nil {
		return "", fmt.Errorf("make the hash tree of %s: %w", data, err)
	}
	f, err := os.Create(out)
	if err != nil {
		return "", fmt.Errorf("make the hash tree: %w", err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	w.Write(superblock(NewGUID(seed, "verity"), salt[:], blocks))
	for i := len(levels) - 1; i >= 0; i-- { // the root's own block comes first
		w.Write(levels[i])
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return "", fmt.Errorf("make the hash tree: %w", err)
	}
	return hex.EncodeToString(root), nil
}

// hashTree hashes the blocks of a file, then the blocks of hashes, until one
// hash is left. levels[0] holds the hashes of the data; each is filled up with
// zeros to whole blocks.
func hashTree(file string, salt []byte) (root []byte, levels [][]byte, blocks uint64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, 0, err
	}
	defer f.Close()
	hashes, n, err := hashBlocks(bufio.NewReaderSize(f, 1<<20), salt)
	if err != nil {
		return nil, nil, 0, err
	}
	if n == 0 {
		return nil, nil, 0, errors.New("it is empty")
	}
	for len(hashes) > sha256.Size {
		level := append(hashes, make([]byte, roundUp(uint64(len(hashes)), VerityBlock)-uint64(len(hashes)))...)
		levels = append(levels, level)
		hashes = hashes[:0:0]
		for at := 0; at < len(level); at += VerityBlock {
			hashes = append(hashes, salted(salt, level[at:at+VerityBlock])...)
		}
	}
	return hashes, levels, n, nil
}

func hashBlocks(r io.Reader, salt []byte) (hashes []byte, n uint64, err error) {
	block := make([]byte, VerityBlock)
	for {
		switch _, err := io.ReadFull(r, block); {
		case errors.Is(err, io.EOF):
			return hashes, n, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, 0, fmt.Errorf("it doesn't end at a whole block of %d bytes", VerityBlock)
		case err != nil:
			return nil, 0, err
		}
		hashes = append(hashes, salted(salt, block)...)
		n++
	}
}

func salted(salt, block []byte) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(block)
	return h.Sum(nil)
}

// superblock is the first block of the hash device (struct verity_sb of
// cryptsetup's lib/verity/verity.c), little endian, zeros to the block's end.
func superblock(id GUID, salt []byte, blocks uint64) []byte {
	b := make([]byte, VerityBlock)
	copy(b, "verity\x00\x00")
	put32, put64 := binary.LittleEndian.PutUint32, binary.LittleEndian.PutUint64
	put32(b[8:], 1)        // version of the superblock
	put32(b[12:], 1)       // hash type: the format version of the target
	copy(b[16:], id[:])    // UUID, as bytes
	copy(b[32:], "sha256") // 32 bytes
	put32(b[64:], VerityBlock)
	put32(b[68:], VerityBlock)
	put64(b[72:], blocks)
	binary.LittleEndian.PutUint16(b[80:], uint16(len(salt)))
	copy(b[88:], salt) // 256 bytes
	return b
}
