package rpm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/family"
)

// database is where Fedora's rpm keeps it.
const database = "/usr/lib/sysimage/rpm"

// archive is a real one: that of package e2e/rpmrepo, or any with Fedora's
// package names. The environment names its folder.
func archive(t *testing.T) Archive {
	t.Helper()
	dir := os.Getenv("RA2_RPMREPO")
	if dir == "" || os.Geteuid() != 0 {
		t.Skip("needs root and a repository: go test ./e2e/rpmrepo makes one")
	}
	return Archive{Release: "1", Repositories: []Repository{{
		Name: "test", URL: "file://" + filepath.Join(dir, "repo"), Keys: []string{filepath.Join(dir, "RPM-GPG-KEY-ra2-test-rpm")}, Signed: true,
	}}}
}

// packages downloads what systems are made of.
func packages(t *testing.T, install, alone []string) []family.Package {
	t.Helper()
	found, err := archive(t).Download(t.Context(), t.TempDir(), install, alone)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range found {
		if f.URL != archive(t).Repositories[0].URL || !strings.HasSuffix(f.Path, ".rpm") {
			t.Errorf("%s is from %s %s", f.File, f.URL, f.Path)
		}
		files = append(files, f.File)
	}
	all, err := Describe(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Two systems of the same packages have the same bytes, and their own rpm says
// what they hold, also where it can write nothing.
func TestSystem(t *testing.T) {
	names := []string{"fedora-release", "systemd", "systemd-udev", "rpm", "chrony"}
	all := packages(t, slices.Concat(names, []string{"syslinux-nonlinux"}), nil)
	extra, err := family.Pick(all, []string{"syslinux-nonlinux"})
	if err != nil {
		t.Fatal(err)
	}
	f, trees := Family{Database: database}, []string{}
	for range 2 {
		dir := filepath.Join(t.TempDir(), "root")
		if err := f.System(t.Context(), dir, all, names); err != nil {
			t.Fatal(err)
		}
		if err := f.Add(t.Context(), dir, extra[0].File); err != nil {
			t.Fatal(err)
		}
		trees = append(trees, dir)
	}
	run(t, "diff", "--recursive", "--no-dereference", trees[0], trees[1])
	installed, err := f.Installed(t.Context(), trees[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := family.Pick(installed, append(names, "glibc", "syslinux-nonlinux")); err != nil {
		t.Errorf("%v of %v", err, installed)
	}
	run(t, "diff", "--recursive", "--no-dereference", trees[0], trees[1]) // a look leaves nothing behind
	readOnly := []string{"unshare", "--mount", "--propagation", "private", "sh", "-c", `mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec chroot "$0" "$@"`, trees[0]}
	inside := strings.Fields(run(t, append(readOnly, "rpm", "-qa", "--qf", `%{NAME}\n`)...))
	if len(inside) != len(installed) || !slices.Contains(inside, "chrony") {
		t.Errorf("rpm -qa inside says %v, the database has %v", inside, installed)
	}
	// Owner and mode are for scriptlets to set, and so is configuration ("c"). No
	// file is missing, and none has other content.
	for line := range strings.Lines(run(t, append(readOnly, "sh", "-c", "rpm -Va || :")...)) {
		if strings.HasPrefix(line, "missing") || strings.Contains(line[:9], "5") && !strings.Contains(line, " c /etc/") {
			t.Errorf("rpm -Va finds %s", line)
		}
	}
}

// What a bundle lacks is named.
func TestSystemLacks(t *testing.T) {
	all := packages(t, []string{"filesystem", "chrony"}, nil)
	f, dir := Family{Database: database}, filepath.Join(t.TempDir(), "root")
	if err := f.System(t.Context(), dir, all, []string{"chrony", "no-such-package"}); !errors.As(err, new(*family.Lacking)) {
		t.Errorf("a package that isn't there: %v", err)
	}
	less := slices.DeleteFunc(all, func(p family.Package) bool { return strings.HasPrefix(p.Name, "libcap2") })
	if err := f.System(t.Context(), dir, less, []string{"chrony"}); err == nil || !strings.Contains(err.Error(), "libcap") {
		t.Errorf("a library that isn't there: %v", err)
	}
}

// What isn't installed is laid out as it is packaged.
func TestUnpack(t *testing.T) {
	names := []string{"kernel-core", "kernel-modules-core", "kernel-modules", "ipxe-bootimgs-x86"}
	all := packages(t, nil, names)
	dir := filepath.Join(t.TempDir(), "kernel")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	laid, err := Family{Database: database}.Unpack(t.Context(), dir, all, names)
	if err != nil {
		t.Fatal(err)
	}
	if len(laid) != 4 || laid[1].Name != "kernel-core" {
		t.Errorf("laid out: %v", laid)
	}
	for _, pattern := range []string{"lib/modules/*/vmlinuz", "lib/modules/*/config", "usr/lib/modules/*/kernel/fs/erofs/erofs.ko*", "usr/share/ipxe/undionly.kpxe"} {
		if found, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", pattern, found, err)
		}
	}
	if found, err := filepath.Glob(filepath.Join(dir, database, "*")); err != nil || len(found) != 0 {
		t.Errorf("left: %v, %v", found, err)
	}
}

// Nothing is taken that isn't signed by the archive's key, and what is asked
// for has to be there.
func TestDownloadRefuses(t *testing.T) {
	a := archive(t)
	key, other := a.Repositories[0].Keys[0], otherKey(t)
	for name, c := range map[string]struct {
		spoil func(*Repository)
		want  string
	}{
		"list signed by another key":     {func(r *Repository) { r.Keys = []string{other} }, "repomd.xml GPG signature verification error"},
		"packages signed by another key": {func(r *Repository) { r.Keys, r.Signed = []string{other}, false }, ""},
		"no such repository":             {func(r *Repository) { r.URL = "file:///nowhere" }, "/nowhere"},
		"no such key":                    {func(r *Repository) { r.Keys = []string{key + ".gone"} }, "distribution-gpg-keys"},
	} {
		t.Run(name, func(t *testing.T) {
			b := a
			b.Repositories = slices.Clone(a.Repositories)
			c.spoil(&b.Repositories[0])
			if found, err := b.Download(t.Context(), t.TempDir(), []string{"bash"}, nil); err == nil || !strings.Contains(err.Error(), or(c.want, "GPG check FAILED")) {
				t.Errorf("with what they need: %v, %v", found, err)
			}
			if found, err := b.Download(t.Context(), t.TempDir(), nil, []string{"bash"}); err == nil || !strings.Contains(err.Error(), or(c.want, "NOKEY")) {
				t.Errorf("alone: %v, %v", found, err)
			}
		})
	}
	if _, err := a.Download(t.Context(), t.TempDir(), []string{"bash", "no-such-package"}, nil); err == nil || !strings.Contains(err.Error(), "no-such-package") {
		t.Errorf("no such package: %v", err)
	}
	if _, err := a.Download(t.Context(), t.TempDir(), nil, []string{"bash", "no-such-package"}); err == nil || !strings.Contains(err.Error(), "no-such-package") {
		t.Errorf("no such package, alone: %v", err)
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
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
