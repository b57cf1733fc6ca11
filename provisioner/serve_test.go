package provisioner

import (
	"net/netip"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot"
)

// TestStranger reads a host's boot script from an address that isn't the
// host's: it must not look as if the host had restarted.
func TestStranger(t *testing.T) {
	for name, c := range map[string]struct {
		dhcp  inventory.DHCP
		from  string
		wants bool // a signal of the host
	}{
		"its own address":            {inventory.DHCPAuthoritative, "10.17.0.11:4711", true},
		"its own, as IPv6 writes it": {inventory.DHCPAuthoritative, "[::ffff:10.17.0.11]:4711", true},
		"another address":            {inventory.DHCPAuthoritative, "10.17.0.99:4711", false},
		"another, beside a server":   {inventory.DHCPProxy, "10.17.0.99:4711", true},
	} {
		t.Run(name, func(t *testing.T) {
			notices := 0
			s := &servers{signals: &act.Signals{}, notice: func(node, text string) { notices++ }}
			s.cluster.Provisioning.DHCP = c.dhcp
			s.cluster.Nodes = []inventory.Node{{Name: "cp-a", Addresses: []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24")}}}
			in, stop := s.signals.Watch("cp-a")
			defer stop()
			s.booted(netboot.Event{Kind: netboot.Script, Node: "cp-a", From: c.from, File: "ipxe", By: "http"})
			heard := false
			select {
			case sig := <-in:
				heard = sig.Kind == act.KindScript
			default:
			}
			if heard != c.wants || (notices == 1) == c.wants {
				t.Errorf("the host was heard: %v, want %v; %d notices", heard, c.wants, notices)
			}
		})
	}
}
