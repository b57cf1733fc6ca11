package act_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

const node = "cp-a"

// stage is one host with all that doers use of the world. What it tells is
// written down in the order in which it happened.
type stage struct {
	act.Signals

	mu     sync.Mutex
	diary  []string
	power  string
	method string
	word   agent.Word
	open   bool // the network boot of the host is answered
	bios   map[string]any
	told   []step.Event

	started func(method string, n int) // the host begins to boot, for the n-th time
	ordered func(agent.Word)           // the host hears a new word
	starts  int
}

func newStage() *stage { return &stage{power: act.PowerOff, bios: map[string]any{}} }

func (s *stage) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.diary = append(s.diary, fmt.Sprintf(format, args...))
}

// did returns the diary on one line.
func (s *stage) did() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.diary, " | ")
}

// answered reports whether anything is answered to the host's network boot.
func (s *stage) answered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func (s *stage) SetBoot(_ context.Context, method string) error {
	s.note("boot by %s", method)
	s.method = method
	return nil
}

func (s *stage) Power(_ context.Context, to string, tell step.Reporter) error {
	s.note("power %s", to)
	tell(step.Event{Note: "waiting for power state " + to})
	was := s.power
	if s.power = to; to == act.PowerCycle {
		s.power, was = act.PowerOn, act.PowerOff
	}
	if s.power == act.PowerOn && was != act.PowerOn && s.started != nil {
		s.starts++
		go s.started(s.method, s.starts)
	}
	return nil
}

func (s *stage) BIOS(context.Context) (map[string]any, error) {
	s.note("read BIOS")
	if s.bios == nil {
		return nil, errors.New("GET /redfish/v1/Systems/1/Bios: 503 Service Unavailable")
	}
	return s.bios, nil
}

func (s *stage) Open(string) error {
	s.note("open")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
	return nil
}

func (s *stage) Close(string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		s.diary = append(s.diary, "close")
	}
	s.open = false
}

func (s *stage) Order(_ string, w agent.Word) {
	switch {
	case w.Install != nil:
		s.note("order install")
	case w.Join != nil:
		s.note("order join")
	case w.Done:
		s.note("order done")
	}
	s.word = w
	if s.ordered != nil && !w.Empty() {
		go s.ordered(w)
	}
}

// report takes events as the engine does.
func (s *stage) report(ev step.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, ev)
}

// marks returns the marks that were told, in order.
func (s *stage) marks() []string {
	var out []string
	for _, ev := range s.told {
		if ev.Mark != "" {
			out = append(out, ev.Mark)
		}
	}
	return out
}

// waits returns every wait that was told: what for, and the time until its end.
func (s *stage) waits(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, ev := range s.told {
		if !strings.HasPrefix(ev.Note, "waiting for ") || strings.HasPrefix(ev.Note, "waiting for power") {
			continue
		}
		if ev.Deadline.IsZero() || ev.Next == "" {
			t.Errorf("the wait %q names no deadline or nothing that follows", ev.Note)
		}
		if !slices.Contains(out, ev.Note) {
			out = append(out, ev.Note)
		}
	}
	return out
}

// after runs each signal after a pause, unless the host lost its power.
func (s *stage) signals(pause time.Duration, all ...act.Signal) {
	for _, each := range all {
		time.Sleep(pause)
		s.Tell(node, each)
	}
}

var (
	errSerial = errors.New(`it says that its serial is "X", the inventory says "Y"`)
	errEtcd   = errors.New("etcdserver: too many learner members in cluster")
)

func dhcp() act.Signal {
	return act.Signal{Kind: act.KindDHCP, Note: "52:54:00:17:00:11 asked for an address"}
}
func script() act.Signal { return act.Signal{Kind: act.KindScript, Note: "iPXE asked for its script"} }
func claim() act.Signal {
	return act.Signal{Kind: act.KindClaim, Note: "the installer claimed its identity"}
}

func reports(r agent.Report) act.Signal {
	return act.Signal{Kind: act.KindReport, Note: r.Note, Evidence: r.Evidence, Report: &r}
}

func written() act.Signal {
	return reports(agent.Report{Stage: agent.StageInstaller, Status: agent.StatusDone, Mark: step.MarkWritten, Note: "read back"})
}

func hello(h agent.Hello) act.Signal { return act.Signal{Kind: act.KindHello, Hello: &h} }

// limited is the context that the engine gives to one try of a verb.
func limited(t *testing.T, v step.Verb) context.Context {
	limit := v.Limits().Timeout
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("no end after %v", limit))
	t.Cleanup(cancel)
	return ctx
}

// members is a cluster with one node in it.
type members struct {
	mu    sync.Mutex
	node  facts.Member
	err   error
	admit error
	left  []string
	api   error
	vips  map[netip.Addr]bool
}

func (m *members) Member(context.Context, string) (facts.Member, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node, m.err
}

func (m *members) set(change func(*members)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

func (m *members) Admit(context.Context, string) error { return m.admit }

func (m *members) Leave(_ context.Context, node string) error {
	m.left = append(m.left, node)
	return m.admit
}

func (m *members) Answers(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.api
}

func (m *members) VIPs(context.Context) map[netip.Addr]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.vips
}

// wantKind checks that an error is of the kind E and says all the words.
func wantKind[E error](t *testing.T, err error, words ...string) {
	t.Helper()
	if _, ok := errors.AsType[E](err); !ok {
		t.Fatalf("error = %v (%T), want a %T", err, err, *new(E))
	}
	wantWords(t, err, words...)
}

func wantWords(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("error = %v, want %q in it", err, w)
		}
	}
}
