package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A difference that two nodes of a class may have (ra2.os.004: "identical apart
// from those areas of configuration that must be different such as IP
// addresses and hostnames"): a path below the root, with all below it, and why.
type difference struct{ path, why string }

// allowed are all differences that two installed systems may have.
func allowed() []difference {
	return []difference{
		{"/etc/hostname", "the name"},
		{"/etc/hosts", "the name beside the addresses"},
		{"/etc/machine-id", "the identity that systemd gives to logs and leases; of name and generation"},
		{"/etc/systemd/network/10-ra2.network", "MAC and addresses"},
		{"/run", "what runs now: sockets, process numbers, the node's configuration and its session"},
		{"/tmp", "what runs now"},
		{"/var/tmp", "what runs now"},
		{"/var/log", "what happened"},
		{"/var/lib/systemd", "random seed, timers and clock of this boot"},
		{"/var/lib/private", "state of services of this boot"},
		{"/var/lib/chrony", "how fast the machine's own clock is"},
		{"/var/cache", "of this boot"},
		{"/data/lost+found", "ext4's own"},
		{"/data/var-log", "what happened, see /var/log"},
		{"/data/ra2", "what the node was told and did"},
	}
}

// ofNodes are the differences that two nodes of a cluster may have besides.
func ofNodes() []difference {
	return append(allowed(),
		difference{"/etc/kubernetes", "names, certificates and keys of this node"},
		difference{"/data/etc-kubernetes", "see /etc/kubernetes"},
		difference{"/etc/cni/net.d", "the node's part of the pod range"},
		difference{"/opt/cni", "binaries that a pod lays, with its time"},
		difference{"/var/lib/cni", "addresses of this node's pods"},
		difference{"/var/lib/kubelet", "certificates of this node, its pods"},
		difference{"/data/var-lib-kubelet", "see /var/lib/kubelet"},
		difference{"/var/lib/containerd", "containers and snapshots of this node's pods"},
		difference{"/data/var-lib-containerd", "see /var/lib/containerd"},
		difference{"/var/lib/etcd", "of control planes"},
		difference{"/data/var-lib-etcd", "see /var/lib/etcd"},
	)
}

// kernels are the file systems of the kernel: nothing in them is of the node.
func kernels() []string { return []string{"/proc", "/sys", "/dev"} }

// compare returns the differences between two trees, each "path: what is in one,
// what is in the other", apart by whether they are allowed.
func compare(a, b map[string]string, may []difference) (fine, wrong []string) {
	paths := map[string]bool{}
	for _, tree := range []map[string]string{a, b} {
		for path := range tree {
			paths[path] = true
		}
	}
	for path := range paths {
		if a[path] == b[path] {
			continue
		}
		line := fmt.Sprintf("%s: %s, and %s", path, orAbsent(a[path]), orAbsent(b[path]))
		i := slices.IndexFunc(may, func(d difference) bool { return path == d.path || strings.HasPrefix(path, d.path+"/") })
		if i < 0 {
			wrong = append(wrong, line)
			continue
		}
		fine = append(fine, line+" ("+may[i].why+")")
	}
	slices.Sort(fine)
	slices.Sort(wrong)
	return fine, wrong
}

// summary folds differences of one kind into a line where they are many, such as
// all that lies below /run.
func summary(fine []string, may []difference) (lines []string) {
	for _, d := range may {
		var of []string
		for _, line := range fine {
			if strings.HasPrefix(line, d.path+": ") || strings.HasPrefix(line, d.path+"/") {
				of = append(of, line)
			}
		}
		if len(of) > 4 {
			of = []string{fmt.Sprintf("%s: %d paths (%s)", d.path, len(of), d.why)}
		}
		lines = append(lines, of...)
	}
	return lines
}

func orAbsent(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}

// tree describes everything below root: kind, mode, owner, and what it holds.
// Folders in skip are left out, times too: they are those of the boot.
func tree(root string, skip []string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		inside := "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		switch {
		case os.IsNotExist(err) && path != root:
			return nil // gone since the folder was read
		case err != nil:
			return err
		case slices.Contains(skip, inside):
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		text, err := describe(path, info)
		if err == nil {
			all[inside] = text
		}
		return nil
	})
	return all, err
}

func describe(path string, info fs.FileInfo) (string, error) {
	text := info.Mode().String()
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		text += fmt.Sprintf(" %d:%d", st.Uid, st.Gid)
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		return text + " to " + to, err
	case info.Mode().IsRegular():
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		sum := sha256.New()
		n, err := io.Copy(sum, f)
		return fmt.Sprintf("%s %d bytes sha256:%.12s", text, n, hex.EncodeToString(sum.Sum(nil))), err
	}
	return text, nil
}

// TestTwins installs two hosts of one class and compares their systems.
func TestTwins(t *testing.T) {
	needsLab(t)
	b := newBench(t, "t-twins", "twins.yaml")
	b.must(b.run("image", "build", b.inventory()))
	r := b.must(b.inside("up", "--yes", b.inventory()))
	if !strings.Contains(r.out, "nothing verifies its root: it is a container machine") {
		b.Errorf("container machines don't say that nothing verifies their root\n%s", r)
	}
	b.sameSystem("cp-a", "worker-a", allowed())
	b.layout("worker-a")
}

// sameSystem wants that two machines differ only where they may, and prints it all.
func (b *bench) sameSystem(first, second string, may []difference) {
	b.Helper()
	var trees [2]map[string]string
	for i, name := range []string{first, second} {
		var err error
		if trees[i], err = tree(b.root(name, "/"), kernels()); err != nil {
			b.Fatalf("read the file systems of %s: %v", name, err)
		}
		if len(trees[i]) < 1000 || trees[i]["/etc/hostname"] == "" {
			b.Fatalf("%s shows %d files: that is no installed system", name, len(trees[i]))
		}
	}
	fine, wrong := compare(trees[0], trees[1], may)
	b.Logf("%d files of %s and %s compared; these differ and may:\n%s", len(trees[0]), first, second, strings.Join(summary(fine, may), "\n"))
	if len(wrong) > 0 {
		b.Errorf("these differ and must not:\n%s", strings.Join(wrong, "\n"))
	}
	if !slices.ContainsFunc(fine, func(line string) bool { return strings.HasPrefix(line, "/etc/hostname: ") }) {
		b.Error("two hosts have one name: what was compared is one machine")
	}
}

// The comparison finds what is there, what isn't, and what has another mode.
func TestCompare(t *testing.T) {
	dirs := [2]string{t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		for name, text := range map[string]string{"same": "x", "etc/hostname": fmt.Sprint("host-", i), "etc/other": fmt.Sprint(i), "proc/1": fmt.Sprint(i), "mode": "x"} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Chmod(filepath.Join(dirs[1], "mode"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("same", filepath.Join(dirs[1], "link")); err != nil {
		t.Fatal(err)
	}
	a, errA := tree(dirs[0], kernels())
	b, errB := tree(dirs[1], kernels())
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	fine, wrong := compare(a, b, allowed())
	if len(fine) != 1 || !strings.HasPrefix(fine[0], "/etc/hostname: ") {
		t.Errorf("fine: %q", fine)
	}
	if got := summary(append(fine, "/run/1: x", "/run/2: x", "/run/3: x", "/run/4: x", "/run/5: x"), allowed()); len(got) != 2 || got[0] != fine[0] || !strings.HasPrefix(got[1], "/run: 5 paths") {
		t.Errorf("summary: %q", got)
	}
	if text := strings.Join(wrong, "\n"); len(wrong) != 3 || !strings.Contains(text, "/etc/other: ") || !strings.Contains(text, "/link: absent, and L") || !strings.Contains(text, "/mode: -rw-------") {
		t.Errorf("wrong:\n%s", text)
	}
}
