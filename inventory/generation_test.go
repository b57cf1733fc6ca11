package inventory_test

import (
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// TestGeneration names what replaces a node and what doesn't.
func TestGeneration(t *testing.T) {
	const image = "sha256:1"
	of := func(change func(*inventory.Cluster, *inventory.Node)) string {
		c := sample(t)
		n := c.Nodes[4]
		change(&c, &n)
		return inventory.Generation(c, n, image)
	}
	same := of(func(*inventory.Cluster, *inventory.Node) {})
	for name, change := range map[string]func(*inventory.Cluster, *inventory.Node){
		"password":    func(_ *inventory.Cluster, n *inventory.Node) { n.BMC.Password = secret.Ref{Env: "OTHER"} },
		"BMC address": func(_ *inventory.Cluster, n *inventory.Node) { n.BMC.URL = "https://10.9.9.9" },
		"waiver": func(c *inventory.Cluster, _ *inventory.Node) {
			c.Waivers = append(c.Waivers, inventory.Waiver{Requirement: "ra2.ch.008", Until: time.Now()})
		},
		"other node": func(c *inventory.Cluster, _ *inventory.Node) { c.Nodes = c.Nodes[:5] },
	} {
		if of(change) != same {
			t.Errorf("%s makes a new generation", name)
		}
	}
	on := true
	seen := map[string]string{}
	for name, change := range map[string]func(*inventory.Cluster, *inventory.Node){
		"zone":    func(_ *inventory.Cluster, n *inventory.Node) { n.Zone = "c" },
		"role":    func(_ *inventory.Cluster, n *inventory.Node) { n.ControlPlane = true },
		"disk":    func(_ *inventory.Cluster, n *inventory.Node) { n.Disk.Serial = "X" },
		"address": func(_ *inventory.Cluster, n *inventory.Node) { n.Addresses = n.Addresses[:1] },
		"version": func(c *inventory.Cluster, _ *inventory.Node) { c.Kubernetes.Version = "v1.37.3" },
		"firmware": func(c *inventory.Cluster, n *inventory.Node) {
			c.Classes[n.Class] = inventory.Class{BIOS: inventory.BIOS{SMT: &on}}
		},
		"reserved CPUs": func(c *inventory.Cluster, n *inventory.Node) {
			class := c.Classes[n.Class]
			class.Reserved = "0-1"
			c.Classes[n.Class] = class
		},
		"huge pages": func(c *inventory.Cluster, n *inventory.Node) { c.Classes[n.Class].HugePages["1Gi"] = 1 },
	} {
		got := of(change)
		if got == same || seen[got] != "" {
			t.Errorf("%s makes the generation of %q", name, seen[got])
		}
		seen[got] = name
	}
	c := sample(t)
	if inventory.Generation(c, c.Nodes[4], "sha256:2") == same {
		t.Error("another image makes no new generation")
	}
}
