package images

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
	"github.com/ra2-deploy/ra2-deploy/images/disk"
	"github.com/ra2-deploy/ra2-deploy/images/family"
)

// files are those of packages of our own, and those that are laid over the
// system as they lie here, mode 0644.
//
//go:embed all:files
var files embed.FS

// system is what differs between two roots made from one installed system.
type system struct {
	kubernetes bool
	recipe     Recipe
	base       string // folder: the installed system, without ra2-node
	kernel     string // folder: the unpacked kernel package
	node       string // file: the package of ra2-node
	family     family.Family
	chrony     string            // the unit that sets the clock
	links      map[string]string // symbolic links of this distribution
}

// emptied are folders whose contents no node needs: package lists and caches,
// Debian's own kernel hooks, and Perl's modules, which installing needed (they
// came with keepalived's SNMP library: 40 MB).
func emptied() []string {
	return []string{"var/cache", "var/lib/apt", "var/log", "boot", "tmp", "run", "etc/kernel", "etc/initramfs-tools",
		"usr/share/perl", "usr/lib/x86_64-linux-gnu/perl"}
}

// points are folders that the node's first step mounts something on.
func points() []string {
	return []string{"data", "etc/kubernetes", "etc/cni/net.d", "etc/containerd/conf.d", "etc/chrony/conf.d", "etc/chrony/sources.d",
		"etc/systemd/network", "opt/cni/bin", "var/lib/etcd", "var/lib/kubelet", "var/lib/containerd", "var/lib/cni", "var/log", "usr/libexec/kubernetes"}
}

// masked are units that make no sense on a node that nobody logs into and
// whose system is replaced, never changed. apparmor.service would load a hundred
// profiles at each boot, of programs that no node has; the profile that pods
// run under is loaded by containerd.
func masked() []string {
	return []string{"getty@.service", "serial-getty@.service", "console-getty.service", "container-getty@.service", "autovt@.service",
		"getty.target", "systemd-firstboot.service", "systemd-networkd-wait-online.service", "systemd-boot-update.service",
		"dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "apt-daily.timer", "apt-daily-upgrade.timer", "apparmor.service"}
}

// links are the symbolic links of a root: units to start, and the target.
func links(kubernetes bool, chrony string) map[string]string {
	units := []string{"systemd-networkd.service", chrony, "ra2-node.service", "ra2-watch.service"}
	if kubernetes {
		units = append(units, "containerd.service", "kubelet.service", "keepalived.service")
	}
	all := map[string]string{
		"etc/systemd/system/default.target":      "/usr/lib/systemd/system/multi-user.target",
		"etc/systemd/system/ctrl-alt-del.target": "/dev/null", // a key press must not restart a server
		// It would mount ra2-esp below /boot, where nobody looks.
		"etc/systemd/system-generators/systemd-gpt-auto-generator": "/dev/null",
	}
	for _, unit := range units {
		all["etc/systemd/system/multi-user.target.wants/"+unit] = "/usr/lib/systemd/system/" + unit
	}
	for _, unit := range masked() {
		all["etc/systemd/system/"+unit] = "/dev/null"
	}
	return all
}

// assemble fills dir with the root of a node and gives its kernel.
func (s system) assemble(ctx context.Context, dir string) (kernel, error) {
	k, err := kernelIn(s.kernel)
	if err != nil {
		return kernel{}, fmt.Errorf("assemble the root: %w", err)
	}
	steps := []func() error{
		func() error { return copyTree(ctx, s.base, dir) },
		func() error { return s.family.Add(ctx, dir, s.node) },
		func() error { return tidy(dir) },
		func() error { return s.layFiles(dir) },
		func() error { return s.layLinks(dir) },
		func() error { return lockAccounts(dir) },
		func() error { return k.lay(ctx, dir) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return kernel{}, fmt.Errorf("assemble the root: %w", err)
		}
	}
	return k, nil
}

// copyTree fills dir with what is below from. Files of /usr are linked, not
// copied: whatever changes one here puts a new file in its place (dpkg and rpm do,
// and put). A database of packages is written to, so it is copied even there.
func copyTree(ctx context.Context, from, dir string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		how := "-a"
		if e.Name() == "usr" {
			how = "-al"
		}
		if _, err := command.Run(ctx, command.Command{Args: []string{"cp", how, filepath.Join(from, e.Name()), dir}}); err != nil {
			return err
		}
	}
	const database = "usr/lib/sysimage"
	if _, err := os.Stat(filepath.Join(from, database)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(dir, database)); err != nil {
		return err
	}
	_, err = command.Run(ctx, command.Command{Args: []string{"cp", "-a", filepath.Join(from, database), filepath.Join(dir, database)}})
	return err
}

// tidy removes what no node needs and makes what a node mounts on.
func tidy(dir string) error {
	for _, name := range emptied() {
		inside, err := os.ReadDir(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, entry := range inside {
			if err := os.RemoveAll(filepath.Join(dir, name, entry.Name())); err != nil {
				return err
			}
		}
	}
	for _, name := range points() {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// layFiles lays over the system what no package has.
func (s system) layFiles(dir string) error {
	packaged := s.recipe.packaged()
	for _, layer := range layers() {
		if layer == layerKubernetes && !s.kubernetes {
			continue
		}
		tree, err := fs.Sub(files, layer)
		if err != nil {
			return err
		}
		err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || packaged[name] {
				return err
			}
			text, err := s.recipe.laid(name)
			if err != nil {
				return err
			}
			return put(dir, strings.Replace(name, "/"+chronyUnit+".d/", "/"+s.chrony+".d/", 1), text, 0o644)
		})
		if err != nil {
			return err
		}
	}
	// /usr never changes under /etc and /var: without these marks systemd
	// rebuilds the linker's cache and others at each boot (systemd-update-done(8)).
	for _, mark := range []string{"etc/.updated", "var/.updated"} {
		if err := put(dir, mark, []byte("TIMESTAMP_NSEC="+disk.Epoch+"000000000\n"), 0o644); err != nil {
			return err
		}
	}
	// Empty, not absent: systemd makes a new identity at each boot and doesn't
	// take it for a first boot (machine-id(5)).
	return put(dir, "etc/machine-id", nil, 0o444)
}

func (s system) layLinks(dir string) error {
	all := links(s.kubernetes, s.chrony)
	maps.Copy(all, s.links)
	for name, to := range all {
		if err := link(dir, name, to); err != nil {
			return err
		}
	}
	return nil
}

// lockAccounts makes sure that no account has a password or opens a shell by
// one: "!" in the second field of shadow(5) refuses all of them.
func lockAccounts(dir string) error {
	name := "etc/shadow"
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, line := range lines {
		fields := strings.Split(line, ":")
		if len(fields) > 1 {
			fields[1] = "!*"
		}
		lines[i] = strings.Join(fields, ":")
	}
	slices.Sort(lines)
	return put(dir, name, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// put writes one file of the root, in the place of whatever was there.
func put(dir, name string, data []byte, mode fs.FileMode) error {
	file, err := clear(dir, name)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, data, mode); err != nil {
		return err
	}
	return os.Chmod(file, mode)
}

func link(dir, name, to string) error {
	file, err := clear(dir, name)
	if err != nil {
		return err
	}
	return os.Symlink(to, file)
}

// clear removes what lies at name (a link to the host's file, for one) and
// makes the folders above it.
func clear(dir, name string) (string, error) {
	file := filepath.Join(dir, name)
	if err := os.RemoveAll(file); err != nil {
		return "", err
	}
	return file, os.MkdirAll(filepath.Dir(file), 0o755)
}
