package ipmi

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Error is a request that was not answered, or answered with a refusal.
type Error struct {
	Host    string
	Request string // "Chassis Control"; empty before one was sent
	Code    byte   // completion code (IPMI 2.0 table 5-2) or RMCP+ status (table 13-15); 0 when there was no answer
	Message string // what the code means
	Hint    string // what to do next; may be empty
	Err     error  // why there was no answer; nil when there was one
}

// Error tells host, request, code and what it means.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Host + ": BMC")
	if e.Request != "" {
		b.WriteString(": IPMI " + e.Request)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, ": code %02Xh", e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap returns why there was no answer.
func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether asking again later may help.
func (e *Error) Temporary() bool {
	switch e.Code {
	case 0:
		return errors.As(e.Err, new(*silence)) || errors.Is(e.Err, errSessions)
	case codeBusy, codeTimeout, codeState, codeStarting, codeOther: // many say no more than FFh while the power changes
		return true
	}
	return false
}

// Completion codes (IPMI 2.0 table 5-2).
const (
	codeBusy      = 0xc0
	codeInvalid   = 0xc1
	codeTimeout   = 0xc3
	codeLength    = 0xc7
	codeTooMany   = 0xc8
	codeUnable    = 0xca
	codeAbsent    = 0xcb
	codeField     = 0xcc
	codeStarting  = 0xd2
	codePrivilege = 0xd4
	codeState     = 0xd5
	codeOther     = 0xff
)

// meaning says what a completion code means.
func meaning(code byte) string {
	switch code {
	case codeBusy:
		return "the BMC is too busy"
	case codeInvalid:
		return "the BMC doesn't know this command"
	case codeTimeout:
		return "the BMC was not done in time"
	case codeLength, codeTooMany, codeUnable:
		return "the BMC can't give so many bytes"
	case codeAbsent:
		return "the BMC has no such record"
	case codeField:
		return "the BMC refuses a value in the request"
	case codeStarting:
		return "the BMC is starting or updating itself"
	case codePrivilege:
		return "the user's privilege is too low"
	case codeState:
		return "the BMC can't do this in its present state"
	case codeOther:
		return "the BMC doesn't say why"
	}
	return "the BMC refuses the request"
}

const (
	hintUnreachable = "look whether the BMC has power, whether IPMI over LAN is switched on in its setup, and whether this machine reaches UDP port 623 of its network"
	hintCredentials = "correct the credentials that the inventory refers to"
	hintLocked      = hintCredentials + "; no further request is sent, so that the account isn't locked"
	hintOperator    = "the user needs the privilege OPERATOR on the BMC's LAN channel"
)

// refusal turns a completion code into an error.
func (c *Client) refusal(request string, code byte) *Error {
	e := &Error{Host: c.cfg.Host, Request: request, Code: code, Message: meaning(code)}
	if code == codePrivilege {
		e.Hint = hintOperator
	}
	return e
}

func (c *Client) fail(request string, err error) *Error {
	if known, ok := err.(*Error); ok {
		return known
	}
	e := &Error{Host: c.cfg.Host, Request: request, Err: err}
	if errors.As(err, new(*silence)) && !errors.Is(err, context.Canceled) {
		e.Hint = hintUnreachable
	}
	return e
}

// silence is a request that nobody answered.
type silence struct {
	addr  string
	sent  int    // how often it was sent
	heard int    // datagrams that came and were no answer to it
	last  string // what the network said: "connection refused"
	ctx   error  // why the wait ended
}

// Error implements error.
func (s *silence) Error() string {
	text := fmt.Sprintf("UDP %s said nothing to %d tries", s.addr, s.sent)
	if s.heard > 0 {
		text += fmt.Sprintf(" but %d datagrams that are no answer to it", s.heard)
	}
	if s.last != "" {
		text += " (" + s.last + ")"
	}
	return text
}

// Unwrap returns why the wait ended, when a caller ended it.
func (s *silence) Unwrap() error { return s.ctx }

// shortAnswer is an answer that lacks what the standard says it has.
type shortAnswer struct{ has, wants int }

// Error implements error.
func (s *shortAnswer) Error() string {
	return fmt.Sprintf("the answer has %d bytes and should have %d", s.has, s.wants)
}
