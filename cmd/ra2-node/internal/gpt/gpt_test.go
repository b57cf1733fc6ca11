package gpt

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// image makes a file with two partitions by sgdisk and returns its start.
func image(t *testing.T) (path string, start []byte) {
	t.Helper()
	if _, err := exec.LookPath("sgdisk"); err != nil {
		t.Skip("needs sgdisk (Debian package gdisk): a table that we did not make ourselves")
	}
	path = filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "sgdisk", "-n1:2048:+1M", "-c1:ra2-config", "-n2:0:0", "-c2:ra2-data", path)
	return path, read(t, path)[:1<<20]
}

func run(t *testing.T, command ...string) string {
	t.Helper()
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return string(out)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGrow(t *testing.T) {
	path, start := image(t)
	table, err := Parse(start)
	if err != nil {
		t.Fatal(err)
	}
	config, err := table.Find("ra2-config")
	if err != nil || config.Offset() != 1<<20 || config.Bytes() != 1<<20 {
		t.Fatalf("ra2-config is %+v, %v", config, err)
	}
	const bytes = 40<<20 + 512 // not a multiple of 4096
	grown, err := table.Grow(bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, bytes); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	grown.Primary(start)
	backup, at := grown.Backup()
	for _, w := range []struct {
		data []byte
		at   int64
	}{{start, 0}, {backup, at}} {
		if _, err := f.WriteAt(w.data, w.at); err != nil {
			t.Fatal(err)
		}
	}
	out := run(t, "sgdisk", "-v", path)
	if !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk -v says:\n%s", out)
	}
	again, err := Parse(read(t, path)[:1<<20])
	if err != nil {
		t.Fatal(err)
	}
	data, err := again.Find("ra2-data")
	if err != nil {
		t.Fatal(err)
	}
	if end := data.Offset() + data.Bytes(); end < bytes-64<<10 || end%4096 != 0 {
		t.Errorf("ra2-data ends at %d of %d", end, int64(bytes))
	}
	if out := run(t, "sgdisk", "-i1", path); !strings.Contains(out, "'ra2-config'") {
		t.Errorf("partition 1 is\n%s", out)
	}
}

func TestSmallDisk(t *testing.T) {
	_, start := image(t)
	table, err := Parse(start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Grow(8 << 20); err == nil {
		t.Error("a disk smaller than the image was accepted")
	}
}

func TestDamage(t *testing.T) {
	_, start := image(t)
	for _, at := range []int{Sector + 60, 2*Sector + 40} {
		damaged := append([]byte(nil), start...)
		damaged[at] ^= 1
		if _, err := Parse(damaged); err == nil {
			t.Errorf("a table with byte %d changed was accepted", at)
		}
	}
}

func FuzzParse(f *testing.F) {
	seed := make([]byte, 34*Sector)
	copy(seed[Sector:], "EFI PART")
	f.Add(seed)
	f.Fuzz(func(t *testing.T, start []byte) {
		table, err := Parse(start)
		if err != nil {
			return
		}
		for _, p := range table.Partitions() {
			if p.Last < p.First {
				t.Errorf("partition %+v", p)
			}
		}
	})
}
