// Package conform judges a cluster by the rows of RA2 chapter 4. Each row is a
// value, and its check a pure function of one Snapshot: what was listed from
// the API once, what the nodes told, what probes found out by doing, and what
// the inventory wants. Who takes the snapshot is somebody else (package verify).
//
// A part of the snapshot that isn't there makes the rows that need it unknown,
// with what is missing. Unknown is never pass.
package conform

import (
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// Verdict is how a cluster, or a part of it, stands to a requirement.
type Verdict string

// The verdicts.
const (
	Pass          Verdict = "pass"
	Fail          Verdict = "fail"
	Unknown       Verdict = "unknown"        // nobody could tell; the finding says what is missing
	Waived        Verdict = "waived"         // it would be fail or unknown, and the inventory sets it aside
	NotApplicable Verdict = "not-applicable" // the condition of the row is absent; the finding says which
)

// Verdicts are all verdicts, worst first.
func Verdicts() []Verdict { return []Verdict{Fail, Unknown, Waived, Pass, NotApplicable} }

// How says what a verdict rests on.
type How string

// The ways to judge. A behaviour is tested by doing; a setting is read, and
// behaviour is concluded from it.
const (
	Setting   How = "setting"
	Behaviour How = "behaviour"
	Statement How = "statement" // no check is possible; the row says why
)

// Row is one requirement and how it is judged.
type Row struct {
	ID        string    // "ra2.ch.008"; "ra2.k8s.012a" and "ra2.k8s.012b" for the id that RA2 uses twice
	Title     string    // "Physical CPU quantity"
	Says      string    // the requirement, in our words
	Level     ra2.Level //
	Profile   string    // "all", "basic", "high-performance"
	Condition string    // in words, where the level is conditional-must
	How       How       //
	Needs     []Part    // without which Check isn't called, and the row is unknown

	// Check judges. It returns at least one finding, and reads no part that isn't
	// in Needs without asking whether it is there. It is nil for a Statement.
	Check func(Snapshot) []Finding
	// Stated is the verdict of a Statement, Unknown or NotApplicable, and Why says
	// why no check is possible.
	Stated Verdict
	Why    string

	catalogue *ra2.Catalogue // that the row is of, for its numbers
}

// Section returns the part of chapter 4 that a row stands in: "ch", "k8s".
func (r Row) Section() string { return section(r.ID) }

// Binds reports whether a level makes a cluster that doesn't meet the row not
// conformant. A conditional must binds where its condition holds; where it
// doesn't, the verdict is not-applicable.
func Binds(l ra2.Level) bool { return l == ra2.Must || l == ra2.ConditionalMust }

// Finding is one judgement: of the whole cluster, or of one thing in it.
type Finding struct {
	Verdict  Verdict    `json:"verdict"`
	Subject  string     `json:"subject,omitempty"`  // "node/cp-a", "pod/kube-system/coredns-x"; empty is the cluster
	Want     string     `json:"want,omitempty"`     //
	Got      string     `json:"got,omitempty"`      //
	Missing  []string   `json:"missing,omitempty"`  // of an unknown: what is missing, and why
	Do       string     `json:"do,omitempty"`       // what can be done about it
	Waiver   *Waiver    `json:"waiver,omitempty"`   // of a waived one, and of one whose waiver has ended
	Evidence []Evidence `json:"evidence,omitempty"` // what was seen
}

// Waiver sets a requirement aside.
type Waiver struct {
	Reason string `json:"reason"`
	Until  string `json:"until"`           // the last day on which it holds, "2027-06-30"
	Ended  bool   `json:"ended,omitempty"` // it held no more when the snapshot was taken
}

// Evidence is what a finding rests on, so that a reader can see it again.
type Evidence struct {
	Command string    `json:"command"`        // repeats it by hand: "kubectl get node/cp-a -o jsonpath='{.status.nodeInfo.kernelVersion}'"
	Object  string    `json:"object"`         // "node/cp-a", "pod/kube-system/kube-apiserver-cp-a", "GET /version"
	Path    string    `json:"path,omitempty"` // of the field: ".status.nodeInfo.kernelVersion"
	Value   string    `json:"value"`          // as it was seen, trimmed and redacted
	Time    time.Time `json:"time,omitzero"`  // when it was seen
	File    string    `json:"file,omitempty"` // of what is only written down: "deploy/web.yaml"; empty is the API
	Line    int       `json:"line,omitempty"` // in File, of the field, or of what lacks it
}

// Result is one row, judged.
type Result struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Says      string    `json:"says"` // the requirement, in our words
	Level     ra2.Level `json:"level"`
	Profile   string    `json:"profile"`
	Condition string    `json:"condition,omitempty"`
	How       How       `json:"how"`
	Verdict   Verdict   `json:"verdict"`  // the worst of the findings
	Findings  []Finding `json:"findings"` // never empty
}

// Stands reports whether a result stands against conformance: a row that binds
// and fails, or is unknown.
func (r Result) Stands() bool {
	return Binds(r.Level) && (r.Verdict == Fail || r.Verdict == Unknown)
}
