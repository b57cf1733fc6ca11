package bundle

import (
	"bytes"
	"context"
	"io"
	"math/rand"
	"path/filepath"
	"testing"
)

// large makes a bundle of eight files of 16 MB each: what a hash and a disk see
// of a real one.
func large(b *testing.B) (Bundle, int64) {
	b.Helper()
	w, err := Create(filepath.Join(b.TempDir(), "bundle"))
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	const size = 16 << 20
	for n := range 8 {
		r := io.LimitReader(rand.New(rand.NewSource(int64(n))), size)
		if _, err := w.AddFile(fileItem("f"+string(rune('0'+n))), r); err != nil {
			b.Fatal(err)
		}
	}
	made, err := w.Commit(nil)
	if err != nil {
		b.Fatal(err)
	}
	return made, 8 * size
}

func BenchmarkExport(b *testing.B) {
	made, size := large(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if err := made.Export(context.Background(), io.Discard, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkImport(b *testing.B) {
	made, size := large(b)
	file := exported(b, made)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Import(context.Background(), bytes.NewReader(file), filepath.Join(b.TempDir(), "imported"), nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	made, size := large(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(context.Background(), made.Dir(), nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
