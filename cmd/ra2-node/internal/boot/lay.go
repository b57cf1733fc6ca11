package boot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// layAll writes what differs between nodes into the layers over the image.
func layAll(root string, c agent.NodeConfig, container string) error {
	files := files(c)
	if container != "" {
		files["etc/default/kubelet"] = containerKubelet
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := replace(filepath.Join(root, name), files[name]); err != nil {
			return err
		}
	}
	return upToDate(root)
}

// containerKubelet lets the kubelet of a container machine start though the
// kernel, which is the host's, isn't set as the image would (protectKernelDefaults).
const containerKubelet = "KUBELET_EXTRA_ARGS=--protect-kernel-defaults=false\n"

// upToDate tells systemd that the image's caches fit the image
// (ConditionNeedsUpdate of systemd.unit(5)): they were made with it, and / is
// new at each boot. It saves ten seconds on an emulated processor.
func upToDate(root string) error {
	usr, err := os.Stat(filepath.Join(root, "usr"))
	if err != nil {
		return err
	}
	for _, dir := range []string{"etc", "var"} {
		path := filepath.Join(root, dir, ".updated")
		if err := replace(path, fmt.Sprintf("TIMESTAMP_NSEC=%d\n", usr.ModTime().UnixNano())); err != nil {
			return err
		}
		if err := os.Chtimes(path, usr.ModTime(), usr.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

// replace writes a file; a symbolic link in its place is taken away, not
// followed: it may lead out of the root.
func replace(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// files returns the node's own files by their path below the root.
func files(c agent.NodeConfig) map[string]string {
	out := map[string]string{
		"etc/hostname":                             c.Node + "\n",
		"etc/machine-id":                           machineID(c) + "\n",
		"etc/hosts":                                hosts(c),
		"etc/resolv.conf":                          resolver(c.DNS),
		"etc/systemd/network/10-ra2.network":       network(c),
		"etc/systemd/networkd.conf.d/10-ra2.conf":  networkd,
		"etc/systemd/resolved.conf.d/10-ra2.conf":  "[Resolve]\nDNS=" + strings.Join(c.DNS, " ") + "\n",
		"etc/chrony/sources.d/ra2.sources":         sources(c.NTP),
		"etc/systemd/timesyncd.conf.d/10-ra2.conf": "[Time]\nNTP=" + strings.Join(c.NTP, " ") + "\n",
	}
	maps.Copy(out, mirror(c.Mirror))
	return out
}

// machineID is the same at each boot of one generation (machine-id(5)).
func machineID(c agent.NodeConfig) string {
	sum := sha256.Sum256([]byte("ra2-deploy machine-id\n" + c.Node + "\n" + c.Generation))
	return fmt.Sprintf("%x", sum[:16])
}

// hosts names the node and what the configuration names; kubeadm and the
// kubelet find the cluster's endpoint by it, without DNS.
func hosts(c agent.NodeConfig) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	for _, a := range c.Addresses {
		if p, err := netip.ParsePrefix(a); err == nil {
			fmt.Fprintf(&b, "%s %s\n", p.Addr(), c.Node)
		}
	}
	for _, address := range slices.Sorted(maps.Keys(c.Hosts)) {
		fmt.Fprintf(&b, "%s %s\n", address, c.Hosts[address])
	}
	return b.String()
}

func resolver(servers []string) string {
	var b strings.Builder
	b.WriteString("# laid at boot by ra2-node\n")
	for _, s := range servers {
		b.WriteString("nameserver " + s + "\n")
	}
	return b.String()
}

// networkd leaves alone what others add: the pod network's routes, the virtual
// addresses of keepalived.
const networkd = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"

// network is the static configuration of the one NIC (systemd.network(5)).
func network(c agent.NodeConfig) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Match]\nMACAddress=%s\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\nLinkLocalAddressing=ipv6\nKeepConfiguration=static\n", c.MAC)
	for _, s := range c.DNS {
		fmt.Fprintf(&b, "DNS=%s\n", s)
	}
	for _, a := range c.Addresses {
		fmt.Fprintf(&b, "\n[Address]\nAddress=%s\n", a)
		if strings.Contains(a, ":") {
			b.WriteString("DuplicateAddressDetection=none\n") // reserved for this host, see the inventory
		}
	}
	for _, g := range c.Gateways {
		fmt.Fprintf(&b, "\n[Route]\nGateway=%s\n", g)
	}
	return b.String()
}

func sources(servers []string) string {
	var b strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&b, "server %s iburst\n", s)
	}
	return b.String()
}
