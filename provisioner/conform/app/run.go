package app

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Kind is a way to disturb a workload.
type Kind string

// The kinds. Numbers that RA2 doesn't set are ours: docs/ra2-decisions.md.
const (
	Drain        Kind = "drain"         // the node that its pods are on, by eviction
	Delete       Kind = "delete"        // one pod of each controller
	Latency      Kind = "latency"       // of all that a pod sends
	Corruption   Kind = "corruption"    // of some packets that a pod sends
	Duplication  Kind = "duplication"   // of all packets that a pod sends
	DNS          Kind = "dns"           // name servers can't be reached from a pod
	IO           Kind = "io"            // writes, in the pod's cgroup
	Memory       Kind = "memory"        // most of what the container may have, in its cgroup
	ControlPlane Kind = "control-plane" // the API server can't be reached from a pod
	Update       Kind = "update"        // the template is changed, and all pods are replaced
	Downgrade    Kind = "downgrade"     // the template of before is brought back
	Scale        Kind = "scale"         // one pod more, and one less
)

// Kinds are all kinds, in the order in which they are done: what touches least
// comes first.
func Kinds() []Kind {
	return []Kind{Latency, Corruption, Duplication, DNS, ControlPlane, IO, Memory, Scale, Update, Downgrade, Delete, Drain}
}

// Run is one disturbance of a running workload, and what was seen meanwhile.
type Run struct {
	Kind         Kind   `json:"kind"`
	Target       string `json:"target"` // "pod/shop/web-1", "node/w-a"
	What         string `json:"what"`   // "2000 ms of latency on eth0", as the tool on the node tells
	Began, Ended time.Time
	Lacks        string  `json:"lacks,omitempty"` // why it wasn't done; empty if it was
	Units        []Unit  `json:"units"`           // what was watched
	Checks       []Check `json:"checks"`          // of the data, in their order
}

// Ended returns when the last was seen of a workload.
func (w Workload) Ended() time.Time {
	at := w.Time
	if w.Live != nil {
		at = w.Live.Time
	}
	for _, r := range w.Runs {
		if r.Ended.After(at) {
			at = r.Ended
		}
	}
	return at
}

// Unit is what has to stay ready: the pod that is disturbed, or the pods of a
// controller of which some are taken away.
type Unit struct {
	Name     string        `json:"name"`     // "pod/shop/web-1", "deployment/shop/web"
	Before   int           `json:"before"`   // ready pods before it began
	Least    int           `json:"least"`    // fewest ready pods meanwhile
	Down     time.Duration `json:"down"`     // for how long there was none
	Restarts int           `json:"restarts"` // of containers, meanwhile
	Back     bool          `json:"back"`     // as many as before were ready at the end
	After    time.Duration `json:"after"`    // how long after the disturbance's end that took
	Reason   string        `json:"reason"`   // the first word of Kubernetes about a pod that wasn't ready
}

// Check is one look at the data of the workload, by the user's own means.
type Check struct {
	When string        `json:"when"` // before, during, after
	OK   bool          `json:"ok"`
	Said string        `json:"said"`
	Took time.Duration `json:"took"`
	At   time.Time     `json:"at"`
}

// The times of a check.
const (
	Before = "before"
	During = "during"
	After  = "after"
)

// ran begins the subject of a finding that rests on a disturbance.
const ran = "disturbed/"

// outcomes judges what happened in the runs of one kind.
func (s subject) outcomes(kind Kind) []conform.Finding {
	var all []conform.Finding
	for _, r := range s.Runs {
		if r.Kind == kind {
			all = append(all, s.outcome(r))
		}
	}
	return all
}

// disturbed returns the check of a row that only doing can answer.
func disturbed(kind Kind) func(subject) []conform.Finding {
	return func(s subject) []conform.Finding {
		if all := s.outcomes(kind); len(all) > 0 {
			return all
		}
		return []conform.Finding{s.untried(kind)}
	}
}

// untried says that nobody disturbed the workload.
func (s subject) untried(kind Kind) conform.Finding {
	return unknown("it stays ready and loses no data", "the experiment on a running namespace: --disturb "+string(kind)+", or all")
}

// outcome judges one run: what it was about stayed ready, came back, and the data
// is there. What can't be said is unknown, and what went wrong comes before that.
func (s subject) outcome(r Run) conform.Finding {
	f := conform.Finding{Verdict: conform.Pass, Subject: ran + string(r.Kind) + "/" + r.Target, Want: "it stays ready and loses no data", Evidence: r.evidence()}
	var wrong, missing, told []string
	if r.Lacks != "" {
		missing = append(missing, r.Lacks)
	}
	for _, u := range r.Units {
		bad, lacks, so := u.judge(r.Kind)
		wrong, missing, told = append(wrong, bad...), append(missing, lacks...), append(told, so...)
	}
	if r.Lacks == "" {
		bad, lacks, so := s.data(r)
		wrong, missing, told = append(wrong, bad...), append(missing, lacks...), append(told, so...)
	}
	switch {
	case len(wrong) > 0:
		f.Verdict, f.Got = conform.Fail, strings.Join(wrong, "; ")
	case len(missing) > 0:
		f.Verdict, f.Missing = conform.Unknown, missing
		f.Got = strings.Join(told, "; ")
	default:
		f.Got = strings.Join(told, "; ")
	}
	if r.What != "" {
		f.Got = strings.TrimSuffix(r.What+": "+f.Got, ": ")
	}
	return f
}

// judge says how a unit bore a disturbance.
func (u Unit) judge(kind Kind) (wrong, missing, told []string) {
	if u.Before == 0 {
		return nil, []string{u.Name + " was not ready before it began"}, nil
	}
	because := ""
	if u.Reason != "" {
		because = " (" + u.Reason + ")"
	}
	if u.Least == 0 {
		wrong = append(wrong, fmt.Sprintf("%s had no ready pod for %v%s", u.Name, short(u.Down), because))
	}
	if u.Restarts > 0 && kind != Drain && kind != Delete {
		wrong = append(wrong, fmt.Sprintf("%d restarts of containers in %s%s", u.Restarts, u.Name, because))
	}
	if !u.Back {
		wrong = append(wrong, fmt.Sprintf("%s did not come back to %d ready pods in %v%s", u.Name, u.Before, short(u.After), because))
	}
	return wrong, nil, []string{fmt.Sprintf("%s kept %d of %d pods ready, whole again after %v", u.Name, u.Least, u.Before, short(u.After))}
}

// data says what became of the data. A check may fail while the disturbance
// lasts, as long as another succeeds: what is slow or broken on the way there is
// what the disturbance is about.
func (s subject) data(r Run) (wrong, missing, told []string) {
	if len(r.Checks) == 0 {
		if s.Stateless != "" {
			return nil, nil, []string{"no data to lose: " + s.Stateless}
		}
		return nil, []string{"whether data was lost: give --check, or say with --stateless why there is none"}, nil
	}
	count := map[string][2]int{} // when to how many were made, and succeeded
	last := map[string]Check{}
	for _, c := range r.Checks {
		n := count[c.When]
		n[0]++
		if c.OK {
			n[1]++
		}
		count[c.When], last[c.When] = n, c
	}
	if count[Before][1] == 0 {
		return nil, []string{"the check succeeds before anything is disturbed; it said: " + last[Before].Said}, nil
	}
	if count[During][0] > 0 && count[During][1] == 0 {
		wrong = append(wrong, fmt.Sprintf("none of %d checks succeeded meanwhile: %s", count[During][0], last[During].Said))
	}
	switch c := last[After]; {
	case count[After][0] == 0:
		missing = append(missing, "a check after it ended")
	case !c.OK:
		wrong = append(wrong, "the check fails afterwards: "+c.Said)
	}
	return wrong, missing, []string{fmt.Sprintf("data check: before ok, meanwhile %d of %d, afterwards ok", count[During][1], count[During][0])}
}

// evidence returns what was seen, for a reader who wants the times.
func (r Run) evidence() []conform.Evidence {
	command := fmt.Sprintf("ra2-deploy verify workload NAMESPACE --disturb %s", r.Kind)
	var all []conform.Evidence
	for _, u := range r.Units {
		all = append(all, conform.Evidence{Command: command, Object: u.Name, Time: r.Ended, Value: fmt.Sprintf(
			"from %s for %v: ready before %d, least %d, none for %v, restarts %d, whole again after %v",
			r.Began.UTC().Format(time.TimeOnly), r.Ended.Sub(r.Began).Round(time.Second), u.Before, u.Least, short(u.Down), u.Restarts, short(u.After))})
	}
	for _, c := range r.Checks {
		all = append(all, conform.Evidence{Command: command, Object: "check " + c.When, Time: c.At, Value: conform.Trim(fmt.Sprintf("%v in %v: %s", c.OK, c.Took.Round(time.Millisecond), c.Said))})
	}
	return all
}

// controlPlane judges ra2.app.008.
func controlPlane(s subject) []conform.Finding { return disturbed(ControlPlane)(s) }

// latency judges ra2.app.018. A probe over the network that waits no longer than
// the latency can't succeed: that is certain before anybody tries.
func latency(s subject) []conform.Finding {
	most := time.Duration(s.number("latency_ms_max")) * time.Millisecond
	var all []conform.Finding
	for _, f := range s.eachContainer(fmt.Sprintf("the readiness probe succeeds with %v of latency", most), "let timeoutSeconds be more than the latency: 5 for HTTP, which goes forth and back twice", func(p pod, c container, n *notes) {
		probe := c.ReadinessProbe
		if c.init || probe == nil || probe.Exec != nil {
			return
		}
		if wait := time.Duration(max(1, probe.TimeoutSeconds)) * time.Second; wait <= most {
			n.fails(c.path+".readinessProbe.timeoutSeconds", fmt.Sprintf("%v, and the answer takes %v more", wait, most))
		}
	}) {
		if f.Verdict == conform.Fail {
			all = append(all, f)
		}
	}
	return s.certain(all, Latency)
}

// drain judges ra2.app.017, podDelete ra2.app.019. Of one replica nothing is ready
// while another is made: that is certain before anybody tries.
func drain(s subject) []conform.Finding     { return s.certain(s.single(), Drain) }
func podDelete(s subject) []conform.Finding { return s.certain(s.single(), Delete) }

// certain returns what is certain before anybody tries, and what happened when
// somebody did.
func (s subject) certain(known []conform.Finding, kind Kind) []conform.Finding {
	all := slices.Concat(known, s.outcomes(kind))
	if len(all) == 0 {
		all = append(all, s.untried(kind))
	}
	return all
}

// single returns a fail for each controller with one replica that nothing scales.
func (s subject) single() []conform.Finding {
	scaled := s.scaledTo()
	var all []conform.Finding
	for _, o := range s.Objects {
		p, ok := template(o)
		said := "1: none is ready while it is replaced"
		if least, by := scaled[o.Kind+"/"+o.Name]; by {
			p.replicas, said = least, "1, as few as its HPA keeps: none is ready while it is replaced"
		}
		if !ok || p.ends || p.owner != "" || p.replicas != 1 {
			continue
		}
		n := &notes{object: o, at: s.Time}
		n.fails(".spec.replicas", said)
		all = append(all, n.finding("pods are left that are ready", "run two replicas or more, on different nodes"))
	}
	return all
}

// short leaves out of a duration what is too fine to matter.
func short(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Second)
}
