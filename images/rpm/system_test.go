package rpm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repository is a real repository: that of package e2e/rpmrepo, or any with
// Fedora's package names. The environment names its folder.
func repository(t *testing.T) Archive {
	t.Helper()
	dir := os.Getenv("RA2_RPMREPO")
	if dir == "" || os.Geteuid() != 0 {
		t.Skip("needs root and a repository: go test ./e2e/rpmrepo makes one")
	}
	return Archive{Release: "1", Database: "/usr/lib/sysimage/rpm", Repositories: []Repository{{
		Name: "test", URL: "file://" + filepath.Join(dir, "repo"), Keys: []string{filepath.Join(dir, "RPM-GPG-KEY-ra2-test-rpm")}, Signed: true,
	}}}
}

// Two systems of the same packages have the same bytes, and their own rpm says
// what they hold, also where it can write nothing.
func TestSystem(t *testing.T) {
	a := repository(t)
	var trees []string
	for range 2 {
		dir := filepath.Join(t.TempDir(), "root")
		if err := a.System(t.Context(), dir, []string{"fedora-release", "systemd", "systemd-udev", "rpm", "chrony"}); err != nil {
			t.Fatal(err)
		}
		trees = append(trees, dir)
	}
	run(t, "diff", "--recursive", "--no-dereference", trees[0], trees[1])
	packages, err := a.Installed(t.Context(), trees[0])
	if err != nil || !slices.ContainsFunc(packages, func(p string) bool { return strings.HasPrefix(p, "systemd 2") }) {
		t.Errorf("installed: %v, %v", packages, err)
	}
	run(t, "diff", "--recursive", "--no-dereference", trees[0], trees[1]) // a look leaves nothing behind
	readOnly := []string{"unshare", "--mount", "--propagation", "private", "sh", "-c", `mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec chroot "$0" "$@"`, trees[0]}
	inside := strings.Fields(run(t, append(readOnly, "rpm", "-qa", "--qf", `%{NAME}\n`)...))
	if len(inside) < len(packages) || !slices.Contains(inside, "chrony") {
		t.Errorf("rpm -qa inside says %v, the database has %v", inside, packages)
	}
	// Owner and mode are for scriptlets to set, and so is configuration ("c"). No
	// file is missing, and none has other content.
	for line := range strings.Lines(run(t, append(readOnly, "sh", "-c", "rpm -Va || :")...)) {
		if strings.HasPrefix(line, "missing") || strings.Contains(line[:9], "5") && !strings.Contains(line, " c /etc/") {
			t.Errorf("rpm -Va finds %s", line)
		}
	}
}

// What isn't installed is laid out as it is packaged.
func TestUnpack(t *testing.T) {
	a, dir := repository(t), filepath.Join(t.TempDir(), "kernel")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	laid, err := a.Unpack(t.Context(), dir, []string{"kernel-core", "kernel-modules-core", "ipxe-bootimgs-x86"})
	if err != nil {
		t.Fatal(err)
	}
	if len(laid) != 3 || !strings.HasPrefix(laid[1], "kernel-core 6") {
		t.Errorf("laid out: %v", laid)
	}
	for _, pattern := range []string{"lib/modules/*/vmlinuz", "lib/modules/*/config", "usr/lib/modules/*/kernel/fs/erofs/erofs.ko*", "usr/share/ipxe/undionly.kpxe"} {
		if found, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", pattern, found, err)
		}
	}
	if found, err := filepath.Glob(filepath.Join(dir, "usr/lib/sysimage/*")); err != nil || len(found) != 0 {
		t.Errorf("left: %v, %v", found, err)
	}
}

// Nothing is taken that isn't signed by the repository's key, and what is asked
// for has to be there.
func TestRefuses(t *testing.T) {
	a := repository(t)
	key, other := a.Repositories[0].Keys[0], otherKey(t)
	for name, c := range map[string]struct {
		spoil    func(*Repository)
		packages []string
		want     string
	}{
		"list signed by another key":     {func(r *Repository) { r.Keys = []string{other} }, []string{"rpm"}, "repomd.xml GPG signature verification error"},
		"packages signed by another key": {func(r *Repository) { r.Keys, r.Signed = []string{other}, false }, []string{"rpm"}, "GPG"},
		"no such package":                {func(*Repository) {}, []string{"rpm", "no-such-package"}, "no-such-package"},
		"no such repository":             {func(r *Repository) { r.URL = "file:///nowhere" }, []string{"rpm"}, "/nowhere"},
		"no such key":                    {func(r *Repository) { r.Keys = []string{key + ".gone"} }, []string{"rpm"}, ".gone"},
	} {
		t.Run(name, func(t *testing.T) {
			b := a
			b.Repositories = slices.Clone(a.Repositories)
			c.spoil(&b.Repositories[0])
			dir := filepath.Join(t.TempDir(), "root")
			err := b.System(t.Context(), dir, c.packages)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("System: want an error with %q, got %v", c.want, err)
			}
			if err := os.MkdirAll(filepath.Join(dir, "unpacked"), 0o755); err != nil {
				t.Fatal(err)
			}
			if laid, err := b.Unpack(t.Context(), filepath.Join(dir, "unpacked"), c.packages); err == nil {
				t.Errorf("Unpack took %v", laid)
			}
		})
	}
}

// otherKey makes a key that nothing is signed with.
func otherKey(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "gpg-") // short: the agent's socket lies there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	t.Setenv("GNUPGHOME", home)
	run(t, "gpg", "--batch", "--passphrase", "", "--quick-generate-key", "somebody else", "rsa2048", "sign", "never")
	file := filepath.Join(t.TempDir(), "key")
	run(t, "gpg", "--batch", "--armor", "--output", file, "--export", "somebody else")
	return file
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}
