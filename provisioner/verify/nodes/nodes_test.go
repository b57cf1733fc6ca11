package nodes

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// said makes a document of files, links and names.
func said(files, links map[string]string, names ...string) Said {
	return Said{Files: files, Links: links, Names: names}
}

// server is a node of two sockets with two cores each, SMT on: a disk with a mapped
// root, a card with virtual functions, one that is one, one on USB.
func server() Said {
	s := said(map[string]string{
		"/sys/devices/system/cpu/smt/active": "1\n", "/sys/devices/system/cpu/smt/control": "on\n", "/sys/devices/system/node/has_cpu": "0-1\n",
		"/proc/cpuinfo":     "processor\t: 0\nmodel name\t: Xeon 6\nflags\t\t: fpu avx512f\n\nprocessor\t: 1\nmodel name\t: other\n",
		"/proc/meminfo":     "MemTotal:       131072000 kB\nMemFree: 1 kB\n",
		"/proc/1/mountinfo": "22 1 252:0 / / ro,relatime - erofs /dev/dm-0 ro\n23 22 8:3 / /var rw - ext4 /dev/sda3 rw\n24 22 259:1 / /var/lib/etcd rw - ext4 /dev/nvme0n1p1 rw\n",
		"/proc/1/mounts":    "/dev/dm-0 / erofs ro,relatime 0 0\n/dev/sda3 /var/with\\040blank ext4 rw 0 0\n",
		"/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "4\n", "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages": "3\n", "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "0\n",
		"/sys/block/sda/size": "2048\n", "/sys/block/sda/queue/rotational": "1\n", "/sys/block/nvme0n1/size": "4096\n", "/sys/block/nvme0n1/queue/rotational": "0\n",
		"/sys/block/vdb/size": "2048\n", "/sys/block/vdb/queue/rotational": "1\n", "/sys/block/sr0/size": "4\n", "/sys/block/dm-0/size": "99\n", "/sys/block/dm-0/dm/uuid": "CRYPT-VERITY-abc-root\n", "/sys/block/loop0/size": "0\n",
		"/sys/class/net/eth0/type": "1\n", "/sys/class/net/eth0/speed": "25000\n", "/sys/class/net/eth0/device/sriov_totalvfs": "64\n", "/sys/class/net/eth0/device/sriov_numvfs": "8\n",
		"/sys/class/net/eth1/type": "1\n", "/sys/class/net/eth1/speed": "-1\n", "/sys/class/net/usb0/type": "1\n", "/sys/class/net/lo/type": "772\n",
	}, map[string]string{
		"/sys/dev/block/252:0": "../../devices/virtual/block/dm-0", "/sys/dev/block/8:2": "../../devices/pci0000:00/ata1/block/sda/sda2", "/sys/dev/block/8:3": "../../devices/pci0000:00/ata1/block/sda/sda3",
		"/sys/dev/block/259:1":              "../../devices/pci0000:00/nvme/nvme0/block/nvme0n1/nvme0n1p1",
		"/sys/class/net/eth0/device/driver": "../../../bus/pci/drivers/ice", "/sys/class/net/usb0/device/subsystem": "../../../bus/usb",
	}, "/", "/var/lib/etcd", "/var/lib/kubelet", "/sys/block/dm-0/slaves/sda2", "/sys/class/net/eth0/device", "/sys/class/net/eth0/device/ptp/ptp0", "/sys/class/net/eth1/device", "/sys/class/net/eth1/device/physfn", "/sys/class/net/usb0/device", "/sys/fs/cgroup/cgroup.controllers")
	for cpu, at := range map[string][2]string{"0": {"0", "0"}, "1": {"0", "1"}, "2": {"1", "0"}, "3": {"1", "1"}, "4": {"0", "0"}, "5": {"0", "1"}, "6": {"1", "0"}, "7": {"1", "1"}} {
		dir := "/sys/devices/system/cpu/cpu" + cpu + "/topology/"
		s.Files[dir+"physical_package_id"], s.Files[dir+"core_id"], s.Files[dir+"die_id"] = at[0]+"\n", at[1]+"\n", "0\n"
	}
	s.Files["/sys/devices/system/cpu/cpu0/topology/thread_siblings_list"] = "0,4\n"
	return s
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func TestHardware(t *testing.T) {
	f := server().Facts()
	same(t, "cpu", f.CPU, conform.CPU{Model: "Xeon 6", Flags: []string{"fpu", "avx512f"}, Sockets: 2, Cores: []int{2, 2}, Siblings: map[string][]int{"0": {0, 4}}, SMTActive: new(true), SMTControl: "on", NUMANodes: 2})
	same(t, "huge pages", f.HugePages, []conform.HugePages{{SizeKiB: 2048}, {SizeKiB: 1048576, Total: 4, Free: 3}})
	same(t, "disks", f.Disks, []conform.Disk{
		{Name: "nvme0n1", Bytes: 4096 << 9, Rotational: new(false), Holds: []string{"/var/lib/etcd"}},
		{Name: "sda", Bytes: 2048 << 9, Rotational: new(true), Holds: []string{"/", "/var/lib/kubelet"}}, {Name: "vdb", Bytes: 2048 << 9},
	})
	same(t, "cards", f.NICs, []conform.NIC{
		{Name: "eth0", Driver: "ice", Mbps: 25000, TotalVFs: new(64), VFs: new(8), PTPClock: new(true), Physical: true}, {Name: "eth1", PTPClock: new(false)}, {Name: "usb0", PTPClock: new(false)},
	})
	same(t, "verity", f.Verity, new(true))
	same(t, "mounts", f.Mounts[1].Target, "/var/with blank")
	if f.MemoryKiB != 131072000 || !*f.CgroupV2 || f.Slots != nil {
		t.Errorf("%+v", f)
	}
}

// run is what a program said.
func (s *Said) run(line, output string, exit int) {
	if err := json.Unmarshal([]byte(`{"runs":{}}`), s); err != nil {
		panic(err)
	}
	r := s.Runs[line]
	r.Output, r.Exit = output, exit
	s.Runs[line] = r
}

func TestPrograms(t *testing.T) {
	var s Said
	s.run(debs, "zlib1g=1:1.3\nbash=5.2\n", 0)
	s.run(rpms, "", 1)
	s.run(machine, "none\n", 1)
	s.run(tracking, "A29FC801,162.159.200.1,4,1732451121.1,0.000012,-0.1,0.1,1,0,0.1,0.2,0.3,64.2,Normal\n", 0)
	s.run(sources, "162.159.200.1,NTS,1,15,256,20h,0,0,8,100\n", 0)
	s.run(runc, "runc version 1.3.0\ncommit: v1.3.0-0\nspec: 1.2.1\ngo: go1.26\n", 0)
	s.run(container, "containerd github.com/containerd/containerd/v2 v2.4.2 abc\n", 0)
	f := s.Facts()
	same(t, "packages", f.Packages, &conform.Packages{Manager: "dpkg", Count: 2, Digest: "sha256:6902a3745e1d34ec6bcf79cced8ef162efd19fb5870a925cfcfac252ddfc6ef6"})
	same(t, "machine", f.Virtual, new("none"))
	same(t, "clock", f.Time, conform.Clock{Service: "chrony", Synced: new(true), Source: "162.159.200.1", Offset: 0.000012, NTS: new(true)})
	same(t, "runtime", f.Runtime, conform.Runtime{Name: "containerd", Version: "v2.4.2", OCIName: "runc", OCIVersion: "1.3.0", OCISpec: "1.2.1"})
	s.run(tracking, ",,0,0,0,0,0,0,0,0,1,1,0,Not synchronised\n", 0)
	same(t, "a clock without a source", *s.Facts().Time.Synced, false)
	s.run(tracking, "506 Cannot talk to daemon\n", 1)
	same(t, "no daemon", s.Facts().Time, conform.Clock{})
}

func TestNetworks(t *testing.T) {
	f := said(map[string]string{
		networks + "/10-flannel.conflist": `{"name":"cbr0","plugins":[{"type":"flannel"},{"type":"portmap"}]}`, networks + "/00-multus.conf": `{"name":"multus","type":"multus"}`, networks + "/99.conf": "no JSON",
	}, nil, "/opt/cni/bin/flannel", "/usr/lib/cni/bridge", "/usr/lib/cni/flannel", plugins+"/kubelet.sock").Facts()
	same(t, "networks", f.CNI, conform.CNI{Configs: []conform.CNIConfig{{File: "00-multus.conf", Name: "multus", Types: []string{"multus"}}, {File: "10-flannel.conflist", Name: "cbr0", Types: []string{"flannel", "portmap"}}}, Bin: []string{"bridge", "flannel"}})
	same(t, "device plugins", f.Plugins, []string{"kubelet.sock"})
}

// TestSilent judges what a node that could read nothing tells: nothing.
func TestSilent(t *testing.T) {
	said, err := Read([]byte(`{"done":true}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(said.Facts())
	if err != nil || string(got) != "{}" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestCutOff(t *testing.T) {
	for _, text := range []string{"", `{"files":{"/proc/cmdl`, `{"files":{}}`, "no JSON", `{"done":true}{`} {
		if _, err := Read([]byte(text)); err == nil {
			t.Errorf("%q was taken for a whole document", text)
		}
	}
}

// TestAsk holds back what a node keeps secret: keys, credentials, and what holds them.
func TestAsk(t *testing.T) {
	args := Ask()
	for i := 0; i < len(args); i += 2 {
		for _, secret := range []string{"/etc/kubernetes", "/root", "/etc/shadow", "/etc/ssh", "/etc/containerd", ".key", "/var/lib/kubelet/pki", "environ"} {
			if args[i] == "-file" && strings.Contains(args[i+1], secret) {
				t.Errorf("%s is read", args[i+1])
			}
		}
	}
}

// FuzzFacts reads whatever a node may say: it never panics, and the facts can be kept.
func FuzzFacts(f *testing.F) {
	for _, s := range []Said{server(), {Done: true}} {
		s.Done = true
		data, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"done":true,"runs":{"chronyc -c -n tracking":{"output":"a,b,c,d,NaN,f,g,h,i,j,k,l,m,n"}},"links":{"/sys/dev/block/1:1":"/block/a"},"names":["/sys/block/a/slaves/a","/"],"files":{"/proc/1/mountinfo":"1 1 1:1 / / rw"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(s.Facts()); err != nil {
			t.Error(err)
		}
	})
}
