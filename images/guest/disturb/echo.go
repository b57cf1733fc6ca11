package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"
)

// echoes counts what came of echo requests.
type echoes struct {
	sent, answers, intact int           // intact answers are as they were sent; each is counted once
	median                time.Duration // of the intact ones
}

// String says in short what came of them.
func (e echoes) String() string {
	return fmt.Sprintf("%d of %d come back right, %d answers in all, half within %v", e.intact, e.sent, e.answers, e.median.Round(10*time.Microsecond))
}

// shows reports whether what came of echoes shows a disturbance, beside what came of
// them before.
func (e echoes) shows(kind string, before echoes) bool {
	switch kind {
	case "latency":
		return e.intact > 0 && e.median-before.median >= latency*9/10
	case "corruption":
		return before.intact == before.sent && e.sent-e.intact >= 2
	case "duplication":
		return e.answers >= e.sent*3/2
	}
	return false
}

// pinger sends echo requests from the node.
type pinger struct{ v4, v6 net.PacketConn }

// The types of ICMP's echo messages (RFC 792, RFC 4443).
const (
	request4, reply4 = 8, 0
	request6, reply6 = 128, 129
)

// listen makes the sockets. A node may lack one of the families.
func listen() (p pinger, err error) {
	v4, err4 := net.ListenPacket("ip4:icmp", "0.0.0.0")
	v6, err6 := net.ListenPacket("ip6:ipv6-icmp", "::")
	if err4 != nil && err6 != nil {
		return p, errors.Join(err4, err6)
	}
	return pinger{v4, v6}, nil
}

func (p pinger) close() {
	for _, c := range []net.PacketConn{p.v4, p.v6} {
		if c != nil {
			c.Close()
		}
	}
}

// nearest returns the first address that answers, and how; none if none does.
func (p pinger) nearest(all []netip.Addr) (echoes, netip.Addr) {
	for _, a := range all {
		if e := p.echo(a, 20, time.Second, true); e.answers > 0 {
			return e, a
		}
	}
	return echoes{}, netip.Addr{}
}

// echo sends n requests, and counts the answers that come until so long after the
// last: all of them, or with enough no longer than until each was answered.
func (p pinger) echo(to netip.Addr, n int, wait time.Duration, enough bool) echoes {
	conn, request, reply := p.v4, byte(request4), byte(reply4)
	if to.Is6() {
		conn, request, reply = p.v6, request6, reply6
	}
	if conn == nil {
		return echoes{}
	}
	id := uint16(os.Getpid()) ^ uint16(time.Now().UnixNano())
	sent := make([]time.Time, n)
	e, took := echoes{sent: n}, []time.Duration{}
	end := time.Now().Add(time.Duration(n)*betweenEchoes + wait)
	for i, buf := 0, make([]byte, 2048); time.Now().Before(end) && !(enough && e.intact == n); {
		next := end
		if i < n {
			sent[i] = time.Now()
			_, _ = conn.WriteTo(message(request, id, uint16(i)), &net.IPAddr{IP: to.AsSlice()})
			i, next = i+1, sent[i].Add(betweenEchoes)
		}
		_ = conn.SetReadDeadline(next)
		for {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				break // it is time for the next
			}
			seq, ok, ours := isAnswer(buf[:size], from, to, reply, id, n)
			if ours {
				e.answers++
			}
			if ok && !sent[seq].IsZero() {
				took = append(took, time.Since(sent[seq]))
				sent[seq], e.intact = time.Time{}, e.intact+1
			}
			if enough && e.intact == n {
				break
			}
		}
	}
	if slices.Sort(took); len(took) > 0 {
		e.median = took[len(took)/2]
	}
	return e
}

const betweenEchoes = 2 * time.Millisecond

// isAnswer tells whether a packet answers one of our requests, and is as it was sent.
// What was corrupted may be neither.
func isAnswer(packet []byte, from net.Addr, to netip.Addr, reply byte, id uint16, n int) (seq int, intact, ours bool) {
	at, ok := from.(*net.IPAddr)
	if !ok || !at.IP.Equal(to.AsSlice()) || len(packet) < 8 || packet[0] != reply {
		return 0, false, false
	}
	seq = int(binary.BigEndian.Uint16(packet[6:]))
	want := message(reply, id, uint16(seq))
	intact = seq < n && len(packet) == len(want) && bytes.Equal(packet[4:], want[4:])
	return seq, intact, binary.BigEndian.Uint16(packet[4:]) == id
}

// message returns an echo message with its checksum (RFC 1071), which the kernel makes
// anew for IPv6.
func message(kind byte, id, seq uint16) []byte {
	m := append([]byte{kind, 0, 0, 0}, binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, id), seq)...)
	m = append(m, bytes.Repeat([]byte("ra2-disturb "), 8)...)
	var sum uint32
	for i := 0; i < len(m); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(m[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(m[2:], ^uint16(sum+sum>>16))
	return m
}
