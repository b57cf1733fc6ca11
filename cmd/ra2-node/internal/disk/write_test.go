package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/gpt"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// random gives bytes that are the same in every run, with holes of zeros.
func random(size int) []byte {
	data := make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	for at := 0; at < size; at += 2 * chunk {
		_, _ = r.Read(data[at:min(at+chunk, size)])
	}
	return data
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// old is a disk that held something else.
func old(t *testing.T, size int) (*Device, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, bytes.Repeat([]byte("old!"), size/4), 0o600); err != nil {
		t.Fatal(err)
	}
	return reopen(t, path), path
}

func reopen(t *testing.T, path string) *Device {
	t.Helper()
	dev, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}

func quiet(string, int64, int64) {}

func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// asleep checks that nothing on the disk can boot.
func asleep(t *testing.T, path string) {
	t.Helper()
	data := content(t, path)
	if !isZero(data[:Head]) || !isZero(data[len(data)-Head:]) {
		t.Error("the first or the last MiB of the disk isn't blank: an old or half an image may boot")
	}
}

func TestWrite(t *testing.T) {
	for _, size := range []int{2 * Head, 3 * chunk, 3*chunk + Head + 512} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			image := random(size)
			dev, path := old(t, size+8*Head+512)
			w, err := Write(t.Context(), dev, bytes.NewReader(image), Want{digestOf(image), int64(size)}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			asleep(t, path)
			if err := w.Seal(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(content(t, path)[:size], image) {
				t.Error("the disk doesn't hold the image")
			}
		})
	}
}

func TestWrongImage(t *testing.T) {
	image := random(3 * chunk)
	for name, c := range map[string]struct {
		stream io.Reader
		bytes  int64
		says   string
	}{
		"flipped byte": {bytes.NewReader(flip(image, chunk+7)), int64(len(image)), "has the digest"},
		"flipped head": {bytes.NewReader(flip(image, 600)), 0, "has the digest"},
		"ends early":   {bytes.NewReader(image[:2*chunk]), int64(len(image)), "ended after"},
		"cut":          {io.MultiReader(bytes.NewReader(image[:chunk+5]), iotest.ErrReader(errors.New("connection reset"))), 0, "connection reset"},
		"too long":     {io.LimitReader(zeros{}, 1<<30), 0, "longer than the disk"},
		"too large":    {bytes.NewReader(image), 1 << 40, "doesn't fit"},
		"tiny":         {bytes.NewReader(image[:100]), 0, "only 100 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			dev, path := old(t, 5*chunk)
			_, err := Write(t.Context(), dev, c.stream, Want{digestOf(image), c.bytes}, quiet)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v and want %q", err, c.says)
			}
			if name != "too large" { // refused before the first write
				asleep(t, path)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func flip(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 1
	return out
}

// A disk that forgets what was written is found before anything boots from it.
func TestForgetfulDisk(t *testing.T) {
	image := random(3 * chunk)
	for _, at := range []int64{Head + 3, chunk + 17, 2*chunk + 1} {
		dev, path := old(t, 5*chunk)
		spoil := func(doing string, done, _ int64) {
			if doing == "writing image" && done == int64(len(image)) {
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				if _, err := f.WriteAt([]byte{image[at] ^ 1}, at); err != nil {
					t.Error(err)
				}
			}
		}
		_, err := Write(t.Context(), dev, bytes.NewReader(image), Want{digestOf(image), 0}, spoil)
		if err == nil || !strings.Contains(err.Error(), "doesn't hold what was written") {
			t.Errorf("byte %d: %v", at, err)
		}
		asleep(t, path)
	}
}

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("it took more than 1s"))
	dev, path := old(t, 5*chunk)
	_, err := Write(ctx, dev, bytes.NewReader(random(3*chunk)), Want{}, quiet)
	if err == nil || !strings.Contains(err.Error(), "it took more than 1s") {
		t.Error(err)
	}
	asleep(t, path)
}

// partitioned is an image with a real table.
func partitioned(t *testing.T) []byte {
	t.Helper()
	if _, err := exec.LookPath("sgdisk"); err != nil {
		t.Skip("needs sgdisk (Debian package gdisk)")
	}
	made := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(made, random(12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sgdisk", "-Z", made).CombinedOutput(); err != nil {
		t.Logf("%s", out) // it complains of what it takes away
	}
	out, err := exec.Command("sgdisk", "-n1:2048:+1M", "-c1:ra2-esp", "-n2:0:+1M", "-c2:ra2-config", "-n3:0:+2M", "-c3:ra2-root", "-n4:0:0", "-c4:ra2-data", made).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return content(t, made)
}

// A real table: the configuration lands in its partition, the disk is whole.
func TestConfigure(t *testing.T) {
	image := partitioned(t)
	dev, path := old(t, 64<<20)
	w, err := Write(t.Context(), dev, bytes.NewReader(image), Want{digestOf(image), 0}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	config := agent.NodeConfig{Node: "cp-a", Session: "s"}
	if err := w.Configure(config); err != nil {
		t.Fatal(err)
	}
	if data := content(t, path); !isZero(data[:Head]) {
		t.Error("the disk boots before it is sealed")
	}
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sgdisk", "-v", path).CombinedOutput(); err != nil || !strings.Contains(string(out), "No problems found") {
		t.Errorf("sgdisk -v: %v\n%s", err, out)
	}
	data := content(t, path)
	table, err := gpt.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	part, err := table.Find(agent.PartConfig)
	if err != nil {
		t.Fatal(err)
	}
	got, err := agent.DecodeConfig(data[part.Offset() : part.Offset()+part.Bytes()])
	if err != nil || got.Node != "cp-a" {
		t.Errorf("the partition holds %+v, %v", got, err)
	}
	root, err := table.Find(agent.PartRoot)
	if err != nil || !bytes.Equal(data[root.Offset():root.Offset()+root.Bytes()], image[root.Offset():root.Offset()+root.Bytes()]) {
		t.Errorf("the root changed: %v", err)
	}
}
