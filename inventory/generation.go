package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
)

// Generation returns "sha256:<hex>" over all that determines the installed
// node: two equal generations are the same node, a new one means the node is
// replaced. What a version of ra2-deploy makes of it (the kernel line of a class,
// for one) comes with the image, which holds ra2-node. Left out is what doesn't reach the disk: how the BMC is reached,
// the boot method, the chassis serial and waivers.
func Generation(cluster Cluster, node Node, imageDigest string) string {
	type determines struct {
		Format       int // raised when this list changes
		Image        string
		Distribution string
		Kernel       string
		Version      string
		Cluster      string
		Endpoint     Endpoint
		Pods         []netip.Prefix
		Services     []netip.Prefix
		Gateways     []netip.Addr
		DNS          []netip.Addr
		NTP          []netip.Addr
		Name         string
		Zone         string
		ControlPlane bool
		Worker       bool
		MAC          string
		Disk         string
		Addresses    []netip.Prefix
		Class        Class // maps are marshalled with sorted keys
	}
	data, err := json.Marshal(determines{
		1, imageDigest, cluster.Image.Distribution, cluster.Image.Kernel, cluster.Kubernetes.Version,
		cluster.Name, cluster.Kubernetes.Endpoint, cluster.Kubernetes.PodCIDRs, cluster.Kubernetes.ServiceCIDRs,
		cluster.Provisioning.Gateways, cluster.Provisioning.DNS, cluster.Provisioning.NTP,
		node.Name, node.Zone, node.ControlPlane, node.Worker, node.Boot.MAC, node.Disk.String(), node.Addresses,
		cluster.Classes[node.Class],
	})
	if err != nil {
		// Strings, numbers and addresses always marshal.
		data = []byte(err.Error())
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
