package redfish

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is a request that was not answered, or answered with a refusal.
type Error struct {
	Host         string
	Method, Path string
	Status       int    // 0 when there was no answer
	Message      string // the controller's own words, shortened, without secrets
	Hint         string // what to do next; may be empty
	Err          error  // why there was no answer; nil when there was one
	body         []byte // of the refusal, for message ids
}

// Error tells host, request, status and the controller's words.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Host + ": BMC")
	if e.Method != "" {
		b.WriteString(": " + e.Method + " " + e.Path)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d %s", e.Status, http.StatusText(e.Status))
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if next := e.next(); next != "" {
		b.WriteString("; " + next)
	}
	return b.String()
}

// next says what to do: the hint, or what helps against all errors of its kind.
func (e *Error) next() string {
	switch {
	case e.Hint != "":
		return e.Hint
	case e.Status == 0 && (errors.Is(e.Err, errLost) || errors.Is(e.Err, context.DeadlineExceeded)):
		return "look whether the BMC is overloaded or restarts, then run again; a BMC that stays so needs a restart of its own"
	case e.Status >= 200 && e.Status < 300 && e.Err != nil:
		return "its answer is no Redfish: look whether the BMC restarts just now, then run again"
	case e.Status == http.StatusForbidden:
		return "give the account of the inventory the rights of an operator on this BMC"
	case e.Status == http.StatusConflict:
		return "the host or its BMC is busy with something else: look at its console and at the BMC's jobs, then run again"
	case e.Status == http.StatusPreconditionFailed, e.Status == http.StatusPreconditionRequired:
		return "somebody else writes to this BMC at the same time, or its firmware gives tags that it doesn't take; look who, then run again"
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusServiceUnavailable:
		return "wait until the BMC is done with what it does, then run again"
	case e.Status >= http.StatusInternalServerError && e.Status != http.StatusNotImplemented:
		return "run again; a BMC that keeps failing needs a restart of its own or another firmware"
	}
	return ""
}

// Unwrap returns why there was no answer.
func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether asking again later may help.
func (e *Error) Temporary() bool {
	switch e.Status {
	case 0:
		if errors.Is(e.Err, ErrUnsupported) || errors.Is(e.Err, ErrNotKept) || errors.Is(e.Err, ErrLicense) {
			return false
		}
		return e.Hint == "" || e.Hint == hintUnreachable
	case http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500 && e.Status != http.StatusNotImplemented
}

// says reports whether the refusal holds a message id or words. Registries
// differ in prefix and version, so a part of the id is enough.
func (e *Error) says(part string) bool {
	return bytes.Contains(bytes.ToLower(e.body), bytes.ToLower([]byte(part)))
}

// Why a controller doesn't do what it is asked for, where the caller may find
// another way.
var (
	ErrUnsupported = errors.New("not supported by this BMC")
	ErrNotKept     = errors.New("accepted by the BMC and not kept")
	ErrLicense     = errors.New("the BMC lacks a licence")

	errLost = errors.New("the answer was lost") // the request may have been carried out
)

// reason is an error in its own words that is one of the above.
type reason struct {
	kind  error
	text  string
	cause error // may be nil
}

// Error implements error.
func (r *reason) Error() string { return r.text }

// Unwrap returns the kind and the cause.
func (r *reason) Unwrap() []error {
	if r.cause == nil {
		return []error{r.kind}
	}
	return []error{r.kind, r.cause}
}

func because(kind error, format string, args ...any) error {
	return &reason{kind: kind, text: fmt.Sprintf(format, args...)}
}

// unsupported marks the refusal of a value that a controller doesn't take.
func unsupported(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Err != nil {
		return err
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusUnprocessableEntity, http.StatusNotImplemented:
		marked := *e
		marked.Err = because(ErrUnsupported, "the BMC doesn't take it")
		return &marked
	}
	return err
}

const (
	hintUnreachable = "look whether the BMC has power and whether this machine reaches its network"
	hintCredentials = "correct the credentials that the inventory refers to; no further request is sent, so that the account isn't locked"
)

func (c *Client) fail(method, path string, err error) *Error {
	e := &Error{Host: c.cfg.Host, Method: method, Path: path, Err: err}
	if known, ok := err.(*Error); ok {
		return known
	}
	return e
}

// refusal turns an answer into an error.
func (c *Client) refusal(method, path string, a answer) *Error {
	e := &Error{Host: c.cfg.Host, Method: method, Path: path, Status: a.status, Message: c.redact(a.message()), body: a.body[:min(len(a.body), 4096)]}
	if a.status == http.StatusUnauthorized {
		e.Hint = "look at the credentials that the inventory refers to"
	}
	return e
}

// redact removes what the controller may echo of our secrets.
func (c *Client) redact(text string) string {
	password, token := c.cfg.Password.Reveal(), c.login.token.Reveal()
	basic := base64.StdEncoding.EncodeToString([]byte(c.cfg.Username + ":" + password))
	for _, s := range []string{basic, token, password} {
		if s != "" {
			text = strings.ReplaceAll(text, s, c.cfg.Password.String())
		}
	}
	return text
}

// maxMessage is how much of a body an error shows.
const maxMessage = 300

// message returns the extended info of a refusal (DSP0266, "Error
// responses"), or else the beginning of the body.
func (a answer) message() string {
	type info struct {
		Message   text `json:"Message"`
		MessageID text `json:"MessageId"`
	}
	var body struct {
		Error struct {
			Message text   `json:"message"`
			Info    []info `json:"@Message.ExtendedInfo"`
		} `json:"error"`
		Info []info `json:"@Message.ExtendedInfo"`
	}
	_ = json.Unmarshal(a.body, &body) // what is no JSON is shown as it is
	var words []string
	for _, i := range append(body.Error.Info, body.Info...) {
		switch {
		case i.Message != "":
			words = append(words, string(i.Message))
		case i.MessageID != "":
			words = append(words, string(i.MessageID))
		}
	}
	if len(words) == 0 && body.Error.Message != "" {
		words = append(words, string(body.Error.Message))
	}
	if len(words) == 0 {
		words = append(words, string(a.body))
	}
	line := strings.Join(strings.Fields(strings.ToValidUTF8(strings.Join(words, "; "), "?")), " ")
	if len(line) > maxMessage {
		line = strings.ToValidUTF8(line[:maxMessage], "") + "..."
	}
	return line
}
