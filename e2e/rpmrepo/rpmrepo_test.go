package rpmrepo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMake makes the whole repository and reads it with other programs: a
// minute and a half, root, network.
func TestMake(t *testing.T) {
	dir := os.Getenv("RA2_RPMREPO")
	if dir == "" || os.Geteuid() != 0 {
		t.Skip("needs root and the network: run sudo RA2_RPMREPO=/var/tmp/rpmrepo go test ./e2e/rpmrepo")
	}
	r, err := Make(t.Context(), dir, func(doing string) { t.Log(doing) })
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(r.Dir, "*.rpm"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d packages, %v", len(files), err)
	}
	keys := t.TempDir()
	run(t, "rpmkeys", "--dbpath", keys, "--import", r.Key)
	run(t, append([]string{"rpmkeys", "--dbpath", keys, "--define", "_pkgverify_level all", "--checksig"}, files...)...)
	// Nothing needs what isn't there.
	dnf := []string{"dnf", "--quiet", "--installroot", t.TempDir(), "--releasever=1", "--setopt=reposdir=/none", "--repofrompath=made," + r.URL, "--nogpgcheck"}
	run(t, append(dnf, "repoclosure")...)
	// rpmbuild's own search found what programs are linked with.
	if said := run(t, append(dnf, "repoquery", "--requires", "chrony")...); !strings.Contains(said, "libc.so.6(GLIBC_2.") || !strings.Contains(said, "iproute") {
		t.Errorf("chrony needs %s", said)
	}
	if again, err := Make(t.Context(), dir, func(doing string) {
		if strings.HasPrefix(doing, "make ") {
			t.Error("it is made a second time")
		}
	}); err != nil || again != r {
		t.Errorf("the second time %v, %v", again, err)
	}
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args[:2], err, out)
	}
	return string(out)
}
