package images

import (
	"strings"
	"testing"
)

// TestDifferent: a person who rebuilt an image is told where it differs.
func TestDifferent(t *testing.T) {
	first := Manifest{Digest: "aa", KernelDigest: "k", InitrdDigest: "i", Packages: []string{"bash 5.2", "linux 6.12"}, Parts: map[string]string{"ra2-esp": "e", "ra2-root": "r", "ra2-data": "d"}}
	for _, c := range []struct {
		name   string
		change func(*Manifest)
		want   []string
	}{
		{"a package", func(m *Manifest) {
			m.Packages = []string{"bash 5.3", "linux 6.12"}
			m.Parts = map[string]string{"ra2-esp": "e", "ra2-root": "R", "ra2-data": "d"}
		}, []string{"other packages: bash 5.2 became bash 5.3", "partition ra2-root: sha256:r and sha256:R"}},
		{"the initrd", func(m *Manifest) { m.InitrdDigest = "I" }, []string{"initrd: sha256:i and sha256:I"}},
		{"a partition that is new", func(m *Manifest) {
			m.Parts = map[string]string{"ra2-esp": "e", "ra2-root": "r", "ra2-data": "d", "ra2-hash": "h"}
		}, []string{"partition ra2-hash: sha256: and sha256:h"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			second := first
			second.Digest = "bb"
			c.change(&second)
			lines := strings.Split((&Different{first, second}).Error(), "\n")
			if lines[0] != "two builds differ: sha256:aa and sha256:bb" || len(lines) != len(c.want)+1 {
				t.Fatalf("%q", lines)
			}
			for i, want := range c.want {
				if !strings.HasSuffix(lines[i+1], want) {
					t.Errorf("%q, want %q", lines[i+1], want)
				}
			}
		})
	}
	if len(first.Parts) != 3 {
		t.Errorf("telling changed the manifest: %v", first.Parts)
	}
}
