package ipmi

import (
	"context"
	"time"
)

// Addresses in an IPMI message (IPMI 2.0 section 13.8).
const (
	addrBMC     = 0x20
	addrConsole = 0x81
)

// session is one RMCP+ session.
type session struct {
	keys
	console uint32 // our id of it
	bmc     uint32 // the controller's
	sent    uint32 // sequence number of the last packet sent
	seen    uint32 // highest sequence number that came
	turn    byte   // number of the request, 0 to 63
	used    time.Time
}

// ask sends one request and returns completion code and data of its answer.
// Each try is a packet of its own with the next sequence number, so that the
// controller doesn't take it for a replay (section 6.12.13).
func (s *session) ask(ctx context.Context, l *line, r request) (code byte, data []byte, err error) {
	s.turn = (s.turn + 1) & 0x3f
	msg := message(r, s.turn)
	err = l.ask(ctx, func() ([]byte, error) {
		s.sent++
		return s.seal(s.bmc, s.sent, msg)
	}, func(p []byte) bool {
		got, seq, ok := s.unseal(p, s.console)
		if !ok || seq <= s.seen {
			return false
		}
		s.seen = seq
		code, data, ok = answer(got, r, s.turn)
		return ok
	})
	if err == nil {
		s.used = time.Now()
	}
	return code, data, err
}

// message is a request as an IPMI LAN message (section 13.8).
func message(r request, turn byte) []byte {
	m := []byte{addrBMC, r.netFn << 2}
	m = append(m, checksum(m))
	body := append([]byte{addrConsole, turn << 2, r.cmd}, r.data...)
	return append(append(m, body...), checksum(body))
}

// answer takes an IPMI LAN message apart and reports whether it answers r.
// Its checksums are not looked at: the AuthCode has said more.
func answer(m []byte, r request, turn byte) (code byte, data []byte, ok bool) {
	if len(m) < 8 || m[1]>>2 != r.netFn|1 || m[4]>>2 != turn || m[5] != r.cmd {
		return 0, nil, false
	}
	return m[6], m[7 : len(m)-1], true
}

// checksum makes the sum of all bytes zero.
func checksum(b []byte) byte {
	var sum byte
	for _, x := range b {
		sum += x
	}
	return -sum
}
