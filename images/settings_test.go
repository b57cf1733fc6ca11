package images

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnitsOf(t *testing.T) {
	dir := t.TempDir()
	for name, to := range map[string]string{
		"multi-user.target.wants/chrony.service":   "/usr/lib/systemd/system/chrony.service",
		"sockets.target.requires/a.socket":         "/usr/lib/systemd/system/a.socket",
		"multi-user.target.wants/fstrim.timer":     "/usr/lib/systemd/system/fstrim.timer",
		"fstrim.timer":                             "/dev/null",
		"default.target":                           "/usr/lib/systemd/system/multi-user.target",
		"dbus-org.freedesktop.network1.service":    "/usr/lib/systemd/system/systemd-networkd.service",
		"zz.target.wants/getty@tty1.service":       "/usr/lib/systemd/system/getty@.service",
		"getty@.service":                           "/dev/null",
		"system-generators/systemd-gpt-auto-gener": "/dev/null",
	} {
		if err := link(dir, "etc/systemd/system/"+name, to); err != nil {
			t.Fatal(err)
		}
	}
	got, err := unitsOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"chrony.service": UnitEnabled, "a.socket": UnitEnabled, "fstrim.timer": UnitMasked, "getty@tty1.service": UnitEnabled, "getty@.service": UnitMasked}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := unitsOf(t.TempDir()); err == nil {
		t.Error("a root without units has some")
	}
}

// TestSysctlsOf: the setting that systemd would have in force at the end.
func TestSysctlsOf(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/sysctl.d/50-default.conf": "# a comment\nkernel.sysrq = 0x01b6\n-net.ipv4.conf.all.rp_filter = 2\n-net.ipv4.conf.*.accept_redirects\n",
		"usr/lib/sysctl.d/90-ra2.conf":     "kernel.sysrq=0\nnet/ipv4/ping_group_range =  0   2147483647 \n; no\n",
		"usr/lib/sysctl.d/95-ours.conf":    "vm.overcommit_memory = 0\n",
		"etc/sysctl.d/95-ours.conf":        "vm.overcommit_memory = 1\n",
		"etc/sysctl.d/README":              "kernel.sysrq = 1\n",
	} {
		if err := put(dir, name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := link(dir, "etc/sysctl.d/99-sysctl.conf", "../sysctl.conf"); err != nil {
		t.Fatal(err)
	}
	got, err := sysctlsOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"kernel.sysrq": "0", "net.ipv4.conf.all.rp_filter": "2", "net.ipv4.ping_group_range": "0 2147483647", "vm.overcommit_memory": "1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
