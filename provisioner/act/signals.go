package act

import (
	"sync"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// A Signal is one thing that was seen of a host while it boots or works: a
// DHCP request, a claim, a report. Exactly the fields that its kind has are set.
type Signal struct {
	Kind     Kind
	Note     string        // a sentence for the user
	Evidence string        // the request, the packet, the command
	Report   *agent.Report // KindReport
	Hello    *agent.Hello  // KindHello
	Err      error         // KindRefused
}

// Kind says what was seen.
type Kind string

// The kinds of signals, in the order in which a boot gives them.
const (
	KindDHCP    Kind = "dhcp"    // first request of the boot NIC (RFC 2131)
	KindMedia   Kind = "media"   // the management controller reads the boot image of its virtual CD
	KindLoader  Kind = "loader"  // the loader is fetched, or progress of kernel and initrd
	KindScript  Kind = "script"  // iPXE asked for its script
	KindClaim   Kind = "claim"   // the installer claimed its identity
	KindRefused Kind = "refused" // a claim was refused
	KindHello   Kind = "hello"   // ra2-node asked for a word
	KindReport  Kind = "report"  // ra2-node reported
)

// Signals carries what the servers see to the doers that wait for it. The zero
// value is ready to use.
type Signals struct {
	mu       sync.Mutex
	watchers map[string]map[chan Signal]bool // by node
}

// Tell gives s to everyone who watches the node. A watcher that doesn't keep
// up loses the oldest signals, never the newest.
func (g *Signals) Tell(node string, s Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for ch := range g.watchers[node] {
		for sent := false; !sent; {
			select {
			case ch <- s:
				sent = true
			default:
				select {
				case <-ch:
				default:
				}
			}
		}
	}
}

// Watch returns the signals of a node from now on, until stop is called.
func (g *Signals) Watch(node string) (signals <-chan Signal, stop func()) {
	ch := make(chan Signal, 256)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.watchers == nil {
		g.watchers = map[string]map[chan Signal]bool{}
	}
	if g.watchers[node] == nil {
		g.watchers[node] = map[chan Signal]bool{}
	}
	g.watchers[node][ch] = true
	return ch, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.watchers[node], ch)
	}
}
