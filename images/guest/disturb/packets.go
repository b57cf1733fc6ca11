package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// how says in words what is done to the packets that a pod sends.
func how(kind string) string {
	return map[string]string{
		"latency": fmt.Sprintf("%d ms of latency", latency.Milliseconds()), "corruption": fmt.Sprintf("%d of 100 packets corrupted", corruption),
		"duplication": fmt.Sprintf("%d of 100 packets sent twice", duplication),
	}[kind]
}

// link is what disturbs the packets that leave by one link of a pod.
type link interface {
	// undo takes it from the link.
	undo() error
	// passed returns how many packets it has disturbed, and 0 where nobody knows.
	passed() int64
}

// links are all that disturb one pod.
type links struct {
	kind   string
	on     []link
	proven bool // an echo has shown it
}

// packets disturbs what a pod sends, on each of its links: by the kernel's netem, or
// where it has none by this program. What an echo from the pod takes tells whether it
// works.
func (t task) packets(pid int) (string, disturbance, error) {
	nodes, err := listen() // before this thread leaves the node's network
	if err != nil {
		return "", nil, err
	}
	defer nodes.close()
	if err := enterNet(pid); err != nil {
		return "", nil, err
	}
	all, addresses, err := linksUp()
	if err != nil {
		return "", nil, err
	}
	before, from := nodes.nearest(addresses)
	d := &links{kind: t.kind}
	var names []string
	by := ""
	for _, l := range all {
		one, means, err := t.onLink(l)
		if err != nil {
			return "", nil, errors.Join(err, d.end())
		}
		d.on, names, by = append(d.on, one), append(names, l.Name), means
	}
	what := fmt.Sprintf("%s on %s, by %s", how(t.kind), strings.Join(names, ", "), by)
	if !from.IsValid() {
		return what + "; the pod answers no echo by which it could be measured", d, nil
	}
	now := nodes.echo(from, 100, latency+time.Second, false)
	if d.proven = now.shows(t.kind, before); !d.proven {
		return "", nil, errors.Join(lacks{fmt.Errorf("%s, and it had no effect: echoes from %v: %v; before: %v", what, from, now, before)}, d.end())
	}
	return fmt.Sprintf("%s: echoes from %v: %v; before: %v", what, from, now, before), d, nil
}

// linksUp returns the links of this thread's network that are in use, and their
// addresses.
func linksUp() (links []net.Interface, addresses []netip.Addr, err error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, nil, err
	}
	for _, l := range all {
		if l.Flags&net.FlagLoopback != 0 || l.Flags&net.FlagUp == 0 {
			continue
		}
		links = append(links, l)
		has, _ := l.Addrs()
		for _, a := range has {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
				addresses = append(addresses, p.Addr())
			}
		}
	}
	if links == nil {
		return nil, nil, lacks{errors.New("the pod has no link but loopback")}
	}
	return links, addresses, nil
}

// onLink disturbs one link, by the means that the kernel has.
func (t task) onLink(l net.Interface) (link, string, error) {
	one, err := netem(l, t.kind)
	if err == nil {
		return one, "netem", nil
	}
	if !errors.As(err, new(lacks)) {
		return nil, "", err
	}
	own, instead := detour(l, t.kind, t.longest)
	if instead != nil {
		return nil, "", lacks{fmt.Errorf("%w; and without it: %w", err, instead)}
	}
	return own, "a detour (" + err.Error() + ")", nil
}

// end takes all away.
func (d *links) end() error {
	var errs []error
	for _, l := range d.on {
		errs = append(errs, l.undo())
	}
	return errors.Join(errs...)
}

// undo implements disturbance. Where no echo has shown the effect, so many packets
// have to have been disturbed that one in ten can't have missed all of them.
func (d *links) undo() (string, bool, error) {
	var n int64
	for _, l := range d.on {
		n += l.passed()
	}
	const enough = 100
	return fmt.Sprintf("%d packets passed it", n), d.proven || n >= enough, d.end()
}

// over implements disturbance: a pod that is gone takes its links with it.
func (*links) over() <-chan struct{} { return nil }
