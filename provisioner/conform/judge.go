package conform

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// Judge judges a snapshot by each row, in their order.
func Judge(rows []Row, s Snapshot) []Result {
	s = s.prepared(rows)
	var all []Result
	for _, r := range rows {
		all = append(all, r.judge(s))
	}
	return all
}

// Sought returns the parts that a snapshot lacks and that rows look for, whether their
// verdict is unknown without them or only rests on less.
func Sought(rows []Row, s Snapshot) []Part {
	s.sought = map[Part]bool{}
	Judge(rows, s)
	return slices.Sorted(maps.Keys(s.sought))
}

// prepared returns the snapshot with what many rows need: the catalogue's
// numbers, the hosts judged by the rules for hardware, and what is looked up
// again and again.
func (s Snapshot) prepared(rows []Row) Snapshot {
	if len(rows) > 0 {
		s.catalogue = rows[0].catalogue
	}
	if s.catalogue != nil && s.Has(Inventory) && s.Has(Hosts) {
		want := *s.Want
		want.Waivers = nil // they are applied to all rows alike, afterwards
		s.hardware = rules.JudgeBy(*s.catalogue, want, *s.Hosts, s.Ended)
	}
	s.claims, s.products, s.podsOn = s.claiming(), s.recognised(), map[string][]corev1.Pod{}
	for _, p := range s.Pods {
		s.podsOn[p.Spec.NodeName] = append(s.podsOn[p.Spec.NodeName], p)
	}
	return s
}

// threshold returns a number that the catalogue sets. One that is missing
// makes a row that nothing passes; a test keeps that from being shipped.
func (s Snapshot) threshold(id, name string) float64 {
	if s.catalogue == nil {
		return 1e18
	}
	n, err := s.catalogue.Threshold(id, name)
	if err != nil {
		return 1e18
	}
	return n
}

// words returns a list that the release's catalogue sets, and whether it does.
func (s Snapshot) words(id, name string) ([]string, bool) {
	if s.catalogue == nil {
		return nil, false
	}
	words, err := s.catalogue.Words(id, name)
	return words, err == nil
}

// asks returns a number that only some releases set, and whether this one does.
func (s Snapshot) asks(id, name string) (float64, bool) {
	if s.catalogue == nil {
		return 0, false
	}
	n, err := s.catalogue.Threshold(id, name)
	return n, err == nil
}

func (r Row) judge(s Snapshot) Result {
	out := Result{
		ID: r.ID, Title: r.Title, Says: r.Says, Level: r.Level, Profile: r.Profile, Condition: r.Condition, How: r.How,
		Findings: r.findings(s),
	}
	for i, f := range out.Findings {
		out.Findings[i] = s.waive(r.ID, Clean(f))
	}
	out.Verdict = worst(out.Findings)
	return out
}

// findings returns what the check found, or why it could not be made.
func (r Row) findings(s Snapshot) []Finding {
	switch {
	case r.Check == nil && r.Stated == NotApplicable:
		return []Finding{notApplicable(r.Why)}
	case r.Check == nil:
		return []Finding{{Verdict: Unknown, Want: r.Says, Missing: []string{r.Why}}}
	}
	if lack := s.lack(r.Says, r.Needs...); lack != nil {
		return lack
	}
	found := r.Check(s)
	if len(found) == 0 {
		return []Finding{{Verdict: Unknown, Want: r.Says, Missing: []string{"there is nothing in this cluster that the check looks at"}}}
	}
	return found
}

// worst returns the worst verdict; what not applies beside what does is no
// news.
func worst(all []Finding) Verdict {
	for _, v := range Verdicts() {
		if slices.ContainsFunc(all, func(f Finding) bool { return f.Verdict == v }) {
			return v
		}
	}
	return Unknown
}

// lack returns an unknown finding when one of these parts is missing.
func (s Snapshot) lack(want string, parts ...Part) []Finding {
	var missing []string
	for _, p := range parts {
		if !s.Has(p) {
			missing = append(missing, s.Lacks(p))
		}
	}
	if missing == nil {
		return nil
	}
	return []Finding{{Verdict: Unknown, Want: want, Missing: missing}}
}

// waive applies the inventory's waivers to a finding that is open.
func (s Snapshot) waive(id string, f Finding) Finding {
	if s.Want == nil || f.Verdict != Fail && f.Verdict != Unknown {
		return f
	}
	node := strings.TrimPrefix(f.Subject, "node/")
	for _, w := range s.Want.Waivers {
		covers := len(w.Nodes) == 0 || slices.Contains(w.Nodes, node)
		if !covers || w.Requirement != id && w.Requirement != strings.TrimRight(id, "ab") {
			continue
		}
		f.Waiver = &Waiver{Reason: w.Reason, Until: w.Until.UTC().Format(time.DateOnly), Ended: s.Ended.After(w.Until)}
		if !f.Waiver.Ended {
			f.Verdict = Waived
			return f
		}
		f.Do = strings.TrimPrefix(f.Do+fmt.Sprintf("; its waiver ended on %s: agree on a later date, or meet the row", f.Waiver.Until), "; ")
	}
	return f
}

func section(id string) string {
	parts := strings.Split(id, ".")
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

// ok, bad and notApplicable make findings.
func ok(subject, want, got string, seen ...Evidence) Finding {
	return Finding{Verdict: Pass, Subject: subject, Want: want, Got: got, Evidence: seen}
}

func bad(subject, want, got, do string, seen ...Evidence) Finding {
	return Finding{Verdict: Fail, Subject: subject, Want: want, Got: got, Do: do, Evidence: seen}
}

// either passes when good holds, and else says what to do.
func either(good bool, subject, want, got, do string, seen ...Evidence) Finding {
	if good {
		return ok(subject, want, got, seen...)
	}
	return bad(subject, want, got, do, seen...)
}

func notApplicable(why string, seen ...Evidence) Finding {
	return Finding{Verdict: NotApplicable, Got: why, Evidence: seen}
}
