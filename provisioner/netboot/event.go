package netboot

import (
	"fmt"
	"net/netip"
	"time"
)

// A Kind says what an Event tells.
type Kind string

// The kinds of events. Those of a boot come in this order when all is well.
const (
	Asked    Kind = "asked"    // the firmware's first DHCP message in this opening
	Leased   Kind = "leased"   // a DHCP ACK went out
	Media    Kind = "media"    // the boot image for virtual media is read, by the host's management controller
	Loader   Kind = "loader"   // the loader was fetched whole
	Script   Kind = "script"   // iPXE fetched its script
	Program  Kind = "program"  // the signed boot program was fetched whole
	Progress Kind = "progress" // kernel or initrd is under way
	Fetched  Kind = "fetched"  // kernel or initrd was fetched whole
	Ticketed Kind = "ticket"   // the one-time ticket was served

	Refused  Kind = "refused"  // something asked for what it may not have
	Loop     Kind = "loop"     // the loader was fetched again and no script was asked for
	Foreign  Kind = "foreign"  // another DHCP server spoke on this network
	Declined Kind = "declined" // the host found its address in use (DHCPDECLINE) or was refused another one
	Trouble  Kind = "trouble"  // we could not answer, or what asked is not what the inventory says
)

// An Event is one thing that was seen. Nothing in it is secret.
type Event struct {
	Time   time.Time
	Kind   Kind
	Node   string // empty when no open boot is concerned
	MAC    string // empty when unknown
	From   string // address of the peer
	Client Client // who asks, by its own words; of DHCP events
	File   string // what was asked for: "snponly.efi", "kernel", …
	By     string // "dhcp", "proxy-dhcp", "tftp", "http"
	Bytes  int64  // sent
	Total  int64  // to send
	Took   time.Duration
	Own    time.Duration // of Took, the time in our own code, not waiting for the network
	Note   string        // a sentence for the user
	Next   string        // what the user can do, for what went wrong
}

// Speed returns kB/s (1000 bytes), 0 when it can't be told.
func (e Event) Speed() float64 {
	if e.Took <= 0 || e.Bytes == 0 {
		return 0
	}
	return float64(e.Bytes) / 1000 / e.Took.Seconds()
}

// String returns one line for people.
func (e Event) String() string {
	who := e.Node
	if who == "" {
		who = e.MAC
	}
	if who == "" {
		who = e.From
	}
	line := fmt.Sprintf("%s %s", who, e.Kind)
	if e.File != "" {
		line += fmt.Sprintf(" %s by %s", e.File, e.By)
	}
	if e.Total > 0 {
		line += fmt.Sprintf(" %d of %d bytes, %.0f kB/s", e.Bytes, e.Total, e.Speed())
	}
	if e.Note != "" {
		line += ": " + e.Note
	}
	return line
}

// emit fills in what every event of a boot has, and reports it.
func (s *Server) emit(b Boot, e Event) {
	e.Time = time.Now()
	if b.Node != "" {
		e.Node, e.MAC = b.Node, b.MAC.String()
	}
	if s.conf.Report != nil {
		s.conf.Report(e)
	}
}

// plain returns addr as an IPv4 address when it is one mapped into IPv6.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
