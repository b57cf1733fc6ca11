package netboot

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// A MAC is the Ethernet address of a boot NIC.
type MAC [6]byte

// ParseMAC reads six octets in any of the forms of net.ParseMAC.
func ParseMAC(text string) (MAC, error) {
	hw, err := net.ParseMAC(text)
	if err != nil || len(hw) != 6 {
		return MAC{}, fmt.Errorf("%q is not an Ethernet address of six octets", text)
	}
	return MAC(hw), nil
}

// String returns lower case with colons, as the inventory writes it.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// Dashes returns lower case with dashes, as file names and URLs have it.
func (m MAC) Dashes() string { return strings.ReplaceAll(m.String(), ":", "-") }

// A Boot is all that one host is told while its install step is open.
type Boot struct {
	Node     string         // inventory name
	MAC      MAC            // of the boot NIC
	Addrs    []netip.Prefix // reserved addresses with prefix length, IPv4 first; one per family
	Hostname string         // DHCP option 12; empty leaves it out
	Gateway  netip.Addr     // IPv4, zero when there is none
	DNS      []netip.Addr   // IPv4 ones go into DHCP option 6
	NTP      []netip.Addr   // IPv4 ones go into DHCP option 42
	Method   string         // "uefi-http", "uefi-pxe", "bios-pxe", "virtual-media"; empty means any. Another one is served too, and reported
	Loader   string         // file in the loader directory to hand out instead of the architecture's own; some NICs need ipxe.efi
	Program  string         // path of a signed boot program (Secure Boot): handed out instead of a loader, and then there is neither script, kernel nor initrd
	Kernel   string         // path of the kernel file
	Initrd   string         // path of the initrd file
	Args     []string       // the kernel line; nothing in it is secret
	Ticket   secret.Value   // goes out once, as the file /ra2/ticket of a cpio
	Opening  uint64         // number of this opening, given by the Book; a new one begins a new story
}

// addr4 returns the reserved IPv4 address, zero when there is none.
func (b Boot) addr4() netip.Prefix {
	for _, p := range b.Addrs {
		if p.Addr().Is4() {
			return p
		}
	}
	return netip.Prefix{}
}

// owns reports whether addr is one of the reserved addresses.
func (b Boot) owns(addr netip.Addr) bool {
	for _, p := range b.Addrs {
		if p.Addr() == addr {
			return true
		}
	}
	return false
}

// A Book says which boots are open now. It is asked for every packet, so it
// answers from memory.
type Book interface {
	// ByMAC returns the open boot of this NIC.
	ByMAC(MAC) (Boot, bool)
	// ByAddr returns the open boot that this address is reserved for.
	ByAddr(netip.Addr) (Boot, bool)
	// TakeTicket returns the ticket the first time it is asked for in one
	// opening, and false ever after.
	TakeTicket(MAC) (secret.Value, bool)
}

// A Table is a Book in memory. The zero value has nothing open; it may be used
// by several goroutines.
type Table struct {
	mu      sync.RWMutex
	opening uint64
	open    map[MAC]Boot
	taken   map[MAC]bool
}

// Open begins a boot, with a ticket that was not taken yet. It replaces an open
// boot of the same MAC. An address that another open boot holds, or one
// that is missing, is an error.
func (t *Table) Open(b Boot) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !b.addr4().IsValid() {
		return fmt.Errorf("open boot of %s (%s): no IPv4 address is reserved for it", b.Node, b.MAC)
	}
	for mac, other := range t.open {
		for _, p := range b.Addrs {
			if mac != b.MAC && other.owns(p.Addr()) {
				return fmt.Errorf("open boot of %s (%s): %s is reserved for %s (%s)", b.Node, b.MAC, p.Addr(), other.Node, mac)
			}
		}
	}
	if t.open == nil {
		t.open, t.taken = map[MAC]Boot{}, map[MAC]bool{}
	}
	t.opening++
	b.Opening = t.opening
	t.open[b.MAC] = b
	delete(t.taken, b.MAC)
	return nil
}

// Close ends the boot of mac; nothing is answered to it from now on.
func (t *Table) Close(mac MAC) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, mac)
	delete(t.taken, mac)
}

// ByMAC implements Book.
func (t *Table) ByMAC(mac MAC) (Boot, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b, ok := t.open[mac]
	return b, ok
}

// ByAddr implements Book.
func (t *Table) ByAddr(addr netip.Addr) (Boot, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, b := range t.open {
		if b.owns(addr) {
			return b, true
		}
	}
	return Boot{}, false
}

// TakeTicket implements Book.
func (t *Table) TakeTicket(mac MAC) (secret.Value, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.open[mac]
	if !ok || t.taken[mac] || b.Ticket.Empty() {
		return secret.Value{}, false
	}
	t.taken[mac] = true
	return b.Ticket, true
}
