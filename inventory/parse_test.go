package inventory_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

var update = flag.Bool("update", false, "write the expected files anew")

func today() inventory.Options {
	return inventory.Options{Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sample(t *testing.T) inventory.Cluster {
	t.Helper()
	c, problems := inventory.Parse("edge-17.yaml", read(t, "testdata/edge-17.yaml"), today())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

func TestSample(t *testing.T) {
	c := sample(t)
	if c.Kubernetes.EtcdMembers != 3 || len(c.Nodes) != 6 || c.Kubernetes.Endpoint.Port != 6443 {
		t.Errorf("got %d etcd members, %d nodes, port %d", c.Kubernetes.EtcdMembers, len(c.Nodes), c.Kubernetes.Endpoint.Port)
	}
	cpB := c.Nodes[1]
	if got := cpB.Disk.String(); got != "wwn:5002538f00000862" {
		t.Errorf("disk of cp-b: %s", got)
	}
	if cpB.BMC.URL != "https://10.17.1.12" || cpB.BMC.Username != "admin" || cpB.BMC.Password.File != "/etc/ra2-deploy/cp-b" {
		t.Errorf("BMC of cp-b: %+v", cpB.BMC)
	}
	if cpC := c.Nodes[2].BMC; cpC.Username != "" || cpC.Password.Env != "EDGE17_CP_C" {
		t.Errorf("BMC of cp-c: %+v", cpC)
	}
	worker := c.Classes["worker"]
	if worker.BIOS.SMT == nil || !*worker.BIOS.SMT || c.Classes["control"].BIOS.SRIOV != nil {
		t.Errorf("classes: %+v", c.Classes)
	}
	if _, ok := c.Waived("ra2.ch.016", "cp-a", today().Now); !ok {
		t.Error("ra2.ch.016 is not waived for cp-a")
	}
	if _, ok := c.Waived("ra2.ch.016", "w-a", today().Now); ok {
		t.Error("ra2.ch.016 is waived for w-a")
	}
	if _, ok := c.Waived("ra2.ch.016", "cp-a", time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)); ok {
		t.Error("the waiver holds after its end")
	}
}

// TestProblems reads each testdata/problems/*.yaml and compares what is said.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, problems := inventory.Parse(filepath.Base(file), read(t, file), today())
			if len(problems) == 0 || c.Name != "" {
				t.Fatalf("accepted, with cluster %q", c.Name)
			}
			got := problems.Error() + "\n"
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret is repeated:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), got); diff != "" {
				t.Errorf("-want +got; accept it with -update:\n%s", diff)
			}
		})
	}
}

// TestOneChange says for one change of the sample what is said about it.
func TestOneChange(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"single etcd waived", "", "", ""},
		{"vip is a node", "vips: [10.17.0.10,", "vips: [10.17.0.11,", "edge-17.yaml:12:7: spec.kubernetes.endpoint.vips: 10.17.0.11 is the address of node cp-a"},
		{"vip is the gateway", "vips: [10.17.0.10,", "vips: [10.17.0.254,", "10.17.0.254 is the address of a gateway"},
		{"vip is the provisioner", "vips: [10.17.0.10,", "vips: [10.17.0.1,", "10.17.0.1 is the address of the machine that runs ra2-deploy"},
		{"one family missing", `addresses: [10.17.0.12/24, "fd00:17::12/64"]`, "addresses: [10.17.0.12/24]", "spec.nodes[1].addresses: the node has no IPv6 address and the pods have one"},
		{"node in no zone", "name: cp-a\n      zone: a", "name: cp-a\n      zone: aa", `zone "aa" is not in spec.zones`},
		{"tag", "name: edge-17", "name: !!str edge-17", "metadata.name: YAML tags are refused"},
		{"second document", "kind: Cluster", "kind: Cluster\n---\nkind: Cluster", "a second document begins here"},
		{"dedicated etcd", "placement: stacked", "placement: dedicated", `"dedicated" is not known here`},
		{"too small pods", "10.244.0.0/16", "10.244.0.0/23", "has no room for a /24 for each of 6 nodes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := string(read(t, "testdata/edge-17.yaml"))
			changed := strings.Replace(text, c.from, c.to, 1)
			if c.want != "" && changed == text {
				t.Fatalf("the sample doesn't hold %q", c.from)
			}
			_, problems := inventory.Parse("edge-17.yaml", []byte(changed), today())
			if got := problems.Err(); c.want == "" && got != nil || c.want != "" && !strings.Contains(problems.Error(), c.want) {
				t.Errorf("got %v, want %q", got, c.want)
			}
		})
	}
}

// An IPMI host has PXE by default, and port 623 unless another is written.
func TestIPMI(t *testing.T) {
	text := string(read(t, "testdata/edge-17.yaml"))
	for from, to := range map[string]string{
		"redfish+https://10.17.1.13":      "ipmi://10.17.1.13:623",
		"url: redfish+https://10.17.1.12": "url: redfish+https://10.17.1.12\n        ipmi: ipmi://10.17.1.12:6230",
	} {
		if !strings.Contains(text, from) {
			t.Fatalf("the sample doesn't hold %q", from)
		}
		text = strings.Replace(text, from, to, 1)
	}
	c, problems := inventory.Parse("edge-17.yaml", []byte(text), today())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	cpB, cpC := c.Nodes[1], c.Nodes[2]
	if cpB.BMC.OnlyIPMI() || cpB.BMC.IPMI != "ipmi://10.17.1.12:6230" {
		t.Errorf("cp-b: %+v", cpB.BMC)
	}
	if !cpC.BMC.OnlyIPMI() || cpC.BMC.URL != "ipmi://10.17.1.13" || cpC.Boot.Method != "uefi-pxe" {
		t.Errorf("cp-c: %+v %+v", cpC.BMC, cpC.Boot)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/problems/*.yaml")
	for _, file := range append(files, "testdata/edge-17.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a [*a]\nspec: *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := inventory.Parse("f", data, today())
		if len(problems) == 0 && len(c.Nodes) == 0 {
			t.Error("accepted a cluster without nodes")
		}
		lines := bytes.Split(data, []byte("\n"))
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
				t.Errorf("%d:%d is outside the file: %s", p.Line, p.Column, p)
			}
		}
	})
}
