// Package network makes the network of a lab: a network namespace of its own,
// bridges in it, and the cables of the machines.
package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// folder is where iproute2 keeps named network namespaces.
const folder = "/run/netns"

// Exists reports whether a namespace of this name is there.
func Exists(name string) bool {
	_, err := os.Stat(filepath.Join(folder, name))
	return err == nil
}

// Add makes a named network namespace, as `ip netns add` does.
func Add(name string) error {
	if Exists(name) {
		return fmt.Errorf("make network namespace %s: it is there already", name)
	}
	return inOwnThread(func() error {
		handle, err := netns.NewNamed(name)
		if err != nil {
			return fmt.Errorf("make network namespace %s: %w", name, err)
		}
		defer handle.Close()
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("network namespace %s: %w", name, err)
		}
		return netlink.LinkSetUp(lo)
	})
}

// Delete removes a named network namespace. One that is not there is fine.
func Delete(name string) error {
	path := filepath.Join(folder, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount network namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove network namespace %s: %w", name, err)
	}
	return nil
}

// Start starts a command whose network is the namespace.
func Start(name string, cmd *exec.Cmd) error {
	return inOwnThread(func() error {
		handle, err := netns.GetFromName(name)
		if err != nil {
			return fmt.Errorf("network namespace %s: %w", name, err)
		}
		defer handle.Close()
		if err := netns.Set(handle); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", name, err)
		}
		return cmd.Start()
	})
}

// inOwnThread runs f in a thread that ends with it, so that no other goroutine
// runs in the namespace that f entered.
func inOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- f()
	}()
	return <-done
}

// Bridge makes a bridge with addresses in the present namespace.
func Bridge(name string, addresses ...netip.Prefix) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("make bridge %s: %w", name, err)
	}
	for _, a := range addresses {
		if err := Address(bridge, a); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("bridge %s up: %w", name, err)
	}
	return nil
}

// Address gives a link an address, without duplicate address detection: what
// listens there must not wait for it.
func Address(link netlink.Link, a netip.Prefix) error {
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())}}
	if a.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("address %s on %s: %w", a, link.Attrs().Name, err)
	}
	return nil
}

// Cable connects the machine whose first process is pid with a bridge: a NIC
// with this name and MAC in the machine, a port of the bridge here.
func Cable(port, bridge string, pid int, nic string, mac net.HardwareAddr) error {
	Unplug(port)
	br, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", bridge, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = port, br.Attrs().Index
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: nic, PeerHardwareAddr: mac, PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make the cable %s of the machine: %w", port, err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return fmt.Errorf("cable %s up: %w", port, err)
	}
	return nil
}

// Tap makes a tap interface on a bridge.
func Tap(name, bridge string) error {
	Unplug(name)
	br, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", bridge, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	tap := &netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TAP, Flags: netlink.TUNTAP_DEFAULTS}
	if err := netlink.LinkAdd(tap); err != nil {
		return fmt.Errorf("make tap %s: %w", name, err)
	}
	if err := netlink.LinkSetMaster(tap, br); err != nil {
		return fmt.Errorf("tap %s on %s: %w", name, bridge, err)
	}
	if err := netlink.LinkSetUp(tap); err != nil {
		return fmt.Errorf("tap %s up: %w", name, err)
	}
	return nil
}

// Unplug removes a link; one that is not there is fine.
func Unplug(name string) {
	if l, err := netlink.LinkByName(name); err == nil {
		_ = netlink.LinkDel(l)
	}
}
