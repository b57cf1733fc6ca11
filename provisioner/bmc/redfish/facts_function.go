package redfish

import (
	"context"
	"slices"
	"strings"
)

// function is a NetworkDeviceFunction (DSP0268).
type function struct {
	Type     text   `json:"NetDevFuncType"`
	MaxVFs   number `json:"MaxVirtualFunctions"`
	Status   state  `json:"Status"`
	Ethernet struct {
		MAC       text `json:"MACAddress"`
		Permanent text `json:"PermanentMACAddress"`
	} `json:"Ethernet"`
	Port     link   `json:"PhysicalPortAssignment"`
	Assigned []link `json:"AssignablePhysicalPorts"`
	Ports    []link `json:"AssignablePhysicalNetworkPorts"`
	Links    struct {
		Port    link `json:"PhysicalPortAssignment"`
		Network link `json:"PhysicalNetworkPortAssignment"`
	} `json:"Links"`
}

func (f function) mac() string {
	if m := mac(f.Ethernet.Permanent); m != "" {
		return m
	}
	return mac(f.Ethernet.MAC)
}

// of reports whether this is a function of a port. Several assignable ports
// name none.
func (f function) of(s socket) bool {
	if s.MAC != "" && f.mac() == s.MAC {
		return true
	}
	ids := []path{f.Port.Path, f.Links.Port.Path, f.Links.Network.Path}
	for _, some := range [][]link{f.Assigned, f.Ports} {
		if len(some) == 1 {
			ids = append(ids, some[0].Path)
		}
	}
	return s.id != "" && slices.ContainsFunc(ids, func(p path) bool { return p != "" && p.last() == s.id })
}

// maxSilent is how many cards in a row may tell nothing in their functions
// before those of the others aren't read.
const maxSilent = 2

// functions completes ports by the functions behind them: addresses, and how
// many virtual functions. Where there are no ports, the functions stand for
// them. They are not read when the ports tell it all.
func (l *look) functions(ctx context.Context, a adapter, found []socket) ([]socket, error) {
	needed := func(s socket) bool { return s.MAC == "" || s.MaxVFs == nil && (s.SRIOV == nil || *s.SRIOV) }
	if len(found) > 0 && !slices.ContainsFunc(found, needed) || len(found) > 0 && l.silent >= maxSilent && !slices.ContainsFunc(found, func(s socket) bool { return s.MAC == "" }) {
		return found, nil
	}
	news, bare := false, len(found) == 0
	_, err := each(ctx, l, "ports", a.Functions.Path, func(p path, f function) error {
		if f.Type != "" && !ethernet(f.Type) || f.Status.absent() {
			l.strange(f.mac())
			return nil
		}
		i := slices.IndexFunc(found, f.of)
		if i < 0 && bare && f.mac() != "" {
			found = append(found, socket{"", port{}.fact(p, a)})
			i = len(found) - 1
		}
		if i >= 0 {
			news = found[i].learn(f) || news
		}
		return nil
	})
	if l.silent++; news || a.Functions.Path == "" {
		l.silent = 0
	}
	return found, err
}

// learn takes what a function tells of its port; news is false when nothing.
// No virtual functions is what many say while SR-IOV is switched off.
func (s *socket) learn(f function) (news bool) {
	if s.MAC == "" && f.mac() != "" {
		s.MAC, news = f.mac(), true
		s.From = strings.TrimPrefix(s.From+"; address from its function", "; ")
	}
	if n := f.MaxVFs.count(maxVFs); n > 0 && (s.MaxVFs == nil || n > *s.MaxVFs) {
		yes := true
		s.MaxVFs, s.SRIOV, news = &n, &yes, true
	}
	return news
}
