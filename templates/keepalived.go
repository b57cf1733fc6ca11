package templates

import (
	"bytes"
	_ "embed"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"text/template"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
)

//go:embed keepalived.conf.tmpl
var keepalivedText string

// keepalived is what its configuration (keepalived.conf(5)) needs to know.
type keepalived struct {
	Node, Interface string
	Local           string // where the node's own API server listens
	RouterID        int    // 1 to 255, one for each cluster of a network
	Priority        int
	Address         netip.Addr   // of this node, in the family of VIP
	Peers           []netip.Addr // the other control planes
	VIP             string
	Others          []string
}

// Keepalived returns keepalived's configuration for one control plane. The
// first virtual address is elected (VRRP version 3, RFC 9568), that of the
// other family goes with it. The name of the interface is left to the node: see
// wire.InterfacePlaceholder.
func Keepalived(c inventory.Cluster, n inventory.Node) ([]byte, error) {
	e := c.Kubernetes.Endpoint
	if len(e.VIPs) == 0 {
		return nil, fmt.Errorf("render keepalived's configuration of %s: kubernetes.endpoint.vips is empty", n.Name)
	}
	if !hostName.MatchString(n.Name) {
		return nil, fmt.Errorf("render keepalived's configuration: %q is no host name", n.Name)
	}
	k := keepalived{
		Node: n.Name, Interface: wire.InterfacePlaceholder,
		Local:    net.JoinHostPort(loopback(e.VIPs[0]), strconv.Itoa(int(e.Port))),
		RouterID: routerID(e.VIPs[0]), VIP: virtual(e.VIPs[0]),
	}
	for _, vip := range e.VIPs[1:] {
		k.Others = append(k.Others, virtual(vip))
	}
	for i, other := range c.Nodes {
		if !other.ControlPlane {
			continue
		}
		address, ok := inFamily(other, e.VIPs[0])
		switch {
		case !ok:
			return nil, fmt.Errorf("render keepalived's configuration of %s: %s has no address in the family of %v", n.Name, other.Name, e.VIPs[0])
		case other.Name == n.Name:
			// Different for each, or two could win an election at once; none is special.
			k.Address, k.Priority = address, max(200-i, 1)
		default:
			k.Peers = append(k.Peers, address)
		}
	}
	if !k.Address.IsValid() {
		return nil, fmt.Errorf("render keepalived's configuration: %s is no control plane of the inventory", n.Name)
	}
	parsed, err := template.New("keepalived").Parse(keepalivedText)
	if err != nil {
		return nil, fmt.Errorf("render keepalived's configuration: %w", err)
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, k)
	return out.Bytes(), err
}

// virtual returns an address as keepalived adds it: alone, so that no route
// comes with it, and for IPv6 as deprecated (RFC 4862), so that no connection
// begins at it and ends when it moves.
func virtual(vip netip.Addr) string {
	text := netip.PrefixFrom(vip, vip.BitLen()).String()
	if vip.Is6() {
		text += " preferred_lft 0"
	}
	return text
}

// routerID tells clusters of one network apart by the last byte of their address.
func routerID(vip netip.Addr) int {
	bytes := vip.AsSlice()
	return max(int(bytes[len(bytes)-1]), 1)
}

func loopback(like netip.Addr) string {
	if like.Is6() {
		return "::1"
	}
	return "127.0.0.1"
}

// inFamily returns the node's first address of the family of like.
func inFamily(n inventory.Node, like netip.Addr) (netip.Addr, bool) {
	for _, a := range n.Addresses {
		if a.Addr().Is4() == like.Is4() {
			return a.Addr(), true
		}
	}
	return netip.Addr{}, false
}
