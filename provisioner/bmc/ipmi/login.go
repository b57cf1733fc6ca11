package ipmi

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"
)

// suite is a cipher suite (IPMI 2.0 table 22-20): one hash for login and
// integrity, AES-CBC-128 for secrecy. Suites without any of the three are
// never used.
type suite struct {
	id        int
	auth      byte // authentication algorithm
	integrity byte
	hash      func() hash.Hash
	size      int // bytes of an AuthCode
}

// suites are those that we speak, best first. Suite 3 stands for the many
// controllers from before 2016 that know nothing better; what is weak in RAKP,
// that a stranger who asks gets a hash of the password to try words on, is
// the same in both. The controller chooses before a login is tried.
func suites() []suite {
	return []suite{
		{17, 0x03, 0x04, sha256.New, 16},
		{3, 0x01, 0x01, sha1.New, 12},
	}
}

const (
	privilege  = 0x03             // OPERATOR (table 13-17): the least that may switch power and set the boot
	role       = 0x10 | privilege // and: look the user up by name alone (table 13-11)
	cryptAES   = 0x01
	maxRefused = 2 // logins, after which nothing more is sent: accounts are locked after three to six
)

// RMCP+ status codes (table 13-15) that mean something of their own here.
const (
	statusResources = 0x01
	statusAuth      = 0x04
	statusIntegrity = 0x05
	statusRole      = 0x0a
	statusRoleFull  = 0x0b
	statusName      = 0x0d
	statusCheck     = 0x0f
	statusCrypt     = 0x10
	statusSuite     = 0x11
)

var (
	errSuite    = errors.New("the BMC offers none of the cipher suites 17 and 3; switch one of them on in its setup")
	errSessions = errors.New("the BMC has no session left; they end by themselves after a minute")
)

// refusedLogin is an answer that user or password are wrong.
type refusedLogin struct{ why string }

// Error implements error.
func (r *refusedLogin) Error() string { return r.why }

// open opens the session unless there is one. A login that an interrupt cuts
// leaves nothing to clean: the controller ends it by itself.
func (c *Client) open(ctx context.Context) error {
	const doing = "login"
	switch {
	case c.refused >= maxRefused:
		return &Error{Host: c.cfg.Host, Request: doing, Err: errors.New("the BMC refused user and password twice"), Hint: hintLocked}
	case c.session != nil:
		return nil
	}
	bound, cancel := context.WithTimeout(ctx, c.cfg.AnswerTimeout)
	defer cancel()
	err := c.login(bound)
	if err == nil {
		c.refused = 0
		_, err = c.exchange(bound, setPrivilege(privilege))
		if err != nil {
			c.session = nil
		}
		return err
	}
	e := c.fail(doing, err)
	if errors.As(err, new(*refusedLogin)) {
		c.refused++
		e.Hint = hintCredentials
		if len(c.cfg.Password.Reveal()) > shortPassword {
			e.Hint += "; some BMCs keep only 16 bytes of a password, and this one is longer"
		}
	}
	return e
}

// login tries the cipher suites until the controller takes one.
func (c *Client) login(ctx context.Context) error {
	if c.line == nil {
		l, err := dial(ctx, c.addr)
		if err != nil {
			return err
		}
		c.line = l
	}
	for _, s := range suites() {
		h := &handshake{line: c.line, suite: s, user: c.cfg.Username, password: []byte(c.cfg.Password.Reveal())}
		session, err := h.run(ctx)
		if !errors.Is(err, errSuite) {
			c.session = session
			return err
		}
	}
	return errSuite
}

// handshake is one login: Open Session and RAKP (sections 13.17 to 13.24).
type handshake struct {
	line     *line
	suite    suite
	user     string
	password []byte

	console, bmc uint32
	ours, theirs [16]byte // random numbers
	guid         [16]byte // of the managed system
}

func (h *handshake) run(ctx context.Context) (*session, error) {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	_, _ = rand.Read(h.ours[:])
	h.console = binary.LittleEndian.Uint32(id[:]) | 1 // zero is none
	if err := h.openSession(ctx); err != nil {
		return nil, err
	}
	if err := h.meet(ctx); err != nil {
		return nil, err
	}
	return h.agree(ctx)
}

// tell sends one message of the handshake and returns the answer behind its
// first eight bytes: tag, status, two reserved, our session id.
func (h *handshake) tell(ctx context.Context, kind, wants byte, msg []byte, atLeast int) ([]byte, error) {
	var got []byte
	err := h.line.ask(ctx, func() ([]byte, error) {
		return append(header(kind, 0, 0, len(msg)), msg...), nil
	}, func(p []byte) bool {
		is, _, _, payload, _, ok := parse(p)
		if !ok || is != wants || len(payload) < 2 || payload[0] != msg[0] {
			return false
		}
		if payload[1] == 0 && (len(payload) < 8 || binary.LittleEndian.Uint32(payload[4:]) != h.console) {
			return false
		}
		got = bytes.Clone(payload)
		return true
	})
	if err != nil {
		return nil, err
	}
	if got[1] != 0 {
		return nil, status(got[1])
	}
	if len(got) < 8+atLeast {
		return nil, &shortAnswer{len(got), 8 + atLeast}
	}
	return got[8:], nil
}

// status turns an RMCP+ status code into an error.
func status(code byte) error {
	switch code {
	case statusAuth, statusIntegrity, statusCrypt, statusSuite:
		return errSuite
	case statusResources, statusRoleFull:
		return errSessions
	case statusName:
		return &refusedLogin{"the BMC knows no such user, or the user may not use IPMI over LAN"}
	case statusRole:
		return errors.New("the user's privilege is too low; " + hintOperator)
	case statusCheck:
		return &refusedLogin{"the password is wrong"}
	}
	return fmt.Errorf("the BMC refuses the session with RMCP+ status %02Xh", code)
}

// openSession agrees on the cipher suite (section 13.17).
func (h *handshake) openSession(ctx context.Context) error {
	msg := binary.LittleEndian.AppendUint32([]byte{tagOpen, 0, 0, 0}, h.console) // privilege 0: the highest that the suite may have
	for kind, algorithm := range []byte{h.suite.auth, h.suite.integrity, cryptAES} {
		msg = append(msg, byte(kind), 0, 0, 8, algorithm, 0, 0, 0)
	}
	got, err := h.tell(ctx, payloadOpenRequest, payloadOpenResponse, msg, 4+3*8)
	if err != nil {
		return err
	}
	h.bmc = binary.LittleEndian.Uint32(got)
	for i, want := range []byte{h.suite.auth, h.suite.integrity, cryptAES} {
		if at := got[4+8*i:]; at[4]&0x3f != want {
			return errSuite
		}
	}
	return nil
}

// Tags tell a late answer of one message from that of the next.
const (
	tagOpen = iota + 1
	tagMeet
	tagAgree
)

// name is the user as all hashes have it: length and text.
func (h *handshake) name() []byte { return append([]byte{byte(len(h.user))}, h.user...) }

// meet exchanges random numbers (RAKP 1 and 2). The controller shows that it
// knows the password before we do: one that doesn't match ours tells nothing
// of it, and no login has failed at the controller yet.
func (h *handshake) meet(ctx context.Context) error {
	msg := binary.LittleEndian.AppendUint32([]byte{tagMeet, 0, 0, 0}, h.bmc)
	msg = append(append(msg, h.ours[:]...), role, 0, 0)
	got, err := h.tell(ctx, payloadRAKP1, payloadRAKP2, append(msg, h.name()...), 32)
	if err != nil {
		return err
	}
	copy(h.theirs[:], got)
	copy(h.guid[:], got[16:])
	want := mac(h.suite.hash, h.password, le(h.console), le(h.bmc), h.ours[:], h.theirs[:], h.guid[:], []byte{role}, h.name())
	if !hmac.Equal(got[32:], want) {
		return &refusedLogin{"the password is wrong"}
	}
	return nil
}

// agree shows that we know the password and makes the keys (RAKP 3 and 4).
func (h *handshake) agree(ctx context.Context) (*session, error) {
	proof := mac(h.suite.hash, h.password, h.theirs[:], le(h.console), []byte{role}, h.name())
	msg := binary.LittleEndian.AppendUint32([]byte{tagAgree, 0, 0, 0}, h.bmc)
	got, err := h.tell(ctx, payloadRAKP3, payloadRAKP4, append(msg, proof...), 0)
	if err != nil {
		return nil, err
	}
	sik := mac(h.suite.hash, h.password, h.ours[:], h.theirs[:], []byte{role}, h.name())
	want := mac(h.suite.hash, sik, h.ours[:], le(h.bmc), h.guid[:])[:h.suite.size]
	if !hmac.Equal(got, want) {
		return nil, errors.New("the password is right and the session key isn't: the BMC has a key Kg of its own; clear it in its setup")
	}
	return &session{
		console: h.console, bmc: h.bmc, used: time.Now(),
		keys: keys{
			hash: h.suite.hash, size: h.suite.size,
			k1: mac(h.suite.hash, sik, slices.Repeat([]byte{1}, 20)), k2: mac(h.suite.hash, sik, slices.Repeat([]byte{2}, 20)),
		},
	}, nil
}

func le(id uint32) []byte { return binary.LittleEndian.AppendUint32(nil, id) }
