package bundle

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerifyGood(t *testing.T) {
	b := made(t, key(t, 1).Sign)
	file := filepath.Join(t.TempDir(), "bundle.tar")
	if err := os.WriteFile(file, exported(t, b), 0o644); err != nil {
		t.Fatal(err)
	}
	v := key(t, 1).Verifier()
	for _, path := range []string{b.Dir(), file} {
		for _, key := range []*Verifier{nil, &v} {
			var last Progress
			c, err := Verify(t.Context(), path, key, func(p Progress) { last = p })
			if err != nil {
				t.Fatal(err)
			}
			if c.Signer != v.ID() || c.Bundle.Digest() != b.Digest() || len(c.Bundle.Items()) != 6 || c.Bytes < 10_000 {
				t.Errorf("%+v", c)
			}
			if last.Doing != "read" || last.OfBytes != c.Bytes {
				t.Errorf("the last words were %+v of %d bytes", last, c.Bytes)
			}
		}
	}
}

// Each case is made in a directory, and in the file that Export would have made
// of it before.
func TestVerifyNamesWhatIsWrong(t *testing.T) {
	other := key(t, 2)
	for name, c := range map[string]struct {
		sign   func([]byte) ([]byte, error)
		change func(t *testing.T, b Bundle, libc string)
		want   []string // a part of each problem's line
	}{
		"missing": {nil, func(t *testing.T, _ Bundle, libc string) { remove(t, libc) },
			[]string{"deb libc6 1:2.3~rc1-4+deb13u1: it is missing (blobs/sha256/"}},
		"wrong digest": {nil, func(t *testing.T, _ Bundle, libc string) { change(t, libc) },
			[]string{"deb libc6 1:2.3~rc1-4+deb13u1: its digest is sha256:"}},
		"cut off": {nil, func(t *testing.T, _ Bundle, libc string) { write(t, libc, "x") },
			[]string{"deb libc6 1:2.3~rc1-4+deb13u1: it has 1 bytes and should have 1700"}},
		"foreign files": {nil, func(t *testing.T, b Bundle, _ string) {
			write(t, filepath.Join(b.Dir(), "notes.txt"), "x")
			write(t, filepath.Join(b.Dir(), dirBlobs, strings.Repeat("a", 64)), "x")
		}, []string{"blobs/sha256/aaaa", "notes.txt: nothing in the bundle needs it"}},
		"a link": {nil, func(t *testing.T, b Bundle, libc string) {
			if err := os.Rename(libc, filepath.Join(t.TempDir(), "x")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/dev/null", libc); err != nil {
				t.Fatal(err)
			}
		}, []string{"deb libc6 1:2.3~rc1-4+deb13u1: it has 0 bytes", "it is no regular file"}},
		"no index": {nil, func(t *testing.T, b Bundle, _ string) { remove(t, filepath.Join(b.Dir(), fileIndex)) },
			[]string{"index.json: it is missing"}},
		"another index": {nil, func(t *testing.T, b Bundle, _ string) { write(t, filepath.Join(b.Dir(), fileIndex), "{}") },
			[]string{"index.json: its content doesn't follow from bundle.json"}},
		"unknown item": {nil, func(t *testing.T, b Bundle, _ string) {
			edit(t, filepath.Join(b.Dir(), FileList), `"kind": "image"`, `"kind": "chart"`)
		}, []string{`bundle.json: `}},
		"a manifest": {nil, func(t *testing.T, b Bundle, _ string) {
			i, err := b.Find(Image, "registry.k8s.io/pause:v1")
			if err != nil {
				t.Fatal(err)
			}
			write(t, b.Path(i), "{}")
		}, []string{"image registry.k8s.io/pause:v1: its manifest", "image registry.k8s.io/pause:v1: it has 2 bytes"}},
		"a layer": {nil, func(t *testing.T, b Bundle, _ string) { change(t, layerOf(t, b, "registry.k8s.io/pause:v1")) },
			[]string{"layer of image registry.k8s.io/pause:v1: its digest is"}},
		"everything": {other.Sign, func(t *testing.T, b Bundle, libc string) {
			change(t, libc)
			remove(t, layerOf(t, b, "registry.k8s.io/pause:v1"))
			write(t, filepath.Join(b.Dir(), "x"), "")
		}, []string{"it was signed by key " + other.Verifier().ID(), "layer of image", "deb libc6", "x: nothing"}},
		"wrong signer": {other.Sign, func(*testing.T, Bundle, string) {}, []string{"bundle.json.minisig: it was signed by key " + other.Verifier().ID() + ", not by " + key(t, 1).Verifier().ID()}},
		"not signed":   {func([]byte) ([]byte, error) { return nil, nil }, func(t *testing.T, b Bundle, _ string) { remove(t, filepath.Join(b.Dir(), FileSignature)) }, []string{"the bundle is not signed, and should be by key " + key(t, 1).Verifier().ID()}},
		"no signature": {func([]byte) ([]byte, error) { return []byte("hello"), nil }, func(*testing.T, Bundle, string) {}, []string{"this is no signature of minisign"}},
		"another list": {func([]byte) ([]byte, error) { return key(t, 1).Sign([]byte("x")) }, func(*testing.T, Bundle, string) {}, []string{"its signature by key " + key(t, 1).Verifier().ID() + " is wrong"}},
		"forged comment": {func(list []byte) ([]byte, error) {
			s, err := key(t, 1).Sign(list)
			return bytes.Replace(s, []byte("ra2-deploy bundle"), []byte("ra2-deploy bindle"), 1), err
		}, func(*testing.T, Bundle, string) {}, []string{"its signature by key"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := made(t, c.sign)
			i, err := b.Find(Deb, "libc6")
			if err != nil {
				t.Fatal(err)
			}
			var v *Verifier
			if c.sign != nil {
				k := key(t, 1).Verifier()
				v = &k
			}
			c.change(t, b, b.Path(i))
			_, err = Verify(t.Context(), b.Dir(), v, nil)
			got := problems(t, err)
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no word of %q in:\n%v", want, err)
				}
			}
			if len(got) != len(c.want) && name != "unknown item" {
				t.Errorf("%d problems, want %d:\n%v", len(got), len(c.want), err)
			}
		})
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, file, old, new string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %s, %v", file, old, err)
	}
	write(t, file, strings.ReplaceAll(string(text), old, new))
}

// layerOf returns the file of an image's first layer.
func layerOf(t *testing.T, b Bundle, name string) string {
	t.Helper()
	i, err := b.Find(Image, name)
	if err != nil {
		t.Fatal(err)
	}
	image, err := b.Image(i)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	d, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(b.Dir(), dirBlobs, d.Hex)
}

func TestVerifyWhatIsNone(t *testing.T) {
	if _, err := Verify(t.Context(), filepath.Join(t.TempDir(), "x"), nil, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	_, err := Verify(t.Context(), t.TempDir(), nil, nil)
	if problems(t, err); !strings.Contains(err.Error(), "bundle.json, which is written last") {
		t.Errorf("an empty directory: %v", err)
	}
	file := filepath.Join(t.TempDir(), "x")
	write(t, file, strings.Repeat("not an archive", 100))
	_, err = Verify(t.Context(), file, nil, nil)
	problems(t, err)
}

func TestVerifyInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Verify(ctx, made(t, nil).Dir(), nil, func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*Bad)) {
		t.Errorf("got %v", err)
	}
}

func TestFind(t *testing.T) {
	b := made(t, key(t, 1).Sign)
	v, other := key(t, 1).Verifier(), key(t, 2).Verifier()
	cache := t.TempDir()
	if got, err := Find(t.Context(), b.Dir(), cache, &v, nil); err != nil || got.Dir() != b.Dir() {
		t.Errorf("a directory: %s, %v", got.Dir(), err)
	}
	empty(t, cache)
	file := filepath.Join(t.TempDir(), "bundle.tar")
	if err := os.WriteFile(file, exported(t, b), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Find(t.Context(), file, cache, &other, nil)
	problems(t, err)
	empty(t, cache)
	for range 2 { // the second is there already
		got, err := Find(t.Context(), file, cache, &v, nil)
		if err != nil || got.Digest() != b.Digest() || got.Dir() != filepath.Join(cache, "bundles", b.Digest().Hex()) {
			t.Fatalf("a file: %s, %v", got.Dir(), err)
		}
	}
	i, err := b.Find(Deb, "libc6")
	if err != nil {
		t.Fatal(err)
	}
	change(t, filepath.Join(cache, "bundles", b.Digest().Hex(), dirBlobs, i.Digest.Hex()))
	_, err = Find(t.Context(), file, cache, &v, nil)
	if problems(t, err); !strings.Contains(err.Error(), "deb libc6") {
		t.Errorf("a cache that rots: %v", err)
	}
}
