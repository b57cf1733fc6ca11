package kubeadm

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

const (
	testImage      = "sha256:1111111111111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	testGeneration = "sha256:2222222222222222bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// site returns a cluster with that many control planes and workers, spread
// over three zones.
func site(controlPlanes, workers int, dual bool) inventory.Cluster {
	c := inventory.Cluster{
		Name:  "edge-17",
		Zones: []string{"a", "b", "c"},
		Image: inventory.Image{Distribution: "debian-13", Kernel: "generic", Kubernetes: true},
		Kubernetes: inventory.Kubernetes{
			Version:      Version,
			Endpoint:     inventory.Endpoint{Host: "api.edge-17.example", VIPs: []netip.Addr{netip.MustParseAddr("10.17.0.10")}, Port: 6443},
			PodCIDRs:     []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")},
			ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")},
			EtcdMembers:  controlPlanes,
		},
		Provisioning: inventory.Provisioning{DNS: []netip.Addr{netip.MustParseAddr("10.17.0.1")}},
	}
	if dual {
		k := &c.Kubernetes
		k.Endpoint.VIPs = append(k.Endpoint.VIPs, netip.MustParseAddr("fd00:17::10"))
		k.PodCIDRs = append(k.PodCIDRs, netip.MustParsePrefix("fd00:17:244::/56"))
		k.ServiceCIDRs = append(k.ServiceCIDRs, netip.MustParsePrefix("fd00:17:96::/112"))
	}
	for i := range controlPlanes + workers {
		n := inventory.Node{Name: fmt.Sprintf("n%d", i+1), Zone: c.Zones[i%3], ControlPlane: i < controlPlanes, Worker: i >= controlPlanes}
		n.Addresses = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.17.0.%d/24", 11+i))}
		if dual {
			n.Addresses = append(n.Addresses, netip.MustParsePrefix(fmt.Sprintf("fd00:17::%x/64", 0x11+i)))
		}
		c.Nodes = append(c.Nodes, n)
	}
	return c
}

func input(c inventory.Cluster, node int) Input {
	return Input{Cluster: c, Node: c.Nodes[node], Image: testImage, Generation: testGeneration, Token: secret.New("abcdef.0123456789abcdef")}
}

// fixed is a reader of always the same random bytes.
func fixed() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{17}) }
