// Package router reads what routers print of their way to an address: FRR's and
// Linux' JSON, and BIRD's text. It asks nobody.
package router

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// ErrForm says that an output is none of the forms that are known.
var ErrForm = errors.New("it is none of the forms that are known (FRR's `show bgp|ip|ipv6 route ... json`, `ip -j route`, BIRD's `show route ... all`)")

// NextHops returns the different next hops that a router uses for exactly one
// address, a /32 or a /128: a default route or an aggregate leads everywhere, and
// says nothing of who announces the address. None, and no error, is a router that
// has no such route.
func NextHops(output []byte, address netip.Addr) ([]netip.Addr, error) {
	text := strings.TrimSpace(string(output))
	var hops []string
	switch {
	case text == "":
		return nil, fmt.Errorf("read a router's table: it printed nothing: %w", ErrForm)
	case text[0] == '{':
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			return nil, fmt.Errorf("read a router's table: %w", err)
		}
		var err error
		if hops, err = frr(object, address); err != nil {
			return nil, err
		}
	case text[0] == '[':
		var list []linuxRoute
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, fmt.Errorf("read a router's table: %w", err)
		}
		hops = linux(list, address)
	case strings.HasPrefix(text, "BIRD ") || strings.HasPrefix(text, "Table ") || strings.HasPrefix(text, "Network not found"):
		hops = bird(text, address)
	default:
		return nil, fmt.Errorf("read a router's table, which begins with %.60q: %w", text, ErrForm)
	}
	return distinct(hops), nil
}

// distinct reads addresses, each once; what is none is no next hop.
func distinct(texts []string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil && !a.IsUnspecified() {
			all = append(all, a.WithZone(""))
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// exact reports whether a destination is the address alone. Linux leaves the length
// of such a prefix away.
func exact(destination string, address netip.Addr) bool {
	if p, err := netip.ParsePrefix(destination); err == nil {
		return p.Addr() == address && p.IsSingleIP()
	}
	a, err := netip.ParseAddr(destination)
	return err == nil && a == address
}

// linuxRoute is one route of `ip -j route` (iproute2, ip/iproute.c).
type linuxRoute struct {
	Dst      string `json:"dst"`
	Gateway  string `json:"gateway"`
	Nexthops []struct {
		Gateway string `json:"gateway"`
		Via     struct {
			Host string `json:"host"`
		} `json:"via"` // of another family
	} `json:"nexthops"`
	Via struct {
		Host string `json:"host"`
	} `json:"via"`
}

func linux(list []linuxRoute, address netip.Addr) []string {
	var hops []string
	for _, r := range list {
		if !exact(r.Dst, address) {
			continue
		}
		hops = append(hops, r.Gateway, r.Via.Host)
		for _, n := range r.Nexthops {
			hops = append(hops, n.Gateway, n.Via.Host)
		}
	}
	return hops
}

var (
	birdNetwork = regexp.MustCompile(`^([0-9a-fA-F:.]+/\d+)\s`)
	birdHop     = regexp.MustCompile(`^\s+via (\S+) on `)
)

// bird reads BIRD 2's `show route`: a network begins a line, its next hops follow
// it, those of an ECMP route one after the other. Routes that are not the best ones
// have no network of their own; only the first of each is used for packets.
func bird(text string, address netip.Addr) []string {
	var hops []string
	mine, first := false, false
	for line := range strings.Lines(text) {
		if m := birdNetwork.FindStringSubmatch(line); m != nil {
			mine, first = exact(m[1], address), true
			continue
		}
		if m := birdHop.FindStringSubmatch(line); m != nil {
			if mine && first {
				hops = append(hops, m[1])
			}
			continue
		}
		// A further route of the same network: "                     unicast [b ...] (100)".
		if strings.Contains(line, "unicast [") {
			first = false
		}
	}
	return hops
}
