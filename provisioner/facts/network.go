package facts

import (
	"fmt"
	"net/netip"
	"time"
)

// Network is what the provisioning network was seen to be, from the machine
// that runs ra2-deploy. Silence is a fact where somebody was asked; what could
// not be asked has an Err.
type Network struct {
	Link       Link                     `json:"link"`
	Deaf       string                   `json:"deaf,omitempty"` // why no frames could be sent and heard on the interface; then DHCP, Neighbours and Paths tell nothing
	DHCP       DHCP                     `json:"dhcp"`
	Neighbours map[netip.Addr]Neighbour `json:"neighbours,omitempty"` // by address that was asked for
	Names      []NameServer             `json:"names,omitempty"`
	Times      []TimeServer             `json:"times,omitempty"`
	System     SystemClock              `json:"system"`
	Paths      []Path                   `json:"paths,omitempty"`
}

// Link is the interface of the provisioning network.
type Link struct {
	Name      string         `json:"name"`
	Err       string         `json:"err,omitempty"`    // why it could not be looked at
	Exists    bool           `json:"exists"`           //
	Up        bool           `json:"up"`               // administratively
	Carrier   bool           `json:"carrier"`          // IFF_LOWER_UP
	MTU       int            `json:"mtu"`              // bytes
	MAC       string         `json:"mac,omitempty"`    // lower case, colons
	Master    string         `json:"master,omitempty"` // the bridge or bond that it is a port of
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Duplicate []netip.Addr   `json:"duplicate,omitempty"` // of Addresses: the kernel found them in use by others (IFA_F_DADFAILED)
}

// DHCP is who gives addresses on the network.
type DHCP struct {
	Err      string        `json:"err,omitempty"` // why nobody was asked
	Listened time.Duration `json:"listened"`      // nanoseconds in JSON
	Offers   []Offer       `json:"offers,omitempty"`
}

// Offer is what a DHCP server said that isn't ours; or, with Type "REQUEST",
// what a client said that takes the offer of such a server.
type Offer struct {
	Server   netip.Addr `json:"server"`             // DHCP option 54, else the sender's address
	From     netip.Addr `json:"from"`               // the sender: the server, or a relay
	MAC      string     `json:"mac,omitempty"`      // of the sender's frame
	Type     string     `json:"type"`               // "OFFER", "ACK", "NAK", "REQUEST"
	Address  netip.Addr `json:"address,omitzero"`   // offered; zero from a proxy DHCP server
	BootFile string     `json:"bootFile,omitempty"` // header field or DHCP option 67
	Class    string     `json:"class,omitempty"`    // DHCP option 60: "PXEClient" from a proxy DHCP server
	Asked    string     `json:"asked,omitempty"`    // what kind of client got it: "any client", "PXEClient …"; empty where it was overheard
}

// String returns one line for people.
func (o Offer) String() string {
	text := fmt.Sprintf("DHCP server %s", o.Server)
	if o.MAC != "" {
		text += " (MAC " + o.MAC + ")"
	}
	if o.Type == "REQUEST" {
		return text + " gives an address to another client, by that client's REQUEST"
	}
	address := "no address"
	if o.Address.IsValid() {
		address = o.Address.String()
	}
	text += fmt.Sprintf(" sent %s of %s", o.Type, address)
	if o.BootFile != "" {
		text += fmt.Sprintf(" with boot file %q", o.BootFile)
	}
	if o.Asked != "" {
		text += " to " + o.Asked
	}
	return text
}

// Neighbour is who answers for one address on the link (ARP, NDP).
type Neighbour struct {
	MACs []string `json:"macs,omitempty"` // all that claim it, sorted; nil: nobody within the time
	Err  string   `json:"err,omitempty"`  // why it could not be asked for
}

// NameServer is what a DNS server answered (RFC 1035).
type NameServer struct {
	Server    netip.Addr   `json:"server"`
	Question  string       `json:"question"`         // "api.edge.internal. A"
	Err       string       `json:"err,omitempty"`    // why it could not be asked
	Silent    string       `json:"silent,omitempty"` // why there is no answer
	RCode     string       `json:"rcode,omitempty"`  // "NOERROR", "NXDOMAIN", "SERVFAIL", …
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// TimeServer is what an NTP server answered (RFC 5905).
type TimeServer struct {
	Server    netip.Addr    `json:"server"`
	Err       string        `json:"err,omitempty"`    // why it could not be asked
	Silent    string        `json:"silent,omitempty"` // why there is no answer that can be used
	Leap      int           `json:"leap"`             // 3: its clock is not synchronised
	Stratum   int           `json:"stratum"`          // 0 with a Reference: it refuses, for that reason; 0 and 16: not synchronised
	Reference string        `json:"reference,omitempty"`
	Offset    time.Duration `json:"offset"` // its time minus ours; nanoseconds in JSON
	Delay     time.Duration `json:"delay"`  // there and back
}

// SystemClock is what the kernel says of this machine's clock (adjtimex).
type SystemClock struct {
	Err          string `json:"err,omitempty"`
	Synchronised bool   `json:"synchronised"` // somebody disciplines it: STA_UNSYNC is not set
}

// Path is what size of packets comes through to an address and back, without
// being taken apart.
type Path struct {
	To    netip.Addr `json:"to"`
	Err   string     `json:"err,omitempty"` // why it could not be asked
	Tried int        `json:"tried"`         // the largest that was sent, bytes of the IP packet
	Bytes int        `json:"bytes"`         // the largest that came back; 0: it doesn't answer ICMP at all
}
