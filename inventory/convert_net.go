package inventory

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
)

// label checks an RFC 1123 label: what Kubernetes allows as a node name
// without dots.
func (c *converter) label(path, text string) {
	if text == "" {
		if c.written(path) && !c.broken[path] {
			c.say(path, "is empty", "write a name")
		}
		return
	}
	if len(text) > 63 || !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`).MatchString(text) {
		c.say(path, strconv.Quote(text)+" is not a valid name", "use at most 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit (RFC 1123)")
	}
}

// networks converts CIDRs that name whole networks, one per family, IPv4 first.
func (c *converter) networks(path string, texts []string) []netip.Prefix {
	prefixes := c.prefixes(path, texts)
	for i, p := range prefixes {
		if p != p.Masked() {
			c.say(c.item(path, texts, p), p.String()+" names an address inside a network", "write the network: "+p.Masked().String())
			prefixes[i] = p.Masked()
		}
	}
	return prefixes
}

// hosts converts CIDRs that name one machine's address and the prefix length
// of its network, one per family, IPv4 first.
func (c *converter) hosts(path string, texts []string) []netip.Prefix {
	prefixes := c.prefixes(path, texts)
	for _, p := range prefixes {
		at := c.item(path, texts, p)
		switch {
		case p.Bits() >= p.Addr().BitLen()-1:
			c.say(at, p.String()+" leaves no room for other machines", fmt.Sprintf("write the prefix length of the network, like %s/24", p.Addr()))
		case p == p.Masked():
			c.say(at, p.String()+" is the network itself", "write the address of the machine in it, like "+netip.PrefixFrom(p.Addr().Next(), p.Bits()).String())
		case p.Addr().Is4() && last(p) == p.Addr():
			c.say(at, p.String()+" is the broadcast address of the network", "write the address of one machine")
		}
	}
	return prefixes
}

// prefixes converts CIDRs, at most one per family, IPv4 first.
func (c *converter) prefixes(path string, texts []string) []netip.Prefix {
	var out []netip.Prefix
	for i, text := range texts {
		at := c.index(path, i)
		if text == "" || c.broken[at] {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			c.say(at, strconv.Quote(text)+" is not an address with a prefix length", "write it like 10.17.0.11/24 or \"fd00:17::11/64\"")
			continue
		}
		if wrong := unusable(p.Addr()); wrong != "" {
			c.say(at, p.String()+" "+wrong, "write an address that other machines can reach")
			continue
		}
		if slices.ContainsFunc(out, func(o netip.Prefix) bool { return sameFamily(o.Addr(), p.Addr()) }) {
			c.say(at, "is the second of its family", "write at most one IPv4 and one IPv6")
			continue
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()) })
	return out
}

// addresses converts addresses in the order of the file.
func (c *converter) addresses(path string, texts []string) []netip.Addr {
	var out []netip.Addr
	for i, text := range texts {
		at := c.index(path, i)
		if text == "" || c.broken[at] {
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			c.say(at, strconv.Quote(text)+" is not an IP address", "write it like 10.17.0.10 or \"fd00:17::10\", without a prefix length")
			continue
		}
		if wrong := unusable(a); wrong != "" {
			c.say(at, a.String()+" "+wrong, "write an address that other machines can reach")
			continue
		}
		out = append(out, a)
	}
	return out
}

// pair checks that there is at most one address per family and puts IPv4 first.
func (c *converter) pair(path string, addrs []netip.Addr) []netip.Addr {
	out := slices.Clone(addrs)
	slices.SortStableFunc(out, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) })
	for i := 1; i < len(out); i++ {
		if sameFamily(out[i-1], out[i]) {
			c.say(path, out[i-1].String()+" and "+out[i].String()+" are of one family", "write at most one IPv4 and one IPv6")
			return out[:i]
		}
	}
	return out
}

// unusable says why an address can't belong to a machine, or "".
func unusable(a netip.Addr) string {
	switch {
	case a.Is4In6():
		return "is an IPv4 address written as IPv6"
	case a.IsUnspecified():
		return "is no address"
	case a.IsLoopback():
		return "is a loopback address"
	case a.IsMulticast():
		return "is a multicast address"
	case a.IsLinkLocalUnicast():
		return "is a link-local address (ra2.ch.007 wants a routable one)"
	}
	return ""
}

// index names an item of a list, or the path itself when it holds one value.
func (c *converter) index(path string, i int) string {
	if at := fmt.Sprintf("%s[%d]", path, i); c.written(at) {
		return at
	}
	return path
}

// item names the item of a list that was converted to p.
func (c *converter) item(path string, texts []string, p netip.Prefix) string {
	for i, text := range texts {
		if got, err := netip.ParsePrefix(text); err == nil && got == p {
			return c.index(path, i)
		}
	}
	return path
}

func sameFamily(a, b netip.Addr) bool { return a.Is4() == b.Is4() }

// last returns the highest address of a network.
func last(p netip.Prefix) netip.Addr {
	raw := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(raw); bit++ {
		raw[bit/8] |= 1 << (7 - bit%8)
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}
