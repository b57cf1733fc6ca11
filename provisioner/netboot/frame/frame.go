// Package frame sends and hears frames of one protocol on one interface, below
// the kernel's own IP: without an address, beside a DHCP client or a firewall
// of this machine, and with the sender's MAC.
package frame

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Protocols: EtherTypes (IEEE 802).
const (
	IPv4 = unix.ETH_P_IP
	ARP  = unix.ETH_P_ARP
	IPv6 = unix.ETH_P_IPV6
)

// A Conn is the interface, for one protocol.
type Conn struct {
	conn *packet.Conn
	nic  *net.Interface
}

// Listen opens the interface. It needs CAP_NET_RAW.
func Listen(iface string, protocol int) (*Conn, error) {
	nic, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", iface, err)
	}
	conn, err := packet.Listen(nic, packet.Datagram, protocol, nil)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("open a packet socket on %s: %w (run as root, or with CAP_NET_RAW)", iface, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open a packet socket on %s: %w", iface, err)
	}
	filter, err := bpf.Assemble(only(nic.Index))
	if err == nil {
		err = conn.SetBPF(filter)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("filter what %s hears: %w", iface, err)
	}
	return &Conn{conn, nic}, nil
}

// only hears what others sent on this network itself. A packet socket on an
// interface is given the frames of its tagged VLANs as well: with the tag when
// nobody here uses that VLAN, else as the frame of the VLAN's interface (Linux,
// __netif_receive_skb_core delivers to the original device too).
func only(index int) []bpf.Instruction {
	const outgoing = unix.PACKET_OUTGOING
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 5},
		bpf.LoadExtension{Num: bpf.ExtInterfaceIndex},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(index), SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: outgoing, SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	}
}

// MAC returns the interface's own.
func (c *Conn) MAC() net.HardwareAddr { return c.nic.HardwareAddr }

// Close ends it; a Read that waits fails.
func (c *Conn) Close() error { return c.conn.Close() }

// Send sends a payload to a MAC.
func (c *Conn) Send(to net.HardwareAddr, payload []byte) error {
	_, err := c.conn.WriteTo(payload, &packet.Addr{HardwareAddr: to})
	return err
}

// Hear gives each payload and its sender to hear until ctx ends, which is no
// error.
func (c *Conn) Hear(ctx context.Context, hear func(from net.HardwareAddr, payload []byte)) error {
	defer context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })()
	buf := make([]byte, 1<<16)
	for {
		n, from, err := c.conn.ReadFrom(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("hear frames on %s: %w", c.nic.Name, err)
		}
		if sender, ok := from.(*packet.Addr); ok {
			hear(sender.HardwareAddr, buf[:n])
		}
	}
}
