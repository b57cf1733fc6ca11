package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/router"
)

// noAddress is why nothing about the ways to an address is tried; conform knows from
// the probe of load balancers that there is none.
const noAddress = "no load balancer gave an address"

// Router is somebody outside the cluster who tells where packets for an address go.
type Router struct {
	Name string                                                  // as evidence names it: the command that asks it
	Ask  func(ctx context.Context, a netip.Addr) ([]byte, error) // returns what package router reads
}

// routed asks routers outside for the load balancer's addresses: whether they have a
// route of that address alone, and by how many next hops.
func (x *scene) routed(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeAdvertise)
	names := []string{conform.ProbeAdvertise, conform.ProbeMultipath}
	switch routers := x.t.cluster.Routers; {
	case len(x.given) == 0:
		for _, name := range names {
			x.skip(name, noAddress)
		}
	case len(routers) == 0:
		for _, name := range names {
			x.skip(name, "it takes a router outside that tells its routes: name a command that asks one with --router (docs/conformance.md)")
		}
	default:
		said, hops, err := x.hops(ctx, routers)
		p := conform.Probe{Name: conform.ProbeAdvertise, Did: fmt.Sprintf("made a Service of type LoadBalancer, and asked %d routers outside for a route of each of its addresses", len(routers)),
			Said: said, Outcome: verdictOf(hops > 0), Repeat: "by hand: while a Service of type LoadBalancer has an ADDRESS: " + routers[0].Name}
		x.tell(p, err)
		p.Name, p.Outcome, p.Numbers = conform.ProbeMultipath, verdictOf(hops > 1), map[string]float64{"nextHops": float64(hops)}
		x.tell(p, err)
	}
}

// hops returns the least number of next hops that any router has for each address,
// once it is two or time is over.
func (x *scene) hops(ctx context.Context, routers []Router) (said []string, least int, err error) {
	soon, cancel := context.WithTimeout(ctx, x.routes)
	defer cancel()
	_ = until(soon, "routers know the addresses", func(ctx context.Context) (bool, string) {
		said, least, err = x.look(ctx, routers)
		return err == nil && least > 1, "no"
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return said, least, err
}

// look asks every router once for every address. A router that doesn't answer hides
// what it knows, so that too few next hops of the others decide nothing.
func (x *scene) look(ctx context.Context, routers []Router) (said []string, least int, err error) {
	least = -1
	for _, text := range x.given {
		a, bad := netip.ParseAddr(text)
		if bad != nil {
			return said, 0, fmt.Errorf("the load balancer gave the name %s instead of an address, and routes are of addresses", text)
		}
		most := 0
		for _, r := range routers {
			out, failed := r.Ask(ctx, a)
			var hops []netip.Addr
			if failed == nil {
				hops, failed = router.NextHops(out, a)
			}
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("ask %s for %s: %w", r.Name, a, failed))
				continue
			}
			most = max(most, len(hops))
			said = append(said, fmt.Sprintf("%s by %d next hops (%s), says %s", a, len(hops), joined(hops), r.Name))
		}
		if least < 0 || most < least {
			least = most
		}
	}
	if least > 1 {
		err = nil
	}
	return said, max(least, 0), err
}

func joined(hops []netip.Addr) string {
	var all []string
	for _, h := range hops {
		all = append(all, h.String())
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
