package preflight

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

const (
	ntpPort   = 123
	ntpHeader = 48 // RFC 5905, 7.3
)

// askTime asks an NTP server as a client that keeps no state (RFC 5905, 14).
func askTime(ctx context.Context, to netip.AddrPort, d time.Duration) facts.TimeServer {
	t := facts.TimeServer{Server: to.Addr()}
	var (
		cookie [8]byte
		sent   time.Time
	)
	err := talk(ctx, to, d, func() []byte {
		// What we send as the transmit timestamp comes back as the origin and
		// needs to be no time: a random number can't be guessed.
		_, _ = rand.Read(cookie[:])
		sent = time.Now()
		return timeRequest(cookie)
	}, func(answer []byte) error {
		said, err := readTime(answer, cookie)
		if err == nil {
			t = said.fact(to.Addr(), sent, time.Now())
		}
		return err
	})
	if err != nil {
		t.Err, t.Silent = failed(err, d)
	}
	return t
}

// timeRequest returns version 4, mode 3 (client).
func timeRequest(cookie [8]byte) []byte {
	p := make([]byte, ntpHeader)
	p[0] = 4<<3 | 3
	copy(p[40:], cookie[:])
	return p
}

// ntpAnswer is what matters of an NTP packet.
type ntpAnswer struct {
	leap, stratum     int
	reference         string
	received, replied [8]byte // in the server's time
}

// readTime reads a server's answer to a request with this cookie.
func readTime(p []byte, cookie [8]byte) (ntpAnswer, error) {
	if len(p) < ntpHeader {
		return ntpAnswer{}, fmt.Errorf("the answer has %d bytes, an NTP packet has %d", len(p), ntpHeader)
	}
	if mode := p[0] & 7; mode != 4 {
		return ntpAnswer{}, fmt.Errorf("the answer has NTP mode %d, a server's is 4", mode)
	}
	if [8]byte(p[24:32]) != cookie {
		return ntpAnswer{}, errors.New("the answer is not to our question")
	}
	a := ntpAnswer{leap: int(p[0] >> 6), stratum: int(p[1]), received: [8]byte(p[32:40]), replied: [8]byte(p[40:48])}
	if a.stratum <= 1 { // a kiss code or the name of a clock, RFC 5905, 7.4
		a.reference = strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return -1
			}
			return r
		}, string(p[12:16]))
	}
	return a, nil
}

// fact computes offset and delay (RFC 5905, 8). A server that tells no time
// has neither.
func (a ntpAnswer) fact(server netip.Addr, sent, heard time.Time) facts.TimeServer {
	t := facts.TimeServer{Server: server, Leap: a.leap, Stratum: a.stratum, Reference: a.reference}
	if a.received == [8]byte{} || a.replied == [8]byte{} {
		return t
	}
	in, out := ntpTime(a.received, sent), ntpTime(a.replied, sent)
	t.Offset = (in.Sub(sent) + out.Sub(heard)) / 2
	t.Delay = heard.Sub(sent) - out.Sub(in)
	return t
}

// ntpTime returns the time of a timestamp, in the era of 2^32 seconds that
// brings it closest to near (RFC 5905, 6): the first one ends in 2036.
func ntpTime(stamp [8]byte, near time.Time) time.Time {
	const epoch, era = -2208988800, int64(1) << 32 // 1900-01-01
	seconds := int64(binary.BigEndian.Uint32(stamp[:4])) + epoch
	for near.Unix()-seconds > era/2 {
		seconds += era
	}
	fraction := int64(binary.BigEndian.Uint32(stamp[4:]))
	return time.Unix(seconds, fraction*1e9>>32)
}
