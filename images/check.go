package images

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// Different says that two builds of the same inputs gave other bytes, and
// where.
type Different struct {
	First, Second Manifest
}

// Error names what differs: packages that a mirror changed meanwhile, else the
// partitions and files.
func (d *Different) Error() string {
	words := []string{fmt.Sprintf("two builds differ: sha256:%s and sha256:%s", short(d.First.Digest), short(d.Second.Digest))}
	if gone, came := changed(d.First, d.Second); len(gone)+len(came) > 0 {
		words = append(words, "the mirror gave other packages: "+strings.Join(gone, ", ")+" became "+strings.Join(came, ", "))
	}
	parts := maps.Clone(d.First.Parts)
	maps.Copy(parts, d.Second.Parts)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if a, b := d.First.Parts[name], d.Second.Parts[name]; a != b {
			words = append(words, fmt.Sprintf("partition %s: sha256:%s and sha256:%s", name, short(a), short(b)))
		}
	}
	for _, f := range [][3]string{{FileKernel, d.First.KernelDigest, d.Second.KernelDigest}, {FileInitrd, d.First.InitrdDigest, d.Second.InitrdDigest}} {
		if f[1] != f[2] {
			words = append(words, fmt.Sprintf("%s: sha256:%s and sha256:%s", f[0], short(f[1]), short(f[2])))
		}
	}
	return strings.Join(words, "\n")
}

// without returns what is in a and not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// Checked is what building an image anew has shown.
type Checked struct {
	Image Manifest
	Newer string // which packages a mirror has now that the image doesn't hold; empty when it holds what there is
}

// Check builds the image that s describes, or finds it made, and then builds
// it once more from nothing, in an empty cache of its own that is removed
// afterwards. The error is *Different when the second has other bytes. Where a
// mirror has newer packages than the image, two builds of those are compared.
func Check(ctx context.Context, s Spec, cacheDir string, report func(Progress)) (Checked, error) {
	first, err := Build(ctx, s, cacheDir, report)
	if err != nil {
		return Checked{}, err
	}
	done := Checked{Image: first}
	second, err := anew(ctx, s, cacheDir, report)
	if err != nil {
		return done, err
	}
	if gone, came := changed(first, second); len(gone)+len(came) > 0 {
		done.Newer = strings.Join(gone, ", ") + " became " + strings.Join(came, ", ")
		first = second
		if second, err = anew(ctx, s, cacheDir, report); err != nil {
			return done, err
		}
	}
	if first.Digest != second.Digest {
		return done, &Different{first, second}
	}
	return done, nil
}

// changed returns the packages that only one of two images has.
func changed(a, b Manifest) (gone, came []string) {
	return without(a.Packages, b.Packages), without(b.Packages, a.Packages)
}

// anew builds from nothing.
func anew(ctx context.Context, s Spec, cacheDir string, report func(Progress)) (Manifest, error) {
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	dir, err := os.MkdirTemp(cacheDir, "check-")
	if err != nil {
		return Manifest{}, fmt.Errorf("check image: %w", err)
	}
	defer os.RemoveAll(dir)
	again := report
	if report != nil {
		again = func(p Progress) { report(Progress{"again: " + p.Doing, p.Takes}) }
	}
	m, err := Build(ctx, s, dir, again)
	if err != nil {
		err = fmt.Errorf("check image: %w", err)
	}
	return m, err
}
