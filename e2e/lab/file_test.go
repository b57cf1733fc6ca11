package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

const head = "apiVersion: ra2-deploy/v1alpha1\nkind: Lab\nmetadata: {name: x}\nspec:\n"

func TestParse(t *testing.T) {
	f, err := Parse("x.yaml", []byte(head+"  machines: [{name: a}, {name: b, firmware: bios, kind: qemu}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := f.Spec.Machines[0], f.Spec.Machines[1]
	if a.Kind != KindContainer || a.Boot != "uefi-http" || b.Boot != "bios-pxe" || b.CPUs != 2 {
		t.Errorf("defaults: %+v, %+v", a, b)
	}
	all, err := f.servers("dir")
	if err != nil {
		t.Fatal(err)
	}
	s := all[1]
	if s.mac.String() != "52:54:00:17:00:12" || s.bmc.String() != "10.17.1.12" || s.address[1].String() != "fd00:17::12/64" {
		t.Errorf("addresses: %s %s %s", s.mac, s.bmc, s.address)
	}
}

// Each problem is said, with what would be right.
func TestProblems(t *testing.T) {
	for text, want := range map[string]string{
		head + "  machines: [{name: a, colour: red}]\n":                    "colour",
		head + "  machines: [{name: a}, {name: a}]\n":                      "twice",
		head + "  machines: []\n":                                          "write 1 to 200",
		head + "  machines: [{name: a, kind: vmware}]\n":                   "container, qemu",
		head + "  machines: [{name: a, firmware: bios, boot: uefi-pxe}]\n": "bios-pxe",
		head + "  machines: [{name: a, vendor: acme}]\n":                   "dell-idrac9, dell-idrac10",
		head + "  machines: [{name: a, faults: {etag: odd}}]\n":            "strong, never",
		head + "  machines: [{name: a, faults: {hangs: true}}]\n":          "hangs",
		head + "  machines: [{name: a, disk: much}]\n":                     "a size like",
		head + "  networks: {oob: 10.0.0.0}\n  machines: [{name: a}]\n":    "10.17.0.1/24",
		strings.Replace(head, "Lab", "Lap", 1) + "  machines: [{name: a}]": "kind is",
		"metadata: {name: far-too-long-name}\n":                            "at most 11",
	} {
		if _, err := Parse("x.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"1": 1, "12G": 12 << 30, "1.5K": 1536, "480GB": 480e9, "16M": 16 << 20, "2Gi": 2 << 30} {
		if got, err := ParseSize(s); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "G", "-1G", "1X", "1e30G"} {
		if n, err := ParseSize(s); err == nil {
			t.Errorf("%q is %d", s, n)
		}
	}
}

// What Up writes is an inventory that has no problems.
func TestInventory(t *testing.T) {
	var machines strings.Builder
	for _, zone := range []string{"a", "b", "c"} {
		machines.WriteString("    - {name: cp-" + zone + ", zone: " + zone + ", class: lab}\n    - {name: w-" + zone + ", zone: " + zone + ", roles: [worker], class: lab}\n")
	}
	f, err := Parse("x.yaml", []byte(head+"  machines:\n"+machines.String()+"  cluster:\n    classes: {lab: {profile: basic, bios: {smt: enabled}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, passwordFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := f.servers(dir)
	if err != nil {
		t.Fatal(err)
	}
	prints := map[string]string{}
	for _, s := range all {
		prints[s.Name] = "sha256:" + strings.Repeat("ab", 31) + s.serial[len(s.serial)-2:]
	}
	if err := f.writeInventory(dir, all, prints); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, InventoryFile))
	if err != nil {
		t.Fatal(err)
	}
	c, problems := inventory.Parse(InventoryFile, text, inventory.Options{Now: time.Now()})
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, text)
	}
	if len(c.Nodes) != 6 || c.Nodes[0].BMC.URL != "https://10.17.1.11" || c.Nodes[0].Disk.Serial != "RA2DISK0011" || c.Classes["lab"].BIOS.SMT == nil {
		t.Errorf("read back as %+v", c)
	}
}

// The default machine meets RA2; a claim of the file changes what it names.
func TestClaims(t *testing.T) {
	f, err := Parse("x.yaml", []byte(head+"  machines: [{name: a}, {name: b, hardware: {sockets: 1, drives: [{media: HDD, size: 100GB}], nics: [{ports: 2, speedGbps: 10}], slots: [{count: 2, generation: 3, lanes: 8}]}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.servers("dir")
	if err != nil {
		t.Fatal(err)
	}
	good, err := all[0].claims()
	if err != nil || good.Sockets != 2 || len(good.Slots) != 8 || good.NICs[0].Ports[0].MAC != all[0].mac.String() {
		t.Errorf("default claims %+v, %v", good, err)
	}
	poor, err := all[1].claims()
	if err != nil || poor.Sockets != 1 || poor.CoresPerSocket != 20 || len(poor.NICs) != 1 || len(poor.Slots) != 2 || poor.Drives[0].Media != "HDD" || poor.Drives[0].Serial != all[1].disk {
		t.Errorf("claims %+v, %v", poor, err)
	}
}

// The same lab has the same bytes on its data disks, and a change is seen.
func TestDataDisk(t *testing.T) {
	dir := t.TempDir()
	text := head + "  machines: [{name: a, disk: 1M, dataDisk: 64K}]\n"
	if err := os.WriteFile(filepathOf(dir), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Read(filepathOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.servers(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := all[0].makeDisks(); err != nil {
		t.Fatal(err)
	}
	if same, err := DataDisk(dir, "a"); err != nil || !same {
		t.Errorf("a new disk is %v, %v", same, err)
	}
	b, err := os.ReadFile(all[0].path(dataFile))
	if err != nil {
		t.Fatal(err)
	}
	b[1000]++
	if err := os.WriteFile(all[0].path(dataFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if same, err := DataDisk(dir, "a"); err != nil || same {
		t.Errorf("a changed disk is %v, %v", same, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "  machines: [{name: a, hardware: {sockets: 1}}]\n"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if lab, err := Parse("x", text); err == nil {
			_, _ = lab.servers("dir")
		}
	})
}
