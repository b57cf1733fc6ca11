package preflight

import (
	"bytes"
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot/frame"
)

// tries is RFC 5227's PROBE_NUM; they are PROBE_MIN, a second, apart.
const tries = 3

// burst is how many questions go out at once; a pause of a millisecond
// between bursts keeps a rack of 1,000 from being a storm of broadcasts.
const burst = 4

// A dialect is how one family asks who has an address.
type dialect interface {
	protocol() int
	question(netip.Addr) (to net.HardwareAddr, payload []byte)
	// owner returns the address that a payload claims, and by which MAC; nil
	// stands for the sender of the frame.
	owner(payload []byte) (netip.Addr, net.HardwareAddr, bool)
}

// Neighbours asks on the link who has these addresses, and returns after d
// with everyone who claims one. Nobody's cache is changed: the questions come
// from no address.
func Neighbours(ctx context.Context, iface string, addrs []netip.Addr, d time.Duration) map[netip.Addr]facts.Neighbour {
	out := map[netip.Addr]facts.Neighbour{}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, is4 := range []bool{true, false} {
		mine := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return a.Is4() != is4 })
		if len(mine) == 0 {
			continue
		}
		wg.Go(func() {
			found, err := ask(ctx, iface, is4, mine, d)
			mu.Lock()
			defer mu.Unlock()
			for _, a := range mine {
				n := facts.Neighbour{MACs: slices.Sorted(maps.Keys(found[a]))}
				if err != nil {
					n.Err = err.Error()
				}
				out[a] = n
			}
		})
	}
	wg.Wait()
	return out
}

// ask asks for the addresses of one family.
func ask(ctx context.Context, iface string, is4 bool, addrs []netip.Addr, d time.Duration) (map[netip.Addr]map[string]bool, error) {
	nic, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, err
	}
	var words dialect = arp{nic.HardwareAddr}
	if !is4 {
		words = ndp{nic.HardwareAddr}
	}
	conn, err := frame.Listen(iface, words.protocol())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, stop := context.WithTimeout(ctx, d)
	defer stop()
	sent := make(chan error, 1)
	go func() {
		err := send(ctx, conn, words, addrs)
		if err != nil {
			stop()
		}
		sent <- err
	}()
	found := map[netip.Addr]map[string]bool{}
	for _, a := range addrs {
		found[a] = map[string]bool{}
	}
	err = conn.Hear(ctx, func(from net.HardwareAddr, payload []byte) {
		a, mac, ok := words.owner(payload)
		if mac == nil {
			mac = from
		}
		// A bridge or a second port of ours can bring back what we sent.
		if ok && found[a] != nil && !bytes.Equal(mac, nic.HardwareAddr) {
			found[a][mac.String()] = true
		}
	})
	if failed := <-sent; failed != nil {
		return found, failed
	}
	return found, err
}

// send asks for each address, three times.
func send(ctx context.Context, conn *frame.Conn, words dialect, addrs []netip.Addr) error {
	for range tries {
		next := time.Now().Add(time.Second)
		for i, a := range addrs {
			if i%burst == burst-1 && !pause(ctx, time.Millisecond) {
				return nil
			}
			to, payload := words.question(a)
			if err := conn.Send(to, payload); err != nil {
				return err
			}
		}
		if !pause(ctx, time.Until(next)) {
			return nil
		}
	}
	return nil
}

// pause waits; false is that ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
