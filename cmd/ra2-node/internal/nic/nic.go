// Package nic brings up the boot NIC with static addresses (rtnetlink(7)).
package nic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Settings of the NIC.
type Settings struct {
	MAC       net.HardwareAddr
	Addresses []netip.Prefix
	Gateways  []netip.Addr
}

// Up finds the NIC by its MAC, gives it the addresses and waits for the link
// until ctx ends. It may be called again.
func Up(ctx context.Context, want Settings, say func(string, ...any)) error {
	if lo, err := netlink.LinkByName("lo"); err == nil {
		_ = netlink.LinkSetUp(lo) // nothing here needs it; the installed system does it again
	}
	link, err := find(ctx, want.MAC, say)
	if err != nil {
		return err
	}
	name := link.Attrs().Name
	quiet(name)
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", name, err)
	}
	for _, a := range want.Addresses {
		if err := add(link, a); err != nil {
			return fmt.Errorf("give %s the address %s: %w", name, a, err)
		}
	}
	if err := carrier(ctx, name, say); err != nil {
		return err
	}
	for _, g := range want.Gateways {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: g.AsSlice()}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("set gateway %s on %s: %w", g, name, err)
		}
	}
	return nil
}

// MACs returns the addresses of all NICs that are there now.
func MACs() ([]net.HardwareAddr, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var all []net.HardwareAddr
	for _, l := range links {
		if a := l.Attrs(); len(a.HardwareAddr) > 0 && a.Flags&net.FlagLoopback == 0 {
			all = append(all, a.HardwareAddr)
		}
	}
	return all, nil
}

// find waits for the NIC: drivers take their time.
func find(ctx context.Context, mac net.HardwareAddr, say func(string, ...any)) (netlink.Link, error) {
	told := time.Now()
	for {
		links, err := netlink.LinkList()
		if err != nil {
			return nil, fmt.Errorf("list network interfaces: %w", err)
		}
		var have []string
		for _, l := range links {
			a := l.Attrs()
			if bytes.Equal(a.HardwareAddr, mac) && a.MasterIndex == 0 {
				return l, nil
			}
			have = append(have, a.Name+" "+a.HardwareAddr.String())
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			say("waiting for the NIC %s; present: %s", mac, strings.Join(have, ", "))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no NIC has the MAC %s (ra2.mac): present are %s; is its driver in the installer?", mac, strings.Join(have, ", "))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// quiet turns off what would give the NIC other addresses than ours, and
// duplicate address detection: the addresses are reserved, a second's wait is not.
func quiet(name string) {
	dir := filepath.Join("/proc/sys/net/ipv6/conf", name)
	for key, value := range map[string]string{"accept_ra": "0", "autoconf": "0", "accept_dad": "0", "disable_ipv6": "0"} {
		_ = os.WriteFile(filepath.Join(dir, key), []byte(value), 0) // a kernel without IPv6 has none
	}
}

func add(link netlink.Link, a netip.Prefix) error {
	address := &netlink.Addr{IPNet: &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())}}
	if a.Addr().Is6() {
		address.Flags = unix.IFA_F_NODAD
	}
	if err := netlink.AddrReplace(link, address); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// carrier waits until frames can pass.
func carrier(ctx context.Context, name string, say func(string, ...any)) error {
	told := time.Now()
	for {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
		a := link.Attrs()
		if a.RawFlags&unix.IFF_LOWER_UP != 0 && slices.Contains([]netlink.LinkOperState{netlink.OperUp, netlink.OperUnknown}, a.OperState) {
			return nil
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			say("waiting for a link on %s (%s), it is %s", name, a.HardwareAddr, a.OperState)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no link on %s (%s), it is %s: is the cable in, is the switch port up (spanning tree)?", name, a.HardwareAddr, a.OperState)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
