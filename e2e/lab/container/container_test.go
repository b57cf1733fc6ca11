package container

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// proc_pid_mountinfo(5): optional fields end with a dash.
func TestHierarchies(t *testing.T) {
	v1 := `25 20 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw
26 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
27 25 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
28 25 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
29 25 0:23 /docker/x /elsewhere rw - cgroup cgroup rw,cpu
`
	want := []Cgroup{{"cpu,cpuacct", "cgroup", "cpu,cpuacct"}, {"systemd", "cgroup", "none,name=systemd"}, {"unified", "cgroup2", ""}}
	if d := cmp.Diff(want, Hierarchies(v1)); d != "" {
		t.Error(d)
	}
	v2 := "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	if d := cmp.Diff([]Cgroup{{"", "cgroup2", ""}}, Hierarchies(v2)); d != "" {
		t.Error(d)
	}
}

// Boot Loader Specification, type 1: keys repeat, unknown keys are skipped.
func TestParseEntry(t *testing.T) {
	got := ParseEntry("title RA2\nlinux /ra2/kernel\ninitrd /a\ninitrd /b\n# x\noptions  ra2.mode=boot  a=b\noptions c\n")
	want := Entry{Linux: "/ra2/kernel", Initrds: []string{"/a", "/b"}, Options: "ra2.mode=boot a=b c"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What is written for a disk is what Linux shows of a virtio disk.
func TestLayBlock(t *testing.T) {
	dir := t.TempDir()
	f := &firmware{spec: Spec{Disks: []Disk{{
		Name: "vda", Serial: "S1", Device: unix.Mkdev(7, 3), Sectors: 100,
		Partitions: []Partition{{Number: 1, Name: "ra2-esp", Device: unix.Mkdev(259, 4), Start: 10, Sectors: 20}},
	}}}}
	if err := f.layBlock(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"vda/serial": "S1\n", "vda/dev": "7:3\n", "vda/size": "100\n", "vda/vda1/start": "10\n",
		"vda/vda1/uevent": "MAJOR=259\nMINOR=4\nDEVNAME=vda1\nDEVTYPE=partition\nPARTN=1\nPARTNAME=ra2-esp\n",
	} {
		if got, err := os.ReadFile(dir + "/" + name); err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
}

// RFC 4578 section 2.1 and the UEFI specification: who asks says so.
func TestPersonas(t *testing.T) {
	for method, arch := range map[string]uint16{"bios-pxe": 0, "uefi-pxe": 7, "uefi-http": 16} {
		first, second := personas(method)
		if uint16(first.arch) != arch || first.user != "" || second.user != "iPXE" {
			t.Errorf("%s: %+v, then %+v", method, first, second)
		}
	}
}
