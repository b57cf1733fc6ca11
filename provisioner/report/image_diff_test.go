package report_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

func anImage() images.Manifest {
	return images.Manifest{
		Digest: "aa", Bundle: "sha256:b1", Distribution: "debian-13", Kernel: "cloud", KernelRelease: "6.12.117", KubernetesVersion: "v1.37.2",
		CompressedBytes: 90_000_000, CompressedDigest: "c1",
		Packages: []string{"bash 5.2", "curl 8.14", "runc 1.1.15"},
		Units:    map[string]string{"chrony.service": images.UnitEnabled, "getty@.service": images.UnitMasked},
		Sysctls:  map[string]string{"kernel.panic": "10"}, KernelLine: "ra2.mode=boot ra2.verity=11 console=tty0 quiet",
		Parts: map[string]string{"ra2-root": "r1", "ra2-data": "d1"}, PartBytes: map[string]int64{"ra2-root": 100_000_000, "ra2-data": 200_000_000},
	}
}

func TestDiffImages(t *testing.T) {
	a, b := anImage(), anImage()
	b.Digest, b.Bundle, b.KernelRelease, b.CompressedBytes, b.CompressedDigest = "bb", "sha256:b2", "6.12.118", 91_500_000, "c2"
	b.Packages = []string{"bash 5.2", "curl 8.15", "nftables 1.1"}
	b.Units = map[string]string{"chrony.service": images.UnitMasked, "ra2-watch.service": images.UnitEnabled}
	b.Sysctls = map[string]string{"kernel.panic": "10", "kernel.sysrq": "0"}
	b.KernelLine = "ra2.mode=boot ra2.verity=22 console=tty0 iommu=pt"
	b.Parts = map[string]string{"ra2-root": "r2", "ra2-data": "d1", "ra2-verity": "v"}
	b.PartBytes = map[string]int64{"ra2-root": 102_000_000, "ra2-data": 200_000_000, "ra2-verity": 1_000_000}
	const want = `A  sha256:aa
   debian-13, kernel 6.12.117 (cloud), Kubernetes v1.37.2, of bundle sha256:b1
B  sha256:bb
   debian-13, kernel 6.12.118 (cloud), Kubernetes v1.37.2, of bundle sha256:b2
packages: 1 came, 1 gone, 1 differ
  ~ curl 8.14 → 8.15
  + nftables 1.1
  - runc 1.1.15
units: 1 came, 1 gone, 1 differ
  ~ chrony.service enabled → masked
  - getty@.service masked
  + ra2-watch.service enabled
kernel settings: 1 came, 0 gone, 0 differ
  + kernel.sysrq 0
kernel line: 
  - quiet
  + iommu=pt
sizes:
  ra2-data          200 MB  the same bytes
  ra2-root          100 MB  102 MB  +2.0 MB
  ra2-verity           0 B  1000 kB  +1.0 MB
  image.raw.zst      90 MB  91 MB  +1.5 MB
`
	d := report.DiffImages("v0", a, b)
	if diff := cmp.Diff(want, d.Text()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	back := report.DiffImages("v0", b, a)
	if len(back.Packages) != 3 || back.Packages[1] != (report.Changed{Name: "nftables", A: "1.1"}) {
		t.Errorf("the other way round: %+v", back.Packages)
	}
}

// TestDiffImagesSame: an image doesn't differ from itself, and one whose
// manifest an older ra2-deploy wrote is compared by what it has.
func TestDiffImagesSame(t *testing.T) {
	d := report.DiffImages("v0", anImage(), anImage())
	if !d.Same || len(d.Packages)+len(d.Units)+len(d.Sysctls)+len(d.KernelLine.Came) != 0 {
		t.Errorf("%+v", d)
	}
	old := anImage()
	old.Digest, old.Units, old.Sysctls, old.Parts, old.PartBytes = "00", nil, nil, nil, nil
	d = report.DiffImages("v0", old, anImage())
	if d.Same || len(d.Units) != 2 || d.Packages == nil || d.Parts == nil {
		t.Errorf("%+v", d)
	}
}
