package rpm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// dnf is dnf and rpm with settings of their own, so that neither the host's
// repositories nor its macros matter.
type dnf struct {
	dir     string // of settings, lists and downloads
	release string
}

// withDnf works with a dnf whose folder lies beside dir and is gone afterwards.
func (a Archive) withDnf(dir string, work func(dnf) error) error {
	if err := a.Check(); err != nil {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(dir), "dnf-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	d := dnf{dir: scratch, release: a.Release}
	files := map[string]string{
		"dnf.conf": a.config(filepath.Join(scratch, "none")),
		// Debian's rpm keeps the database in the user's home unless told otherwise
		// (Debian bug 1004863).
		".rpmmacros": "%_dbpath " + a.Database + "\n%_db_backend " + backend + "\n",
		"enter":      enter,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(scratch, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return work(d)
}

// config is the text of dnf.conf(5). The folder none doesn't exist: nothing of
// the host's is read.
func (a Archive) config(none string) string {
	var s strings.Builder
	for _, option := range []string{"gpgcheck=1", "localpkg_gpgcheck=1", "best=1", "install_weak_deps=0", "tsflags=nodocs", "skip_if_unavailable=0",
		"reposdir=" + none, "varsdir=" + none, "check_config_file_age=0", "protected_packages=", "retries=3", "timeout=60"} {
		s.WriteString(option + "\n")
	}
	text := "[main]\n" + s.String()
	for _, r := range a.Repositories {
		text += r.config()
	}
	return text
}

func (r Repository) config() string {
	var s strings.Builder
	fmt.Fprintf(&s, "\n[%s]\nname=%s\n", r.Name, r.Name)
	for _, place := range [][2]string{{"baseurl", r.URL}, {"metalink", r.Metalink}, {"mirrorlist", r.Mirrors}} {
		if place[1] != "" {
			fmt.Fprintf(&s, "%s=%s\n", place[0], place[1])
		}
	}
	var keys []string
	for _, key := range r.Keys {
		keys = append(keys, "file://"+key)
	}
	fmt.Fprintf(&s, "gpgkey=%s\n", strings.Join(keys, " "))
	if r.Signed {
		s.WriteString("repo_gpgcheck=1\n")
	}
	return s.String()
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

// line is a command line of dnf for the tree at root. Its lists, logs and
// history lie in the tree until settle removes them.
func (d dnf) line(root string, args []string) []string {
	return append([]string{"dnf", "--assumeyes", "--config=" + filepath.Join(d.dir, "dnf.conf"), "--releasever=" + d.release, "--installroot=" + root}, args...)
}

func (d dnf) run(ctx context.Context, root string, args ...string) error {
	return d.rpm(ctx, d.line(root, append([]string{"--noplugins"}, args...))...)
}

// runMounted does the same while the tree has its /proc and /dev.
func (d dnf) runMounted(ctx context.Context, root string, args ...string) error {
	for _, point := range []string{"proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, point), 0o755); err != nil {
			return err
		}
	}
	line := []string{"unshare", "--mount", "--propagation", "private", "sh", filepath.Join(d.dir, "enter"), root}
	return d.rpm(ctx, append(line, d.line(root, append([]string{"--noplugins"}, args...))...)...)
}

// download gets packages alone into a folder. Plugins are on for this one:
// download is one.
func (d dnf) download(ctx context.Context, into string, packages []string) error {
	empty := filepath.Join(d.dir, "empty")
	return d.rpm(ctx, d.line(empty, append([]string{"--disableplugin=*", "--enableplugin=download", "download", "--arch=x86_64,noarch", "--destdir=" + into}, packages...))...)
}

// rpm runs any of rpm's family with our macros.
func (d dnf) rpm(ctx context.Context, args ...string) error {
	env := []string{"HOME=" + d.dir, "SOURCE_DATE_EPOCH=" + epoch, "LC_ALL=C.UTF-8", "TZ=UTC"}
	_, err := command.Run(ctx, command.Command{Dir: d.dir, Env: env, Args: args})
	return err
}
