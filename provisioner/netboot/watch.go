package netboot

import (
	"net/netip"
	"sync"
)

// A watch remembers, for each opening, what was reported already and how far the
// host came. The zero value is ready.
type watch struct {
	mu      sync.Mutex
	stories map[MAC]*story
	learnt  map[netip.Addr]MAC
}

// A story is one opening of one boot.
type story struct {
	opening uint64
	asked   map[Persona]bool
	read    bool // the image for virtual media
	loaders int  // fetched since the script was last asked for
}

// of returns the story of b, a new one for a new opening. The lock is held.
func (w *watch) of(b Boot) *story {
	s := w.stories[b.MAC]
	if s == nil || s.opening != b.Opening {
		s = &story{opening: b.Opening, asked: map[Persona]bool{}}
		if w.stories == nil {
			w.stories = map[MAC]*story{}
		}
		w.stories[b.MAC] = s
	}
	return s
}

// firstAsk reports whether this persona of the host was not heard before.
func (w *watch) firstAsk(b Boot, p Persona) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.of(b)
	first := !s.asked[p]
	s.asked[p] = true
	return first
}

// firstRead reports whether the boot image was not read before in this opening.
func (w *watch) firstRead(b Boot) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.of(b)
	first := !s.read
	s.read = true
	return first
}

// loader counts a loader that was fetched whole and returns how many were since
// the script was last asked for.
func (w *watch) loader(b Boot) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.of(b)
	s.loaders++
	return s.loaders
}

// script notes that iPXE runs and knows where its script is.
func (w *watch) script(b Boot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of(b).loaders = 0
}

// learn notes addresses that a host has from a site's own DHCP server.
func (w *watch) learn(b Boot, addrs ...netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range addrs {
		if a.IsValid() {
			if w.learnt == nil {
				w.learnt = map[netip.Addr]MAC{}
			}
			w.learnt[a] = b.MAC
		}
	}
}

// at returns whose address this is.
func (w *watch) at(a netip.Addr) (MAC, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	mac, ok := w.learnt[a]
	return mac, ok
}
