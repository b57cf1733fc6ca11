// Package step holds the nouns that plan, workflow, record and report share:
// a step is one piece of work on one host (or on the cluster), as a value.
package step

import (
	"encoding/json"
	"maps"
	"time"
)

// A Step is one piece of work, as a value. Nothing in it is secret.
type Step struct {
	ID    ID     `json:"id"`
	Host  string `json:"host,omitempty"`  // inventory node name; empty for a step of the cluster
	Needs []ID   `json:"needs,omitempty"` // steps that must be done first
	Why   string `json:"why"`             // one sentence for the user
	// Reaches is what is true once the step is done and can't be seen from
	// outside later: the generation that was installed. The record keeps it.
	Reaches string `json:"reaches,omitempty"`
	Do      Verb   `json:"do"`
}

// MarshalJSON adds the name and the risk of the verb.
func (s Step) MarshalJSON() ([]byte, error) {
	type plain Step
	return json.Marshal(struct {
		plain
		Verb string `json:"verb"`
		Risk string `json:"risk"`
	}{plain(s), Name(s.Do), s.Do.Risk().Word()})
}

// ID names a step: "<host>/<rung>" or "cluster/<rung>". The same work has the
// same ID in every plan.
type ID string

// A Plan is the work that is left.
type Plan struct {
	Steps []Step   `json:"steps"`           // in an order that respects Needs
	Later []string `json:"later,omitempty"` // what can't be planned before these steps are done
}

// Empty reports whether nothing is left to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 && len(p.Later) == 0 }

// Risk returns the highest risk of all steps of the plan.
func (p Plan) Risk() Risk {
	high := Reads
	for _, s := range p.Steps {
		high = max(high, s.Do.Risk())
	}
	return high
}

// Status is where a step stands.
type Status string

// The ways of a step. Started, Retried, Noted and Held leave it open.
const (
	Started Status = "started" // saved before the work begins
	Noted   Status = "noted"   // a doer reports progress or what it waits for
	Retried Status = "retried" // it will be tried again after a while
	Held    Status = "held"    // a person is needed
	Done    Status = "done"
	Failed  Status = "failed"
)

// Open reports whether a step was begun and did not end.
func (s Status) Open() bool { return s == Started || s == Retried || s == Noted }

// An Event is one thing that happened to a step. Terminal, JSON lines, record
// and report are views of the stream of events.
type Event struct {
	Time     time.Time `json:"time"`
	Step     ID        `json:"step"`
	Host     string    `json:"host,omitempty"`
	Status   Status    `json:"status"`
	Try      int       `json:"try,omitempty"`
	Note     string    `json:"note,omitempty"`     // a sentence for the user, no secrets
	Evidence string    `json:"evidence,omitempty"` // the last thing seen: request and status, or command and output
	Deadline time.Time `json:"deadline,omitzero"`  // when the wait named in Note gives up
	Next     string    `json:"next,omitempty"`     // what follows the wait, or what the user can do
	Mark     string    `json:"mark,omitempty"`     // a point of the timing table, see the Mark constants
	Reaches  string    `json:"reaches,omitempty"`  // Step.Reaches
}

// Marks are the points of the timing table of one node, in their order.
const (
	MarkPowerOn   = "power-on"  // the BMC accepted the power-on
	MarkFirmware  = "firmware"  // first DHCP request of the boot NIC
	MarkLoader    = "loader"    // iPXE asked for its script
	MarkInstaller = "installer" // the installer claimed its identity
	MarkWritten   = "written"   // the image is on the disk and read back
	MarkKernel    = "kernel"    // the installed system's ra2-node said hello
	MarkKubelet   = "kubelet"   // kubelet is running
	MarkReady     = "Ready"     // the Kubernetes node is Ready
)

// Marks lists the marks in the order in which a node passes them.
func Marks() []string {
	return []string{MarkPowerOn, MarkFirmware, MarkLoader, MarkInstaller, MarkWritten, MarkKernel, MarkKubelet, MarkReady}
}

// A Record is what must be remembered between runs. It is a fold over events:
// the last event of each step that changed its status.
type Record map[ID]Event

// With returns r after e happened. It doesn't change r.
func (r Record) With(e Event) Record {
	next := maps.Clone(r)
	if next == nil {
		next = Record{}
	}
	next[e.Step] = e
	return next
}

// A Reporter is how a doer tells what it waits for. Step, Host, Status, Try
// and Time of the event are filled in by the engine.
type Reporter func(Event)

// Retry is the error a doer returns to be asked again later.
type Retry struct {
	After  time.Duration
	Reason string
	Err    error // what was seen; may be nil
}

// Error implements error.
func (r *Retry) Error() string {
	if r.Err != nil {
		return r.Reason + ": " + r.Err.Error()
	}
	return r.Reason
}

// Unwrap returns what was seen.
func (r *Retry) Unwrap() error { return r.Err }

// Hold is the error a doer returns when a person is needed: a cable, a wrong
// serial, a disk that is not there. It is never tried again by itself.
type Hold struct {
	Reason string
	Hint   string // what the person does
	Err    error  // what was seen; may be nil
}

// Error implements error.
func (h *Hold) Error() string {
	if h.Err != nil {
		return h.Reason + ": " + h.Err.Error()
	}
	return h.Reason
}

// Unwrap returns what was seen.
func (h *Hold) Unwrap() error { return h.Err }
