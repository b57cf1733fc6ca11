package lab

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

// server is one machine with all that follows from its place in the file.
type server struct {
	Machine
	number  int // 11 for the first: last octet of its addresses
	mac     net.HardwareAddr
	serial  string // of the chassis
	uuid    string
	disk    string // serial of the first disk, which may be erased
	data    string // serial of the second disk, which nobody may touch
	bmc     netip.Addr
	address []netip.Prefix
	dir     string
}

const firstNumber = 11

// servers gives every machine its addresses and serials.
func (f File) servers(dir string) ([]server, error) {
	oob, err := netip.ParsePrefix(f.Spec.Networks.OOB)
	if err != nil {
		return nil, err
	}
	var all []server
	for i, m := range f.Spec.Machines {
		n := firstNumber + i
		s := server{
			Machine: m, number: n, serial: fmt.Sprintf("RA2LAB%04d", n), disk: fmt.Sprintf("RA2DISK%04d", n), data: fmt.Sprintf("RA2DATA%04d", n),
			uuid: fmt.Sprintf("17170000-0000-4000-8000-%012d", n), dir: filepath.Join(dir, "machines", m.Name),
		}
		if s.mac, err = net.ParseMAC(fmt.Sprintf("52:54:00:17:%02d:%02d", n/100, n%100)); err != nil {
			return nil, err
		}
		if s.bmc, err = hostAddr(oob, n); err != nil {
			return nil, err
		}
		for _, cidr := range f.Spec.Networks.Provisioning {
			p, err := netip.ParsePrefix(cidr)
			if err != nil {
				return nil, err
			}
			a, err := hostAddr(p, n)
			if err != nil {
				return nil, err
			}
			s.address = append(s.address, netip.PrefixFrom(a, p.Bits()))
		}
		all = append(all, s)
	}
	return all, nil
}

// hostAddr is the address whose last octet is n; in IPv6 its digits read as
// n, so that 10.17.0.11 and fd00:17::11 belong together.
func hostAddr(network netip.Prefix, n int) (netip.Addr, error) {
	base := network.Masked().Addr()
	if base.Is6() {
		b := base.As16()
		b[14], b[15] = byte(n/100), byte(n/10%10<<4|n%10)
		a := netip.AddrFrom16(b)
		if !network.Contains(a) {
			return a, fmt.Errorf("network %s has no room for host %d", network, n)
		}
		return a, nil
	}
	b := base.As4()
	b[3] += byte(n)
	a := netip.AddrFrom4(b)
	if !network.Contains(a) || n > 254 {
		return a, fmt.Errorf("network %s has no room for host %d", network, n)
	}
	return a, nil
}

func (s server) path(name string) string { return filepath.Join(s.dir, name) }

// claims is what the BMC says of the machine.
func (s server) claims() (bmc.Hardware, error) {
	h := bmc.DefaultHardware()
	if s.Hardware != nil {
		if err := s.Hardware.over(&h); err != nil {
			return h, err
		}
	}
	if len(h.Drives) > 0 {
		h.Drives[0].Serial, h.Drives[0].WWN = s.disk, fmt.Sprintf("5000c50017%06d", s.number)
	}
	port := 0
	for i := range h.NICs {
		for j := range h.NICs[i].Ports {
			mac := s.mac
			if port > 0 {
				mac = net.HardwareAddr{0x52, 0x54, 0, 0x17, byte(0xf0 + port), byte(s.number)}
			}
			h.NICs[i].Ports[j].MAC = mac.String()
			port++
		}
	}
	return h, nil
}

// over lays the claims of the file over the defaults.
func (c Hardware) over(h *bmc.Hardware) error {
	if c.Sockets > 0 {
		h.Sockets = c.Sockets
	}
	if c.CoresPerSocket > 0 {
		h.CoresPerSocket = c.CoresPerSocket
	}
	if c.Threads > 0 {
		h.Threads = c.Threads
	}
	if c.MemoryGiB > 0 {
		h.MemoryGiB = c.MemoryGiB
	}
	if c.Drives != nil {
		h.Drives = nil
	}
	for i, d := range c.Drives {
		size, err := ParseSize(d.Size)
		if err != nil {
			return fmt.Errorf("hardware.drives[%d]: %w", i, err)
		}
		h.Drives = append(h.Drives, bmc.Drive{
			Name: fmt.Sprintf("Disk.%d", i), Model: "RA2 Lab " + d.Media, Media: d.Media, Bytes: size, Serial: fmt.Sprintf("RA2CLAIM%d", i),
		})
	}
	if c.NICs != nil {
		h.NICs = nil
	}
	for _, n := range c.NICs {
		nic := bmc.NIC{Model: fmt.Sprintf("RA2 Lab %gG %dP", n.SpeedGbps, n.Ports), SRIOV: n.SRIOV}
		for range n.Ports {
			nic.Ports = append(nic.Ports, bmc.Port{SpeedGbps: n.SpeedGbps})
		}
		h.NICs = append(h.NICs, nic)
	}
	if c.Slots != nil {
		h.Slots = nil
	}
	for _, s := range c.Slots {
		for range max(s.Count, 1) {
			h.Slots = append(h.Slots, bmc.Slot{Generation: s.Generation, Lanes: s.Lanes})
		}
	}
	return nil
}
