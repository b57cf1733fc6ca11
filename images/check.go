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
	gone, came := without(d.First.Packages, d.Second.Packages), without(d.Second.Packages, d.First.Packages)
	if len(gone)+len(came) > 0 {
		words = append(words, "the mirror gives other packages now: "+strings.Join(gone, ", ")+" became "+strings.Join(came, ", "))
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

// Check builds the image that s describes, or finds it made, and then builds
// it once more from nothing, in an empty cache of its own that is removed
// afterwards. It returns the first; the error is *Different when the second has
// other bytes.
func Check(ctx context.Context, s Spec, cacheDir string, report func(Progress)) (Manifest, error) {
	first, err := Build(ctx, s, cacheDir, report)
	if err != nil {
		return first, err
	}
	if cacheDir == "" {
		cacheDir = DefaultCache
	}
	dir, err := os.MkdirTemp(cacheDir, "check-")
	if err != nil {
		return first, fmt.Errorf("check image: %w", err)
	}
	defer os.RemoveAll(dir)
	again := report
	if report != nil {
		again = func(p Progress) { report(Progress{"again: " + p.Doing, p.Takes}) }
	}
	second, err := Build(ctx, s, dir, again)
	if err != nil {
		return first, fmt.Errorf("check image: %w", err)
	}
	if first.Digest != second.Digest {
		return first, &Different{first, second}
	}
	return first, nil
}
