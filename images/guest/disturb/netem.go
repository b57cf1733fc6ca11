package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"syscall"
)

// Numbers of tc-netem and linux/pkt_sched.h.
const (
	tcRoot                       = math.MaxUint32
	tcaKind, tcaOptions          = 1, 2
	netemCorrupt, netemLatency64 = 4, 10
	psched                       = 64        // nanoseconds of a tick
	byUs                         = 0x2a20000 // handle of our qdiscs, by which what a killed run has left is known: 2a2:0
)

// share returns a percentage as netem counts: of 2^32-1.
func share(percent int) uint32 { return uint32(uint64(math.MaxUint32) * uint64(percent) / 100) }

// qdisc returns the message about the root qdisc of a link (struct tcmsg, then
// struct tc_netem_qopt).
func qdisc(link int, kind string) []byte {
	msg := append(words(0, uint32(link), byUs, tcRoot), words(0)...)
	msg = attribute(msg, tcaKind, []byte("netem\x00"))
	var delay, duplicate uint32
	var more []byte
	switch kind {
	case "latency":
		delay = uint32(latency.Nanoseconds() / psched)
		more = attribute(nil, netemLatency64, binary.NativeEndian.AppendUint64(nil, uint64(latency)))
	case "corruption":
		more = attribute(nil, netemCorrupt, words(share(corruption), 0))
	case "duplication":
		duplicate = share(duplication)
	}
	const limit = 100_000 // packets that wait: of 1 Gb/s for 1 s; netem's own 1000 would drop instead of delay
	return attribute(msg, tcaOptions, append(words(delay, limit, 0, 0, duplicate, 0), more...))
}

// netemOn is netem on one link.
type netemOn struct {
	link int
	kind string
}

// netem puts netem on a link. One that a run of ours has left, because it was killed,
// goes first.
func netem(l net.Interface, kind string) (link, error) {
	_ = ask(delQdisc, 0, qdisc(l.Index, kind)) // refused when handle or kind is another's
	err := ask(newQdisc, create|exclusive, qdisc(l.Index, kind))
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EOPNOTSUPP):
		return nil, lacks{errors.New("the node's kernel has no netem, module sch_netem")}
	case errors.Is(err, syscall.EEXIST):
		return nil, lacks{fmt.Errorf("%s has a qdisc of its own already, which isn't ours to remove", l.Name)}
	case err != nil:
		return nil, fmt.Errorf("netem on %s: %w", l.Name, err)
	}
	return netemOn{l.Index, kind}, nil
}

// undo implements link. A link that is gone has taken it along.
func (n netemOn) undo() error {
	if err := ask(delQdisc, 0, qdisc(n.link, n.kind)); err != nil && !errors.Is(err, syscall.ENODEV) {
		return err
	}
	return nil
}

// passed implements link: the qdisc counts what it let go (linux/gen_stats.h).
func (n netemOn) passed() int64 {
	const get, stats2, basic, tcmsg = 38, 7, 1, 20
	m, err := answer(get, echoing|ack, words(0, uint32(n.link), byUs, tcRoot, 0))
	if err != nil || m.Header.Type != newQdisc || len(m.Data) < tcmsg {
		return 0
	}
	counts := inside(inside(m.Data[tcmsg:], stats2), basic)
	if len(counts) < 12 {
		return 0
	}
	return int64(binary.NativeEndian.Uint32(counts[8:])) // after 8 bytes that count bytes
}
