package boot

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/host"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// disk is what sysfs and /dev show of an installed disk.
func disk(files map[string]string, name, serial string) {
	files["sys/block/"+name+"/size"], files["sys/block/"+name+"/serial"] = "2048\n", serial+"\n"
	for i, part := range []string{agent.PartESP, agent.PartConfig, agent.PartRoot, agent.PartVerity, agent.PartData} {
		dev := name + string(rune('1'+i))
		files["sys/block/"+name+"/"+dev+"/uevent"] = "MAJOR=254\nDEVNAME=" + dev + "\nDEVTYPE=partition\nPARTNAME=" + part + "\n"
		files["dev/"+dev] = ""
	}
}

func TestPick(t *testing.T) {
	files := map[string]string{"sys/block/vdb/size": "8\n", "sys/block/vdb/vdb1/uevent": "DEVNAME=vdb1\nPARTNAME=ra2-data\n"}
	if _, err := pick(host.Root(lay(t, files)), ""); err == nil || !strings.Contains(err.Error(), "no disk has the partitions") {
		t.Errorf("no system: %v", err)
	}
	disk(files, "vda", "A")
	root := lay(t, files)
	s, err := pick(host.Root(root), "")
	if err != nil || s.root != filepath.Join(root, "dev/vda3") || s.config != filepath.Join(root, "dev/vda2") || s.tree != filepath.Join(root, "dev/vda4") || s.data != filepath.Join(root, "dev/vda5") || s.esp != filepath.Join(root, "dev/vda1") {
		t.Errorf("%+v, %v", s, err)
	}
	disk(files, "vdc", "C")
	root = lay(t, files)
	if _, err := pick(host.Root(root), ""); err == nil || !strings.Contains(err.Error(), "both hold a system") {
		t.Errorf("two systems: %v", err)
	}
	if s, err := pick(host.Root(root), "serial:C"); err != nil || s.name != "vdc" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestFiles(t *testing.T) {
	c := agent.NodeConfig{
		Node: "cp-a", Generation: "sha256:1", MAC: "52:54:00:17:00:11", Addresses: []string{"10.17.0.11/24", "fd00:17::11/64"},
		Gateways: []string{"10.17.0.1"}, DNS: []string{"10.17.0.1"}, NTP: []string{"10.17.0.1"},
		Hosts: map[string]string{"10.17.0.10": "api.edge", "fd00:17::10": "api.edge"}, Session: "very secret",
		Mirror: &agent.Mirror{URL: "https://10.17.0.1:8444", CA: "-----BEGIN CERTIFICATE-----\n"},
	}
	root := lay(t, map[string]string{"etc/hostname": "image\n", "outside": "kept\n", "usr/lib/os-release": ""})
	if err := os.Symlink("../../outside", filepath.Join(root, "etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if err := layAll(root, c, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "etc/default/kubelet")); err == nil {
		t.Error("a machine with a kernel of its own lets its kubelet off")
	}
	for name, want := range map[string][]string{
		"etc/hostname":                       {"cp-a\n"},
		"etc/hosts":                          {"127.0.0.1 localhost", "10.17.0.11 cp-a", "fd00:17::11 cp-a", "10.17.0.10 api.edge", "fd00:17::10 api.edge"},
		"etc/resolv.conf":                    {"nameserver 10.17.0.1"},
		"etc/systemd/network/10-ra2.network": {"MACAddress=52:54:00:17:00:11", "Address=10.17.0.11/24", "Address=fd00:17::11/64\nDuplicateAddressDetection=none", "Gateway=10.17.0.1", "IPv6AcceptRA=no"},
		"etc/chrony/sources.d/ra2.sources":   {"server 10.17.0.1 iburst"},
		"outside":                            {"kept\n"},
		"etc/containerd/certs.d/_default/hosts.toml":   {`[host."https://10.17.0.1:8444"]`, `ca = "/etc/containerd/certs.d/_default/ra2-site.pem"`},
		"etc/containerd/certs.d/_default/ra2-site.pem": {"-----BEGIN CERTIFICATE-----\n"},
	} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		}
		for _, w := range want {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s is\n%s\nand should hold %q", name, text, w)
			}
		}
		if strings.Contains(string(text), c.Session) {
			t.Errorf("%s holds the session", name)
		}
	}
	if id := machineID(c); len(id) != 32 || id == machineID(agent.NodeConfig{Node: "cp-b", Generation: "sha256:1"}) {
		t.Errorf("machine-id %q", id)
	}
}

func TestKernelLine(t *testing.T) {
	const pages = "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
	const line = "BOOT_IMAGE=kernel initrd=\\ra2\\initrd ra2.mode=boot ra2.verity=ab quiet iommu=pt\n"
	const wanted = "iommu=pt hugepagesz=1G hugepages=4 isolcpus=2-3"
	root := lay(t, map[string]string{pages: "0\n"})
	late, short := reserve(host.Root(root), line, wanted)
	if len(short) != 0 || len(late) != 1 || late[0] != "hugepages=4 of 1G" {
		t.Errorf("late %q, short %q", late, short)
	}
	if got, _ := os.ReadFile(filepath.Join(root, pages)); string(got) != "4" {
		t.Errorf("pages %q", got)
	}
	if got := absent(line, wanted); len(got) != 1 || got[0] != "isolcpus=2-3" {
		t.Errorf("absent %q", got)
	}
	next := withClass(line, wanted)
	if want := "ra2.mode=boot ra2.verity=ab quiet ra2.kexec=1 iommu=pt hugepagesz=1G hugepages=4 isolcpus=2-3"; next != want {
		t.Errorf("the next kernel gets\n%s\nand should get\n%s", next, want)
	}
	if got := absent(next, wanted); len(got) != 0 {
		t.Errorf("the next kernel still lacks %q", got)
	}
	if late, short := reserve(host.Root(root), next, wanted); len(late)+len(short) != 0 {
		t.Errorf("the next kernel reserves huge pages by itself: late %q, short %q", late, short)
	}
}

// A root is verified only where this machine's own kernel does it.
func TestUnverified(t *testing.T) {
	for _, c := range []struct{ hash, container, verity, why string }{
		{"ab", "", facts.RootVerified, ""},
		{"", "", facts.RootUnverified, "names no root hash"},
		{"ab", "ra2-lab", facts.RootUnverified, "container machine (ra2-lab)"},
		{"", "ra2-lab", facts.RootUnverified, "container machine"},
	} {
		if got := unverified(c.hash, c.container); got.Verity != c.verity || !strings.Contains(got.Why, c.why) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// A kernel that has fewer pages than asked for takes the number all the same;
// the FIFO stands for its file: what is read is not what was written.
func TestFewerPages(t *testing.T) {
	root := lay(t, map[string]string{"sys/kernel/mm/hugepages/hugepages-2048kB/x": ""})
	path := filepath.Join(root, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { // the kernel
		if _, err := os.ReadFile(path); err == nil {
			_ = os.WriteFile(path, []byte("3\n"), 0)
		}
	}()
	late, missing := reserve(host.Root(root), "quiet", "hugepagesz=2M hugepages=64")
	if len(late) != 0 || len(missing) != 1 || missing[0] != "hugepages=64 (3 of 64 huge pages of 2M are reserved)" {
		t.Errorf("late %q, missing %q", late, missing)
	}
}

func TestFills(t *testing.T) {
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("needs mkfs.ext4 (Debian package e2fsprogs)")
	}
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if full, err := fills(path); err != nil || !full {
		t.Errorf("as made: %v, %v", full, err)
	}
	if err := os.Truncate(path, 128<<20); err != nil {
		t.Fatal(err)
	}
	if full, err := fills(path); err != nil || full {
		t.Errorf("after the partition grew: %v, %v", full, err)
	}
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fills(path); err == nil {
		t.Error("an empty partition was taken for ext4")
	}
}
