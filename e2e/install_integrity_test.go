package e2e

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

var cutsFlag = flag.Int("cuts", 2, "with -lab: how often the power is cut while an image is written")

// TestIntegrity changes a byte of the image on its way, and cuts the power while
// it is written: nothing half or wrong ever boots, and the next run installs.
func TestIntegrity(t *testing.T) {
	needsLab(t)
	b := newBench(t, "t-whole", "small.yaml", "host-a", host)
	b.must(b.run("image", "build", b.inventory()))
	b.part("changed image", (*bench).refusesChanged)
	b.part("power cuts", (*bench).survivesCuts)
}

// refusesChanged serves an image with one bit that differs. The host finds out
// before its disk can boot.
func (b *bench) refusesChanged() {
	cache := b.changedCache()
	events := filepath.Join(filepath.Dir(b.dir), "changed.jsonl")
	c := b.startInside("up", "--yes", "--cache", cache, "--events", events, b.inventory())
	ev, ok := b.follow(c, events, 0, func(e event) bool { return strings.Contains(e.Note, "has the digest") })
	if !ok {
		b.Fatalf("nobody found the changed byte\n%s", c.wait())
	}
	if !strings.Contains(ev.Note, "nothing bootable was written") {
		b.Errorf("%+v", ev)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	b.exits(c.wait(), 1)
	b.reset(host, "ForceOff")
	b.off(host)
	if _, err := b.diskRoot(); !errors.Is(err, errNoTable) {
		b.Errorf("the disk may boot: %v", err)
	}
}

// changedCache is the cache with an image that has another byte in its middle.
// All else is shared with the real one.
func (b *bench) changedCache() string {
	b.Helper()
	dir := b.imageDir()
	cache := filepath.Join(filepath.Dir(b.dir), "cache")
	if out, err := exec.Command("cp", "-al", filepath.Dir(filepath.Dir(dir)), cache).CombinedOutput(); err != nil {
		b.Fatalf("link the cache: %v\n%s", err, out)
	}
	packed, err := os.ReadFile(filepath.Join(dir, "image.raw.zst"))
	if err != nil {
		b.Fatal(err)
	}
	read, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		b.Fatal(err)
	}
	defer read.Close()
	raw, err := io.ReadAll(read)
	if err != nil {
		b.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	var changed bytes.Buffer
	write, err := zstd.NewWriter(&changed, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := write.Write(raw); err != nil {
		b.Fatal(err)
	}
	if err := write.Close(); err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(cache, "images", filepath.Base(dir), "image.raw.zst")
	if err := errors.Join(os.Remove(file), os.WriteFile(file, changed.Bytes(), 0o644)); err != nil { // removed: its bytes are shared
		b.Fatal(err)
	}
	return cache
}

// survivesCuts cuts the power of the machine, and kills the run, at random
// moments of the write. A disk that has a partition table then holds the whole
// image; one that hasn't doesn't boot. In the end the host is installed.
func (b *bench) survivesCuts() {
	want, err := b.imageRoot()
	if err != nil {
		b.Fatal(err)
	}
	for range *cutsFlag {
		after := time.Duration(rand.Int64N(int64(15 * time.Second)))
		c, _ := b.reach(moment{"the image is being written", func(e event) bool { return strings.Contains(e.Note, "write the image") }}, "up")
		time.Sleep(after) // the moment is what is random here
		b.reset(host, "ForceOff")
		if err := c.Process.Kill(); err != nil {
			b.Fatal(err)
		}
		c.wait()
		b.off(host)
		got, err := b.diskRoot()
		switch {
		case errors.Is(err, errNoTable):
			b.Logf("power cut %s after the write began: the disk doesn't boot", after.Round(time.Millisecond))
		case err != nil || got != want:
			b.Errorf("power cut %s after the write began: the disk boots and its root has digest %s, not %s (%v)", after, got, want, err)
		default:
			b.Logf("power cut %s after the write began: the image was on the disk, whole", after.Round(time.Millisecond))
		}
	}
	b.must(b.inside("up", "--yes", b.inventory()))
	b.exits(b.inside("plan", "--exit-code", b.inventory()), 0)
	if got, err := b.diskRoot(); err != nil || got != want {
		b.Errorf("the root has digest %s and should have %s: %v", got, want, err)
	}
}

// diskRoot is the digest of the root partition on the machine's disk.
func (b *bench) diskRoot() (string, error) {
	disk, err := os.Open(b.machine(host, "disk.raw"))
	if err != nil {
		return "", err
	}
	defer disk.Close()
	return rootDigest(disk)
}

// findsWrongBlock changes a byte of a file that nothing reads: the watch finds
// it, and the next run installs the host again.
func (b *bench) findsWrongBlock() {
	b.changeRoot(func(size int64) int64 { return size / 2 })
	b.reset(host, "On")
	b.until("the watch to find the wrong block", startTime, func() (bool, string) {
		said := b.console()
		return strings.Contains(said, "CORRUPT: the root partition doesn't hold what was written: data block"), said[max(0, len(said)-300):]
	})
	b.reinstalls()
}

// findsWrongSuperblock changes a byte without which the root can't be mounted:
// the initramfs says so.
func (b *bench) findsWrongSuperblock() {
	b.reset(host, "ForceOff")
	b.off(host)
	b.changeRoot(func(int64) int64 { return 1024 + 8 })
	before := len(b.console())
	b.reset(host, "On")
	b.until("the initramfs to refuse the root", startTime, func() (bool, string) {
		said := b.console()[before:]
		return strings.Contains(said, "the root partition doesn't hold what was written (data block 0 is corrupted)"), said[max(0, len(said)-300):]
	})
	if strings.Contains(b.console()[before:], "running in system mode") {
		b.Error("a system with a wrong root was started")
	}
	b.reinstalls()
}

// changeRoot changes one bit of the root partition of a machine that is off.
func (b *bench) changeRoot(at func(size int64) int64) {
	b.Helper()
	disk, err := os.OpenFile(b.machine(host, "disk.raw"), os.O_RDWR, fs.FileMode(0))
	if err != nil {
		b.Fatal(err)
	}
	defer disk.Close()
	_, first, end, err := rootPlace(disk)
	if err != nil {
		b.Fatal(err)
	}
	where, bit := first+at(end-first), make([]byte, 1)
	if _, err := disk.ReadAt(bit, where); err != nil {
		b.Fatal(err)
	}
	bit[0] ^= 1
	if _, err := disk.WriteAt(bit, where); err != nil {
		b.Fatal(err)
	}
}

// reinstalls wants that up names the wrong root, writes the host anew, and that
// nothing is left to do.
func (b *bench) reinstalls() {
	b.Helper()
	r := b.must(b.inside("up", "--yes", b.inventory()))
	if !strings.Contains(r.out, "its root partition doesn't hold what was written: data block") || !strings.Contains(r.out, "erases") {
		b.Errorf("the run doesn't say why it writes the host anew\n%s", r)
	}
	b.exits(b.inside("plan", "--exit-code", b.inventory()), 0)
}
