package preflight

import (
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Link looks at an interface of this machine. It needs no privilege.
func Link(name string) facts.Link {
	l := facts.Link{Name: name}
	link, err := netlink.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return l
	}
	if err != nil {
		l.Err = err.Error()
		return l
	}
	a := link.Attrs()
	l.Exists, l.MTU, l.MAC = true, a.MTU, a.HardwareAddr.String()
	l.Up, l.Carrier = a.RawFlags&unix.IFF_UP != 0, a.RawFlags&unix.IFF_LOWER_UP != 0
	if a.MasterIndex != 0 {
		if master, err := netlink.LinkByIndex(a.MasterIndex); err == nil {
			l.Master = master.Attrs().Name
		}
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		l.Err = err.Error()
	}
	for _, each := range addrs {
		addr, ok := netip.AddrFromSlice(each.IP)
		bits, _ := each.Mask.Size()
		if !ok {
			continue
		}
		l.Addresses = append(l.Addresses, netip.PrefixFrom(addr.Unmap(), bits))
		if each.Flags&unix.IFA_F_DADFAILED != 0 {
			l.Duplicate = append(l.Duplicate, addr.Unmap())
		}
	}
	return l
}
