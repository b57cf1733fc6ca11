package verity

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const hash = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// formatted is the hash device that veritysetup makes of eight blocks.
func formatted(t testing.TB) []byte {
	if _, err := exec.LookPath("veritysetup"); err != nil {
		t.Skip("needs veritysetup (Debian package cryptsetup-bin)")
	}
	dir := t.TempDir()
	data, tree := filepath.Join(dir, "data"), filepath.Join(dir, "tree")
	if err := os.WriteFile(data, make([]byte, 8*Block), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("veritysetup", "format", "--salt=0102ff", "--uuid=00010203-0405-0607-0809-0a0b0c0d0e0f", data, tree).CombinedOutput()
	if err != nil {
		t.Fatalf("veritysetup format: %v\n%s", err, out)
	}
	made, err := os.ReadFile(tree)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestReadsVeritysetups(t *testing.T) {
	tree := formatted(t)
	s, err := ParseSuperblock(tree)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.table("/dev/vda3", "/dev/vda4", hash), "1 /dev/vda3 /dev/vda4 4096 4096 8 1 sha256 "+hash+" 0102ff"; got != want {
		t.Errorf("table %q, want %q", got, want)
	}
	if s.UUID != [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} {
		t.Errorf("UUID %x", s.UUID)
	}
	for at, says := range map[int]string{0: "magic", 8: "version", 12: "type", 32: "hash", 64: "blocks", 81: "salt"} {
		bad := bytes.Clone(tree)
		bad[at] ^= 0x40
		if _, err := ParseSuperblock(bad); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
}

func FuzzSuperblock(f *testing.F) {
	b := make([]byte, 512)
	copy(b, "verity\x00\x00\x01\x00\x00\x00\x01")
	copy(b[32:], "sha256")
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseSuperblock(b); err == nil && (s.Blocks == 0 || len(s.Salt) > 256) {
			t.Errorf("%+v", s)
		}
	})
}

// linux/dm-ioctl.h: sizeof(struct dm_ioctl) is 312, DM_TABLE_LOAD is
// 0xc138fd09 on every architecture that has these ioctl numbers.
func TestInterface(t *testing.T) {
	if got := request(tableLoad); got != 0xc138fd09 {
		t.Errorf("DM_TABLE_LOAD is %#x", got)
	}
	line := target(64, "verity", "1 a b")
	m := message("uuid", flagReadOnly, line)
	order := binary.NativeEndian
	if len(line)%8 != 0 || order.Uint64(line[8:]) != 64 || string(line[24:31]) != "verity\x00" || string(line[40:46]) != "1 a b\x00" {
		t.Errorf("target %q", line)
	}
	if order.Uint32(m[12:]) != uint32(len(m)) || order.Uint32(m[16:]) != 312 || order.Uint32(m[20:]) != 1 || !bytes.Equal(m[312:312+len(line)], line) ||
		string(m[48:57]) != "ra2-root\x00" || string(m[176:181]) != "uuid\x00" {
		t.Errorf("message %q", m[:400])
	}
	if got, err := parseStatus(message("", 0, target(64, "verity", "C"))); err != nil || got != "C" {
		t.Errorf("status %q, %v", got, err)
	}
}

func TestBadRootHash(t *testing.T) {
	for _, bad := range []string{"", "abc", hash[:62], strings.Repeat("x", 64)} {
		if _, err := Open("/dev/null", "/dev/null", bad); err == nil || !strings.Contains(err.Error(), "64 hexadecimal digits") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestWrongBlock(t *testing.T) {
	for record, want := range map[string]string{
		"3,512,918273,-;device-mapper: verity: 254:3: data block 7 is corrupted\n SUBSYSTEM=block\n": "data block 7 is corrupted",
		"3,513,918274,-;device-mapper: verity: 254:3: metadata block 1 is corrupted\n":               "metadata block 1 is corrupted",
		"6,514,918275,-;device-mapper: verity: sha256 using implementation \"sha256-ni\"\n":          "",
		"6,515,918276,-;something is corrupted\n":                                                    "",
	} {
		if got, ok := wrongBlock(record); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", record, got, ok)
		}
	}
}
