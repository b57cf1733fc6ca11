package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// layout wants that a running node's system can't be changed, that what lies
// above it is in memory, that what is kept is on the data partition, and that
// nobody can log in (issue: layout; ra2.ch.017).
func (b *bench) layout(machine string) {
	b.Helper()
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", b.pid1(machine)))
	if err != nil {
		b.Fatal(err)
	}
	at := mountsOf(string(mounts))
	if m := at["/"]; m.kind != "erofs" || !slices.Contains(strings.Split(m.options, ","), "ro") {
		b.Errorf("/ is %+v and should be read-only erofs", m)
	}
	for _, path := range []string{"/etc", "/var", "/opt", "/root"} {
		if m := at[path]; m.kind != "overlay" || !strings.Contains(m.super, "upperdir=/run/ra2/layers/") {
			b.Errorf("%s is %+v and should be a layer in memory", path, m)
		}
	}
	data := at["/data"].device
	for _, path := range []string{"/etc/kubernetes", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/containerd", "/var/log"} {
		if m := at[path]; m.kind != "ext4" || m.device != data || data == "" {
			b.Errorf("%s is %+v and should be on the data partition, %s", path, m, data)
		}
	}
	for _, path := range []string{"/usr/sbin/sshd", "/usr/bin/apt", "/usr/bin/apt-get", "/usr/bin/dnf", "/var/lib/apt/lists/lock"} {
		if _, err := os.Lstat(b.root(machine, path)); !os.IsNotExist(err) {
			b.Errorf("%s is there (%v)", path, err)
		}
	}
	shadow, err := os.ReadFile(b.root(machine, "/etc/shadow"))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(shadow)) {
		if fields := strings.Split(line, ":"); len(fields) < 2 || !strings.HasPrefix(fields[1], "!") {
			b.Errorf("the account %q may have a password", fields[0])
		}
	}
	id, err := os.ReadFile(b.root(machine, "/etc/machine-id"))
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{32}\n$`).Match(id) {
		b.Errorf("machine-id is %q, %v", id, err)
	}
}

// mounted is one mount (proc_pid_mountinfo(5)).
type mounted struct{ device, options, kind, super string }

// mountsOf returns the topmost mount of each path.
func mountsOf(mountinfo string) map[string]mounted {
	all := map[string]mounted{}
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if ok && len(l) >= 6 && len(r) >= 3 {
			all[l[4]] = mounted{device: l[2], options: l[5], kind: r[0], super: r[2]}
		}
	}
	return all
}
