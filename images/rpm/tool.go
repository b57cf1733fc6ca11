package rpm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// epoch is the time of an installation: 2026-01-01T00:00:00Z.
const epoch = "1767225600"

// Programs gives the external programs that this package runs and the Debian
// packages that hold them. dnf's plugin "download" comes besides, in Debian's
// dnf-plugins-core.
func Programs() map[string]string {
	return map[string]string{"dnf": "dnf", "rpm": "rpm", "rpmkeys": "rpm", "createrepo_c": "createrepo-c", "unshare": "util-linux", "mount": "mount"}
}

// tool is dnf and rpm with settings of their own.
type tool struct {
	dir string // of settings, lists and downloads; also the home of rpm's macros
}

// withTool works with a tool whose folder lies beside a path and is gone
// afterwards. config gives the text of dnf.conf, for a folder that isn't there.
func withTool(beside string, config func(none string) string, work func(tool) error) error {
	beside, err := filepath.Abs(beside)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(beside), "rpm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"dnf.conf": config(filepath.Join(dir, "none")), "enter": enter} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return work(tool{dir})
}

// config is the text of dnf.conf(5) for the archive.
func (a Archive) config(none string) string {
	text := options(none, "gpgcheck=1", "localpkg_gpgcheck=1")
	for _, r := range a.Repositories {
		var keys []string
		for _, key := range r.Keys {
			keys = append(keys, "file://"+key)
		}
		text += fmt.Sprintf("\n[%s]\nname=%s\nbaseurl=%s\ngpgkey=%s\n", r.Name, r.Name, r.URL, strings.Join(keys, " "))
		if r.Signed {
			text += "repo_gpgcheck=1\n"
		}
	}
	return text
}

// options is the main section of dnf.conf(5). The folder none doesn't exist:
// nothing of the host's is read.
func options(none string, more ...string) string {
	all := append([]string{"[main]", "best=1", "install_weak_deps=0", "tsflags=nodocs", "skip_if_unavailable=0", "reposdir=" + none, "varsdir=" + none,
		"check_config_file_age=0", "protected_packages=", "retries=3", "timeout=60"}, more...)
	return strings.Join(all, "\n") + "\n"
}

// macros sets where rpm keeps the database of a tree. Debian's rpm keeps it in
// the user's home unless told otherwise (Debian bug 1004863), and reads this
// file there. The rpm of openSUSE, which keeps another kind of database by
// itself, reads the kind that it finds; Debian's can't write that one.
func (t tool) macros(database string) error {
	return os.WriteFile(filepath.Join(t.dir, ".rpmmacros"), []byte("%_dbpath "+database+"\n%_db_backend sqlite\n"), 0o644)
}

// enter gives scriptlets what they expect in a system: /proc, and the devices
// that every shell script writes to, in a mount namespace of its own.
const enter = `set -e
root=$1
shift
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
exec "$@"
`

// dnf runs dnf for the tree at root. Its lists, logs and history lie in the
// tree until settle removes them.
func (t tool) dnf(ctx context.Context, root, release string, args ...string) error {
	_, err := t.dnfSays(ctx, root, release, args...)
	return err
}

func (t tool) dnfSays(ctx context.Context, root, release string, args ...string) ([]byte, error) {
	return t.run(ctx, t.dnfLine(root, release, args...)...)
}

func (t tool) dnfLine(root, release string, args ...string) []string {
	return append([]string{"dnf", "--assumeyes", "--config=" + filepath.Join(t.dir, "dnf.conf"), "--releasever=" + release, "--installroot=" + root}, args...)
}

// inside runs a command while the tree at root has its /proc and /dev.
func (t tool) inside(ctx context.Context, root string, args ...string) error {
	for _, point := range []string{"proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, point), 0o755); err != nil {
			return err
		}
	}
	line := []string{"unshare", "--mount", "--propagation", "private", "sh", filepath.Join(t.dir, "enter"), root}
	_, err := t.run(ctx, append(line, args...)...)
	return err
}

// run runs any program of the rpm family with our settings.
func (t tool) run(ctx context.Context, args ...string) ([]byte, error) {
	env := []string{"HOME=" + t.dir, "SOURCE_DATE_EPOCH=" + epoch, "LC_ALL=C.UTF-8", "TZ=UTC"}
	return command.Run(ctx, command.Command{Dir: t.dir, Env: env, Args: args})
}
