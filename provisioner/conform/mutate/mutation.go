package mutate

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Mutation is one way to break one row.
type Mutation struct {
	Row   string                  // "ra2.k8s.012a"
	Name  string                  // what is broken: "a control plane without a scheduler"
	On    func(*conform.Snapshot) // changes the conformant snapshot first, so that another way to judge is taken; nil leaves it
	Break func(*conform.Snapshot)
}

// All returns the mutations of all rows, in the order of chapter 4.
func All() []Mutation {
	return slices.Concat(Hosts(), Cards(), Systems(), Kubernetes(), Network(), Platform())
}

// Unbreakable says of rows why no mutation can make them fail.
func Unbreakable(rows []conform.Row) map[string]string {
	why := map[string]string{
		"ra2.ch.005":  "on bare metal it doesn't apply, and of virtual machines only their hypervisor knows: it is never more than unknown",
		"ra2.os.005":  "what installed a node is known or isn't: it is never more than unknown",
		"ra2.ntw.001": "a pod network that is known is deployed by objects of the API; one that isn't known is unknown",
	}
	for _, r := range rows {
		if r.How == conform.Statement {
			why[r.ID] = r.Why
		}
	}
	return why
}

// Outcome is what a mutation did to its row.
type Outcome struct {
	Mutation
	Was, Is conform.Verdict
}

// Killed reports whether the check saw what was broken: it did not fail
// before, and fails now.
func (o Outcome) Killed() bool {
	return o.Was != conform.Fail && o.Was != conform.Unknown && o.Is == conform.Fail
}

// Run judges each mutation by its row.
func Run(rows []conform.Row, all []Mutation) ([]Outcome, error) {
	var out []Outcome
	for _, m := range all {
		i := slices.IndexFunc(rows, func(r conform.Row) bool { return r.ID == m.Row })
		if i < 0 {
			return nil, fmt.Errorf("a mutation breaks %s, and there is no such row", m.Row)
		}
		judge := func(change ...func(*conform.Snapshot)) conform.Verdict {
			s := Conformant()
			for _, c := range change {
				if c != nil {
					c(&s)
				}
			}
			return conform.Judge(rows[i:i+1], s)[0].Verdict
		}
		out = append(out, Outcome{m, judge(m.On), judge(m.On, m.Break)})
	}
	return out, nil
}

// Score counts rows by whether their check can fail.
type Score struct {
	Rows        int
	Killed      []string          // rows of which every mutation was seen
	Survived    []Outcome         // mutations that nobody saw
	Untried     []string          // rows without a mutation, and without a reason
	Unbreakable map[string]string // rows that can't be made to fail, and why
}

// Sum counts the outcomes of all rows.
func Sum(rows []conform.Row, outcomes []Outcome) Score {
	s := Score{Rows: len(rows), Unbreakable: map[string]string{}}
	reasons := Unbreakable(rows)
	for _, r := range rows {
		tried, survived := false, false
		for _, o := range outcomes {
			if o.Row != r.ID {
				continue
			}
			tried = true
			if !o.Killed() {
				survived = true
				s.Survived = append(s.Survived, o)
			}
		}
		switch why, none := reasons[r.ID]; {
		case tried && !survived:
			s.Killed = append(s.Killed, r.ID)
		case tried:
		case none:
			s.Unbreakable[r.ID] = why
		default:
			s.Untried = append(s.Untried, r.ID)
		}
	}
	return s
}

// String returns the score as a line for people, and what is open below it.
func (s Score) String() string {
	var b strings.Builder
	can := s.Rows - len(s.Unbreakable)
	fmt.Fprintf(&b, "mutation score: %d of %d rows that can fail do (%d %%); %d can't, of %d in all\n", len(s.Killed), can, 100*len(s.Killed)/max(can, 1), len(s.Unbreakable), s.Rows)
	for _, o := range s.Survived {
		fmt.Fprintf(&b, "  survived: %s, %s: %s, was %s\n", o.Row, o.Name, o.Is, o.Was)
	}
	if len(s.Untried) > 0 {
		fmt.Fprintf(&b, "  without a mutation: %s\n", strings.Join(s.Untried, ", "))
	}
	return b.String()
}

// The helpers of the list of mutations.

type change = func(*conform.Snapshot)

// node changes the node of a name.
func node(name string, c func(*corev1.Node)) change {
	return func(s *conform.Snapshot) {
		for i := range s.Nodes {
			if s.Nodes[i].Name == name {
				c(&s.Nodes[i])
			}
		}
	}
}

// kept keeps the pods that match.
func pods(keep func(corev1.Pod) bool) change {
	return func(s *conform.Snapshot) {
		s.Pods = slices.DeleteFunc(s.Pods, func(p corev1.Pod) bool { return !keep(p) })
	}
}

// fact changes what worker-a told of itself.
func fact(c func(*conform.NodeFacts)) change {
	return func(s *conform.Snapshot) {
		f := s.Facts["worker-a"]
		c(&f)
		s.Facts["worker-a"] = f
	}
}

// unlisted takes the inventory away, so that nodes are judged by what they
// tell.
func unlisted(s *conform.Snapshot) {
	s.Want, s.Hosts = nil, nil
	delete(s.Told, conform.Hosts)
	for i := range s.Nodes {
		if strings.HasPrefix(s.Nodes[i].Name, "worker") {
			s.Nodes[i].Labels["profile.anuket.io/network-intensive"] = "true"
		}
	}
}

// fails makes a probe fail.
func fails(name string) change {
	return func(s *conform.Snapshot) {
		for i := range s.Probes {
			if s.Probes[i].Name == name {
				s.Probes[i].Outcome = conform.Fail
			}
		}
	}
}

// without takes the outcome of a probe away.
func without(names ...string) change {
	return func(s *conform.Snapshot) {
		for _, name := range names {
			delete(s.Told, conform.ProbeOf(name))
		}
	}
}

// undeployed removes what runs an image.
func undeployed(image string) change {
	return func(s *conform.Snapshot) {
		for i := range s.DaemonSets {
			if strings.Contains(s.DaemonSets[i].Spec.Template.Spec.Containers[0].Image, image) {
				s.DaemonSets = slices.Delete(slices.Clone(s.DaemonSets), i, i+1)
				return
			}
		}
	}
}

// measured changes what a probe that passed has measured.
func measured(probe, what string, n float64) change {
	return func(s *conform.Snapshot) {
		for i := range s.Probes {
			if s.Probes[i].Name == probe {
				s.Probes[i].Numbers = maps.Clone(s.Probes[i].Numbers)
				s.Probes[i].Numbers[what] = n
			}
		}
	}
}

// untyped removes a custom resource.
func untyped(name string) change {
	return func(s *conform.Snapshot) {
		s.CustomTypes = slices.DeleteFunc(s.CustomTypes, func(c conform.CustomType) bool { return c.Name() == name })
		delete(s.Custom, name)
	}
}

// all makes several changes.
func all(changes ...change) change {
	return func(s *conform.Snapshot) {
		for _, c := range changes {
			c(s)
		}
	}
}

// forget empties what a part that wasn't told would have held.
func forget(s *conform.Snapshot, part conform.Part) {
	kind, name, of := strings.Cut(string(part), "/")
	switch {
	case of && kind == "kubelets":
		delete(s.Kubelets, name)
	case of && kind == "facts":
		delete(s.Facts, name)
	case of && kind == "custom":
		delete(s.Custom, name)
	case of:
		s.Probes = slices.DeleteFunc(s.Probes, func(p conform.Probe) bool { return p.Name == name })
	default:
		f := reflect.ValueOf(s).Elem().FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, kind) })
		f.SetZero()
	}
}
