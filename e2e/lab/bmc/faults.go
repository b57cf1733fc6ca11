package bmc

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Faults are the lies and weaknesses that a controller can be told to have.
// Each was reported of real ones.
type Faults struct {
	Slow        int    `json:"slow,omitempty" yaml:"slow,omitempty"`               // milliseconds before each answer
	Hang        bool   `json:"hang,omitempty" yaml:"hang,omitempty"`               // requests are taken and never answered
	Drop        bool   `json:"drop,omitempty" yaml:"drop,omitempty"`               // the connection is reset instead of an answer
	Unavailable int    `json:"unavailable,omitempty" yaml:"unavailable,omitempty"` // so many requests get 503 with Retry-After: 1
	ETag        string `json:"etag,omitempty" yaml:"etag,omitempty"`               // "strong": tags are given weak and taken strong; "never": every If-Match gets 412

	Sessions    int  `json:"sessions,omitempty" yaml:"sessions,omitempty"`       // no more than so many sessions
	LockAccount bool `json:"lockAccount,omitempty" yaml:"lockAccount,omitempty"` // the account is locked after three bad passwords

	WrongSerial string `json:"wrongSerial,omitempty" yaml:"wrongSerial,omitempty"` // reported instead of the serial
	Clock       string `json:"clock,omitempty" yaml:"clock,omitempty"`             // the controller's time minus the true one, a Go duration: "-87600h"
	Certificate string `json:"certificate,omitempty" yaml:"certificate,omitempty"` // "expired" or "changed": what a TLS client is shown

	ForgetOverride bool `json:"forgetOverride,omitempty" yaml:"forgetOverride,omitempty"` // the boot override is accepted, shown, and not used
	IgnoreBIOS     bool `json:"ignoreBIOS,omitempty" yaml:"ignoreBIOS,omitempty"`         // pending attributes vanish at POST without effect
	StickJob       bool `json:"stickJob,omitempty" yaml:"stickJob,omitempty"`             // the job of a BIOS change runs for ever, and nothing changes
	PurgeJob       bool `json:"purgeJob,omitempty" yaml:"purgeJob,omitempty"`             // a job is forgotten at once when it ends

	PowerConflict bool   `json:"powerConflict,omitempty" yaml:"powerConflict,omitempty"` // the first two On after an Off get 409
	StickPower    bool   `json:"stickPower,omitempty" yaml:"stickPower,omitempty"`       // a reset is accepted, and the power stays as it is
	StickMedia    string `json:"stickMedia,omitempty" yaml:"stickMedia,omitempty"`       // "inserted": an eject is accepted and nothing is ejected; "empty": the same of an insert
}

// lockAfter is the number of bad passwords that locks an account, and lockTime
// how long it stays locked.
const (
	lockAfter = 3
	lockTime  = 5 * time.Minute
)

// trouble is what faults count. c.mu guards it.
type trouble struct {
	unavailable int       // answers of 503 that are left
	conflicts   int       // answers of 409 that are left
	bad         int       // bad passwords in a row
	locked      time.Time // until when the account is locked
	lockings    int       // how often it was
}

// SetFaults replaces the faults.
func (c *Controller) SetFaults(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.Faults = f
	c.trouble.unavailable = f.Unavailable
}

// Faults returns the faults that are switched on.
func (c *Controller) Faults() Faults {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.Faults
}

// Lockings returns how often the account was locked.
func (c *Controller) Lockings() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trouble.lockings
}

// hinder does to a request what the faults want before it is even read; it
// returns false when there is no answer.
func (c *Controller) hinder(w http.ResponseWriter, r *http.Request) bool {
	f := c.Faults()
	if f.Slow > 0 {
		select {
		case <-time.After(time.Duration(f.Slow) * time.Millisecond):
		case <-r.Context().Done():
		}
	}
	switch {
	case f.Hang:
		<-r.Context().Done()
		return false
	case f.Drop:
		drop(w)
		return false
	case c.unavailable():
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, "Base.1.18.ServiceTemporarilyUnavailable", "the service is temporarily unavailable; retry in 1 second")
		return false
	}
	return true
}

func (c *Controller) unavailable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trouble.unavailable == 0 {
		return false
	}
	c.trouble.unavailable--
	return true
}

// drop resets the TCP connection: a linger of 0 sends RST instead of FIN.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http ends the connection, by FIN
	}
	inner := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		inner = t.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = inner.Close()
}

// verify checks user and password, and counts what doesn't fit. c.mu is held.
func (c *Controller) verify(user, password string) bool {
	if time.Now().Before(c.trouble.locked) {
		return false
	}
	if same(user, c.cfg.Username) && same(password, c.cfg.Password) {
		c.trouble.bad = 0
		return true
	}
	c.trouble.bad++
	if c.cfg.Faults.LockAccount && c.trouble.bad >= lockAfter {
		c.trouble.locked, c.trouble.bad = time.Now().Add(lockTime), 0
		c.trouble.lockings++
	}
	return false
}

// maxSessions is the number of sessions that there may be. c.mu is held.
func (c *Controller) maxSessions() int {
	if n := c.cfg.Faults.Sessions; n > 0 {
		return n
	}
	return c.cfg.MaxSessions
}

// matches tells whether an If-Match is good for a resource with this tag.
// c.mu is held.
func (c *Controller) matches(match, tag string) bool {
	switch c.cfg.Faults.ETag {
	case "never":
		return false
	case "strong":
		return match == tag // as it is without the W/ that was given with it
	}
	return match == "*" || match == c.given(tag)
}

// given is a tag as this controller writes it. c.mu is held.
func (c *Controller) given(tag string) string {
	switch {
	case c.kind.habits.weakTags, c.cfg.Faults.ETag == "strong":
		return "W/" + tag
	}
	return tag
}

// now is the controller's time. c.mu is held.
func (c *Controller) now() time.Time {
	off, _ := time.ParseDuration(c.cfg.Faults.Clock) // empty is none; what is wrong was refused by Check
	return time.Now().Add(off)
}

// Check returns what is wrong with faults that a person wrote, each in a
// sentence.
func (f Faults) Check() []string {
	var wrong []string
	oneOf := func(field, value string, known ...string) {
		if value != "" && !slices.Contains(known, value) {
			wrong = append(wrong, field+" is "+strconv.Quote(value)+"; write one of "+strings.Join(known, ", "))
		}
	}
	oneOf("etag", f.ETag, "strong", "never")
	oneOf("certificate", f.Certificate, "expired", "changed")
	oneOf("stickMedia", f.StickMedia, "inserted", "empty")
	if _, err := time.ParseDuration(f.Clock); f.Clock != "" && err != nil {
		wrong = append(wrong, "clock is "+strconv.Quote(f.Clock)+"; write a duration like -87600h")
	}
	if f.Slow < 0 || f.Unavailable < 0 || f.Sessions < 0 {
		wrong = append(wrong, "slow, unavailable and sessions can't be negative")
	}
	return wrong
}
