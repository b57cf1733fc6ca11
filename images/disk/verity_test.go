package disk

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hashed makes a file of this many blocks and its hash device.
func hashed(t *testing.T, blocks int) (data, tree, root string) {
	t.Helper()
	content := make([]byte, blocks*VerityBlock)
	_, _ = rand.NewChaCha8([32]byte{byte(blocks)}).Read(content)
	dir := t.TempDir()
	data, tree = filepath.Join(dir, "data"), filepath.Join(dir, "tree")
	if err := os.WriteFile(data, content, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := Verity(tree, "seed", data)
	if err != nil {
		t.Fatal(err)
	}
	return data, tree, root
}

// Blocks of hashes hold 128: 1, 128 and 129 are the edges of a level, 16385
// needs a third one.
func TestVeritysetupAgrees(t *testing.T) {
	if _, err := exec.LookPath("veritysetup"); err != nil {
		t.Skip("needs veritysetup (Debian package cryptsetup-bin)")
	}
	for _, blocks := range []int{1, 2, 128, 129, 16385} {
		t.Run(fmt.Sprint(blocks), func(t *testing.T) {
			data, tree, root := hashed(t, blocks)
			if out, err := exec.Command("veritysetup", "verify", data, tree, root).CombinedOutput(); err != nil {
				t.Errorf("veritysetup refuses what we made: %v\n%s", err, out)
			}
			salt := dumped(t, tree, "Salt:")
			again := filepath.Join(t.TempDir(), "theirs")
			out, err := exec.Command("veritysetup", "format", "--salt", salt, "--hash", "sha256", data, again).CombinedOutput()
			if err != nil || !strings.Contains(string(out), root) {
				t.Errorf("veritysetup's own tree has another root hash than %s: %v\n%s", root, err, out)
			}
			flipByte(t, data, int64(blocks-1)*VerityBlock+17)
			if out, err := exec.Command("veritysetup", "verify", data, tree, root).CombinedOutput(); err == nil {
				t.Errorf("a flipped byte was not found\n%s", out)
			}
		})
	}
}

func dumped(t *testing.T, tree, field string) string {
	t.Helper()
	out, err := exec.Command("veritysetup", "dump", tree).CombinedOutput()
	if err != nil {
		t.Fatalf("veritysetup dump: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), field); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("veritysetup dump tells no %s\n%s", field, out)
	return ""
}

func flipByte(t *testing.T, file string, at int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func TestVerityIsReproducible(t *testing.T) {
	_, tree, root := hashed(t, 300)
	_, again, second := hashed(t, 300)
	a, errA := os.ReadFile(tree)
	b, errB := os.ReadFile(again)
	if errA != nil || errB != nil || !bytes.Equal(a, b) || root != second {
		t.Errorf("the same data and seed gave other trees: %s, %s, %v, %v", root, second, errA, errB)
	}
	if want := (1 + 1 + 3) * VerityBlock; len(a) != want {
		t.Errorf("the tree has %d bytes and should have %d: superblock, one root block, three blocks of hashes", len(a), want)
	}
	if raw, err := hex.DecodeString(root); err != nil || len(raw) != 32 {
		t.Errorf("root hash %q", root)
	}
}

func TestVerityRefuses(t *testing.T) {
	for size, says := range map[int]string{0: "is empty", 100: "whole block", VerityBlock + 1: "whole block"} {
		file := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verity(file+".tree", "seed", file); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if _, err := os.Stat(file + ".tree"); err == nil {
			t.Errorf("%d bytes: a tree is left behind", size)
		}
	}
}

// Discoverable Partitions Specification: the first 128 bits of the root hash
// are the UUID of the root partition, the last 128 that of its hash tree.
func TestVerityIDs(t *testing.T) {
	root, tree, err := verityIDs("00112233445566778899aabbccddeeff" + "ffeeddccbbaa99887766554433221100")
	if err != nil || root.String() != "00112233-4455-6677-8899-aabbccddeeff" || tree.String() != "ffeeddcc-bbaa-9988-7766-554433221100" {
		t.Errorf("%s, %s, %v", root, tree, err)
	}
	if _, _, err := verityIDs("abc"); err == nil {
		t.Error("a short root hash was taken")
	}
}
