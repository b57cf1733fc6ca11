package router

import (
	"encoding/json"
	"fmt"
	"net/netip"
)

// hop is a next hop as FRR prints it, of BGP and of the routing table.
type hop struct {
	IP   string `json:"ip"`
	FIB  bool   `json:"fib"`  // of the routing table: packets go there
	Used bool   `json:"used"` // of BGP
}

// path is one way to a prefix: of BGP (bgpd/bgp_route.c, route_vty_out), which is used
// when it is the best one or goes beside it, or of the routing table.
type path struct {
	Nexthops  []hop           `json:"nexthops"`
	Multipath bool            `json:"multipath"`
	Bestpath  json.RawMessage `json:"bestpath"` // true in a table, {"overall": true} of one prefix
	Selected  bool            `json:"selected"`
	Valid     bool            `json:"valid"`
}

// best reports whether BGP chose this path.
func (p path) best() bool {
	var yes bool
	if json.Unmarshal(p.Bestpath, &yes) == nil {
		return yes
	}
	var of struct {
		Overall bool `json:"overall"`
	}
	return json.Unmarshal(p.Bestpath, &of) == nil && of.Overall
}

// frr reads what vtysh prints for one prefix or for a whole table.
func frr(object map[string]json.RawMessage, address netip.Addr) ([]string, error) {
	switch {
	case len(object) == 0: // it has no route
		return nil, nil
	case object["prefix"] != nil && object["paths"] != nil: // show bgp FAMILY unicast ADDRESS json
		var one struct {
			Prefix string `json:"prefix"`
			Paths  []path `json:"paths"`
		}
		if err := again(object, &one); err != nil {
			return nil, err
		}
		return used(map[string][]path{one.Prefix: one.Paths}, address), nil
	case object["routes"] != nil && object["tableVersion"] != nil: // show bgp FAMILY unicast json
		var table struct {
			Routes map[string][]path `json:"routes"`
		}
		if err := again(object, &table); err != nil {
			return nil, err
		}
		return used(table.Routes, address), nil
	}
	table := map[string][]path{} // show ip route json
	for prefix, routes := range object {
		if _, err := netip.ParsePrefix(prefix); err != nil {
			return nil, fmt.Errorf("read a router's table, which has a field %.40q: %w", prefix, ErrForm)
		}
		var list []path
		if err := json.Unmarshal(routes, &list); err != nil {
			return nil, fmt.Errorf("read a router's table: %s: %w", prefix, err)
		}
		table[prefix] = list
	}
	return used(table, address), nil
}

func again(object map[string]json.RawMessage, to any) error {
	data, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		return fmt.Errorf("read a router's table: %w", err)
	}
	return nil
}

// used returns the next hops of what packets take.
func used(table map[string][]path, address netip.Addr) []string {
	var hops []string
	for prefix, paths := range table {
		if !exact(prefix, address) {
			continue
		}
		for _, p := range paths {
			chosen := p.best() || p.Multipath // of BGP
			for _, h := range p.Nexthops {
				if chosen || p.Selected && h.FIB {
					hops = append(hops, h.IP)
				}
			}
		}
	}
	return hops
}
