package images

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// kernel is the one kernel in a folder of unpacked packages.
type kernel struct {
	release string // as uname -r tells
	image   string // file: the kernel
	modules string // folder: its modules
	config  string // file: its configuration
}

// kernelIn finds the kernel in a folder of unpacked packages. Debian has it as
// boot/vmlinuz-RELEASE, and its modules below /lib before Debian 13 and below
// /usr/lib since; Fedora has all of it beside the modules.
func kernelIn(dir string) (kernel, error) {
	var found []kernel
	for _, lib := range []string{"usr/lib/modules", "lib/modules"} {
		if info, err := os.Lstat(filepath.Join(dir, "lib")); err == nil && info.Mode().Type() == fs.ModeSymlink && lib == "lib/modules" {
			continue // it is the other one
		}
		modules, err := filepath.Glob(filepath.Join(dir, lib, "*"))
		if err != nil {
			return kernel{}, err
		}
		for _, m := range modules {
			release := filepath.Base(m)
			k := kernel{release: release, modules: m}
			k.image = first(filepath.Join(dir, "boot/vmlinuz-"+release), filepath.Join(m, "vmlinuz"))
			k.config = first(filepath.Join(dir, "boot/config-"+release), filepath.Join(m, "config"))
			if k.image != "" && k.config != "" {
				found = append(found, k)
			}
		}
	}
	if len(found) != 1 {
		return kernel{}, fmt.Errorf("%d kernels with modules and configuration are in %s, want one", len(found), dir)
	}
	return found[0], nil
}

// first gives the first of these files that is there, "" when none is.
func first(files ...string) string {
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
			return f
		}
	}
	return ""
}

// lay puts the kernel's modules into the root and lets the root's own depmod
// index them.
func (k kernel) lay(ctx context.Context, root string) error {
	to := filepath.Join(root, "usr/lib/modules")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if _, err := command.Run(ctx, command.Command{Args: []string{"cp", "-a", k.modules, to}}); err != nil {
		return err
	}
	// kubeadm's preflight reads the kernel's configuration here.
	config, err := os.ReadFile(k.config)
	if err != nil {
		return err
	}
	if err := put(root, "usr/lib/modules/"+k.release+"/config", config, 0o644); err != nil {
		return err
	}
	for _, link := range []string{"build", "source"} { // to headers that nobody has
		if err := os.RemoveAll(filepath.Join(to, k.release, link)); err != nil {
			return err
		}
	}
	_, err = command.Run(ctx, command.Command{Args: []string{"chroot", root, "depmod", strings.TrimSpace(k.release)}})
	return err
}
