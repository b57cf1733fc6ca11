package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/deb"
)

// mkosiTools is what mkosi runs with. Debian 12's systemd-repart can't make an
// erofs, so all of it comes from Debian 13, in a folder of its own.
func mkosiTools() []string {
	return []string{"apt", "bubblewrap", "ca-certificates", "cryptsetup-bin", "dosfstools", "e2fsprogs", "erofs-utils", "mkosi", "openssl", "systemd-repart", "zstd"}
}

// mkosi is a folder with mkosi and all that it needs, and its work in it.
type mkosi struct{ root string }

// newMkosi installs mkosi once and keeps it in the cache.
func newMkosi(ctx context.Context, cache, mirror string) (mkosi, error) {
	m := mkosi{filepath.Join(cache, "mkosi")}
	if _, err := os.Stat(filepath.Join(m.root, "usr/bin/mkosi")); err == nil {
		return m, nil
	}
	if err := os.RemoveAll(m.root); err != nil {
		return m, err
	}
	scratch := m.root + ".new"
	defer os.RemoveAll(scratch)
	_, err := timedRun(ctx, "mmdebstrap", "--quiet", "--variant=apt", "--mode=root", "--include="+strings.Join(mkosiTools(), ","), "trixie", scratch, mirror)
	if err != nil {
		return m, fmt.Errorf("install mkosi: %w", err)
	}
	return m, os.Rename(scratch, m.root)
}

// work gives a name in the folder where mkosi works.
func (m mkosi) work(name string) string { return filepath.Join(m.root, "build", name) }

// prepare writes the repository and the configuration of an image of the same
// packages: an erofs with a hash tree on a disk, packed with zstd. There is no
// kernel, boot loader, initrd or store of container images in it.
func (m mkosi) prepare(entries []deb.Entry, path func(deb.Entry) string, packages []string) error {
	if err := m.clean(); err != nil {
		return err
	}
	for _, dir := range []string{"repository/dists/trixie/main/binary-amd64", "repart", "out", "cache"} {
		if err := os.MkdirAll(m.work(dir), 0o755); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if err := os.Link(path(e), m.work("repository/"+e.Name)); err != nil {
			return err
		}
	}
	index := deb.Index(entries)
	var errs []error
	for name, text := range map[string]string{
		"repository/dists/trixie/main/binary-amd64/Packages": string(index),
		"repository/dists/trixie/Release": fmt.Sprintf("Origin: bench\nSuite: trixie\nCodename: trixie\nArchitectures: amd64\nComponents: main\nSHA256:\n %x %d main/binary-amd64/Packages\n",
			sha256.Sum256(index), len(index)),
		"repart/10-root.conf":   "[Partition]\nType=root\nFormat=erofs\nCopyFiles=/\nVerity=data\nVerityMatchKey=root\nMinimize=best\n",
		"repart/20-verity.conf": "[Partition]\nType=root-verity\nVerity=hash\nVerityMatchKey=root\nMinimize=best\n",
		"mkosi.conf": "[Distribution]\nDistribution=debian\nRelease=trixie\nLocalMirror=file:///build/repository\nRepositoryKeyCheck=no\n" +
			"[Output]\nFormat=disk\nOutputDirectory=out\nCompressOutput=zstd\nRepartDirectories=repart\nManifestFormat=\n" +
			"[Content]\nBootable=no\nBootloader=none\nPackages=" + strings.Join(packages, "\n  ") + "\n" +
			"[Build]\nPackageCacheDirectory=cache\nWorkspaceDirectory=/workspace\nEnvironment=SYSTEMD_REPART_MKFS_OPTIONS_EROFS=-zlz4\n",
	} {
		errs = append(errs, os.WriteFile(m.work(name), []byte(text), 0o644))
	}
	return errors.Join(append(errs, os.MkdirAll(filepath.Join(m.root, "workspace"), 0o755))...)
}

// build lets mkosi build in its folder, with mounts that end with it.
func (m mkosi) build(ctx context.Context, _ int) (timed, error) {
	const script = `set -e
cd "$1"
mount --bind . .
cd "$1"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
exec chroot . sh -c 'cd /build && exec mkosi --force build'`
	return timedRun(ctx, "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", m.root)
}

// clean removes what was built, and leaves mkosi.
func (m mkosi) clean() error {
	return errors.Join(os.RemoveAll(m.work("")), os.RemoveAll(filepath.Join(m.root, "workspace")))
}

// version is what was measured.
func (m mkosi) version(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "chroot", m.root, "mkosi", "--version").Output()
	return strings.TrimSpace(string(out)), err
}
