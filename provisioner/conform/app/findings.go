package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// ref returns an object as kubectl names it: "deployment/shop/web".
func (o Object) ref() string {
	parts := []string{strings.ToLower(o.Kind), o.Namespace, o.Name}
	if o.Namespace == "" {
		parts = []string{parts[0], o.Name}
	}
	return strings.Join(parts, "/")
}

// line returns where a field stands in the object's file, or where what it is in
// does when the field isn't written; 0 is unknown.
func (o Object) line(path string) int {
	for {
		if n, ok := o.Lines[path]; ok {
			return n
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return 0
		}
		path = path[:cut]
	}
}

// saw returns the evidence of a field of an object.
func (o Object) saw(path string, value any, at time.Time) conform.Evidence {
	e := conform.Evidence{Object: o.ref(), Path: path, Value: conform.Trim(conform.Text(value)), Time: at}
	if o.File == "" {
		e.Command = conform.Kubectl(o.ref(), path)
		return e
	}
	e.File, e.Line, e.Command = o.File, o.line(path), o.Show
	if o.Show == "" {
		e.Command = fmt.Sprintf("sed -n %dp %s", e.Line, o.File)
	}
	return e
}

// notes gathers what a check found of one thing.
type notes struct {
	object  Object
	prefix  string // of the paths: where the pod stands in the object
	at      time.Time
	bad     []conform.Evidence
	unsure  []conform.Evidence
	good    []conform.Evidence
	missing []string // beside what is unsure: what would tell
	aside   []string // what else a reader should know
}

// fails, passes and doubts note a field.
func (n *notes) fails(path string, value any) {
	n.bad = append(n.bad, n.object.saw(n.prefix+path, value, n.at))
}
func (n *notes) passes(path string, value any) {
	n.good = append(n.good, n.object.saw(n.prefix+path, value, n.at))
}
func (n *notes) doubts(path string, value any, missing string) {
	n.unsure = append(n.unsure, n.object.saw(n.prefix+path, value, n.at))
	n.missing = append(n.missing, missing)
}

// also notes what decides nothing and is worth knowing.
func (n *notes) also(format string, args ...any) {
	n.aside = append(n.aside, fmt.Sprintf(format, args...))
}

// empty reports whether the check had nothing to say: the row isn't about this.
func (n *notes) empty() bool { return len(n.bad)+len(n.unsure)+len(n.good)+len(n.missing) == 0 }

// finding returns the notes as one finding.
func (n *notes) finding(want, do string) conform.Finding {
	f := conform.Finding{Subject: n.object.ref(), Want: want}
	switch {
	case len(n.bad) > 0:
		f.Verdict, f.Do, f.Evidence = conform.Fail, do, n.bad
	case len(n.missing) > 0:
		f.Verdict, f.Missing, f.Evidence = conform.Unknown, distinct(n.missing), n.unsure
	default:
		f.Verdict, f.Evidence = conform.Pass, n.good
	}
	f.Got = strings.Join(append(said(f.Evidence), n.aside...), "; ")
	return f
}

// said returns evidence in words, no more than three pieces.
func said(all []conform.Evidence) []string {
	const most = 3
	var words []string
	for i, e := range all {
		if i == most {
			return append(words, fmt.Sprintf("and %d more", len(all)-most))
		}
		words = append(words, strings.TrimSpace(e.Path+" "+e.Value))
	}
	return words
}

func distinct(words []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range words {
		if !seen[w] {
			out = append(out, w)
		}
		seen[w] = true
	}
	return out
}

// eachPod judges all pods by one check and returns a finding for each that the
// check has something to say of. Pods of one controller that are found alike are
// one finding.
func (s subject) eachPod(want, do string, check func(p pod, n *notes)) []conform.Finding {
	var all []conform.Finding
	alike := map[string]int{} // what was found of a controller's pod to its index in all
	more := map[int]int{}
	for _, p := range s.pods {
		n := &notes{object: p.object, prefix: p.path, at: s.Time}
		check(p, n)
		if n.empty() {
			continue
		}
		f := n.finding(want, do)
		key := fmt.Sprint(p.owner, f.Verdict, f.Got, f.Missing)
		if i, ok := alike[key]; ok && p.owner != "" {
			more[i]++
			continue
		}
		alike[key] = len(all)
		all = append(all, f)
	}
	for i, n := range more {
		all[i].Got += fmt.Sprintf("; the same in %d more of this controller", n)
	}
	return all
}

// eachContainer judges all containers of all pods.
func (s subject) eachContainer(want, do string, check func(p pod, c container, n *notes)) []conform.Finding {
	return s.eachPod(want, do, func(p pod, n *notes) {
		for c := range p.containers() {
			check(p, c, n)
		}
	})
}

// orNone returns findings, or that the row isn't about this workload.
func orNone(found []conform.Finding, why string) []conform.Finding {
	if len(found) > 0 {
		return found
	}
	return []conform.Finding{notApplicable(why)}
}

func notApplicable(why string) conform.Finding {
	return conform.Finding{Verdict: conform.NotApplicable, Got: why}
}

func unknown(want string, missing ...string) conform.Finding {
	return conform.Finding{Verdict: conform.Unknown, Want: want, Missing: missing}
}

// number returns a threshold of the row. The catalogue is part of the program
// and a test reads all of them, so that a missing one is no case.
func (s subject) number(name string) float64 {
	n, err := s.catalogue.Threshold(s.id, name)
	if err != nil {
		panic(err)
	}
	return n
}

// words returns a threshold of the row that is a list of words.
func (s subject) words(name string) []string {
	r, _ := s.catalogue.Row(s.id)
	list, _ := r.Thresholds[name].([]any)
	var out []string
	for _, w := range list {
		out = append(out, fmt.Sprint(w))
	}
	return out
}
