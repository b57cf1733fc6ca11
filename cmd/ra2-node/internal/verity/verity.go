// Package verity maps a root partition through its hash tree (dm-verity), so
// that the kernel checks each block that it reads against the root hash of the
// kernel line. It speaks to device mapper itself: the initramfs holds no other
// program.
//
// A block that is wrong is answered with an I/O error, the target's default.
// Rejected: restart_on_corruption, which starts the host again into the same
// block, for ever and without a word; panic_on_corruption, which ends the same
// way after kernel.panic seconds. With the error nothing wrong is ever
// read, the host lives long enough to say what it found, and ra2-node takes the
// node out of the cluster's work (package watch).
package verity

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Name is the name of the root's mapping.
const Name = "ra2-root"

// Block is the size of the blocks that are checked, in bytes.
const Block = 4096

// Superblock is what the first block of a hash device tells (struct verity_sb
// of cryptsetup's lib/verity/verity.c). None of it needs to be trusted: data and
// salt that hash to the root hash are those that were hashed.
type Superblock struct {
	UUID   [16]byte
	Blocks uint64 // of data
	Salt   []byte
}

// ParseSuperblock reads the superblock at the start of a hash device. What this
// package doesn't map is refused: other hashes, block sizes and versions.
func ParseSuperblock(b []byte) (Superblock, error) {
	if len(b) < 512 || !bytes.HasPrefix(b, []byte("verity\x00\x00")) {
		return Superblock{}, errors.New("it holds no hash tree: the magic \"verity\" is missing")
	}
	u32 := binary.LittleEndian.Uint32
	algorithm := string(bytes.TrimRight(b[32:64], "\x00"))
	if u32(b[8:]) != 1 || u32(b[12:]) != 1 || algorithm != "sha256" || u32(b[64:]) != Block || u32(b[68:]) != Block {
		return Superblock{}, fmt.Errorf("its hash tree is of version %d, type %d, hash %q, blocks of %d and %d, and should be 1, 1, sha256, %d and %d",
			u32(b[8:]), u32(b[12:]), algorithm, u32(b[64:]), u32(b[68:]), Block, Block)
	}
	s := Superblock{UUID: [16]byte(b[16:32]), Blocks: binary.LittleEndian.Uint64(b[72:])}
	length := int(binary.LittleEndian.Uint16(b[80:]))
	if length > 256 || s.Blocks == 0 || s.Blocks > 1<<40 {
		return Superblock{}, fmt.Errorf("its hash tree has %d blocks of data and a salt of %d bytes", s.Blocks, length)
	}
	s.Salt = bytes.Clone(b[88 : 88+length])
	return s, nil
}

// table is the target's line (admin-guide/device-mapper/verity): the hashes
// begin after the superblock's block.
func (s Superblock) table(data, tree, rootHash string) string {
	salt := "-"
	if len(s.Salt) > 0 {
		salt = hex.EncodeToString(s.Salt)
	}
	return fmt.Sprintf("1 %s %s %d %d %d 1 sha256 %s %s", data, tree, Block, Block, s.Blocks, rootHash, salt)
}

// Open maps the partition data through the hash device tree and returns the
// node of the mapping, "/dev/dm-0". Nothing is read yet: a root hash that
// doesn't fit is found by the first read.
func Open(data, tree, rootHash string) (device string, err error) {
	if raw, err := hex.DecodeString(rootHash); err != nil || len(raw) != 32 {
		return "", fmt.Errorf("map the root: %q is not a root hash: 64 hexadecimal digits", rootHash)
	}
	head := make([]byte, Block)
	f, err := os.Open(tree)
	if err != nil {
		return "", fmt.Errorf("map the root: open its hash tree: %w", err)
	}
	_, err = f.ReadAt(head, 0)
	f.Close()
	if err != nil {
		return "", fmt.Errorf("map the root: read its hash tree %s: %w", tree, err)
	}
	s, err := ParseSuperblock(head)
	if err != nil {
		return "", fmt.Errorf("map the root: %s: %w", tree, err)
	}
	device, err = activate(fmt.Sprintf("CRYPT-VERITY-%x-%s", s.UUID, Name), s.Blocks*Block/512, s.table(data, tree, strings.ToLower(rootHash)))
	if err != nil {
		return "", fmt.Errorf("map the root: %w", err)
	}
	return device, nil
}

// Corrupt reports whether the kernel found a wrong block in the mapping since it
// was made: the target's status is "C" then, and "V" before.
func Corrupt() (bool, error) {
	status, err := status()
	if err != nil {
		return false, fmt.Errorf("ask for the state of the root's mapping: %w", err)
	}
	switch status {
	case "V":
		return false, nil
	case "C":
		return true, nil
	}
	return false, fmt.Errorf("the state of the root's mapping is %q and should be V or C", status)
}
