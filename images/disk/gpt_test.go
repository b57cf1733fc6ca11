package disk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

// makeDisk writes a small disk from files of odd sizes.
func makeDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	p := Parts{Seed: "test", BootCode: filepath.Join(dir, "boot"), ESP: filepath.Join(dir, "esp"), Root: filepath.Join(dir, "root"),
		Verity: filepath.Join(dir, "verity"), RootHash: strings.Repeat("12345678", 8), Data: filepath.Join(dir, "data")}
	for file, size := range map[string]int{p.BootCode: 440, p.ESP: 1 << 20, p.Root: 3<<20 + 5, p.Verity: 4096, p.Data: 2 << 20} {
		if err := os.WriteFile(file, bytes.Repeat([]byte(filepath.Base(file)[:1]), size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create(filepath.Join(dir, "disk.raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	n, err := Write(out, p)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := out.Stat(); info.Size() != n || n != 11<<20 { // 1 head, 1 esp, 1 config, 4 root, 1 verity, 2 data, 1 tail
		t.Errorf("it says %d bytes and has %d", n, info.Size())
	}
	return out.Name()
}

func TestAnotherReaderFindsThePartitions(t *testing.T) {
	f, err := os.Open(makeDisk(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f, Sector, Sector)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range table.Partitions {
		if p.Type != gpt.Unused {
			names = append(names, p.Name)
		}
	}
	if got := strings.Join(names, " "); got != "ra2-esp ra2-config ra2-root ra2-verity ra2-data" {
		t.Errorf("partitions: %s", got)
	}
	esp := table.Partitions[0]
	if esp.Type != gpt.EFISystemPartition || esp.Attributes != LegacyBoot || esp.Start != 2048 {
		t.Errorf("system partition: %+v", esp)
	}
	root, tree := table.Partitions[2], table.Partitions[3]
	if root.Type != gpt.LinuxRootX86_64 || tree.Type != "2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5" || root.GUID != tree.GUID || !strings.EqualFold(root.GUID, "12345678-1234-5678-1234-567812345678") {
		t.Errorf("root %+v, hash tree %+v", root, tree)
	}
	for name, at := range map[string]int64{"e": 1 << 20, "\x00": 2 << 20, "r": 3 << 20, "v": 7 << 20, "d": 8 << 20} {
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, at); err != nil || string(b) != name {
			t.Errorf("at %d: %q, %v", at, b, err)
		}
	}
}

func TestSgdiskVerifies(t *testing.T) {
	if _, err := exec.LookPath("sgdisk"); err != nil {
		t.Skip("needs the program sgdisk (package gdisk)")
	}
	out, err := exec.Command("sgdisk", "--verify", makeDisk(t)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No problems found") {
		t.Errorf("sgdisk: %v: %s", err, out)
	}
}

func TestTableRefuses(t *testing.T) {
	good := Extent{Name: "a", First: 2048, Last: 4095}
	for want, parts := range map[string][]Extent{
		"36 characters": {{Name: strings.Repeat("n", 37), First: 2048, Last: 4095}},
		"doesn't fit":   {good, {Name: "b", First: 4000, Last: 5000}},
		"fit between":   {{Name: "long", First: 2048, Last: 8192}},
		"it holds 128":  make([]Extent, 129),
	} {
		if _, _, err := Table(GUID{}, 8192, parts, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if _, _, err := Table(GUID{}, 8192, []Extent{good}, make([]byte, 441)); err == nil || !strings.Contains(err.Error(), "440") {
		t.Errorf("boot code: %v", err)
	}
}

func TestGUID(t *testing.T) {
	if got := typeESP().String(); got != "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" {
		t.Errorf("ESP: %s", got)
	}
	if got := typeData().String(); got != "0fc63daf-8483-4772-8e79-3d69d8477de4" {
		t.Errorf("Linux data: %s", got)
	}
	if got := typeRoot().String(); got != "4f68bce3-e8cd-4db1-96e7-fbcaf984b709" {
		t.Errorf("root: %s", got)
	}
	if got := typeVerity().String(); got != "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5" {
		t.Errorf("hash tree of the root: %s", got)
	}
	a := NewGUID("seed", "a")
	if a == NewGUID("seed", "b") || a == NewGUID("other", "a") || a != NewGUID("seed", "a") {
		t.Error("a GUID is not a function of seed and name")
	}
	if s := a.String(); s[14] != '8' || !strings.ContainsRune("89ab", rune(s[19])) {
		t.Errorf("%s is not of version 8 (RFC 9562)", s)
	}
}
