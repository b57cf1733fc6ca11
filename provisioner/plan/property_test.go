package plan_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/plan"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// drawWant draws a cluster of 1 to 7 control planes and up to 10 workers, mixed
// in the file.
func drawWant(t *rapid.T) plan.Want {
	w := plan.Want{Image: "sha256:image", Objects: "sha256:objects", Generations: map[string]string{}, Firmware: map[string]map[string]any{}}
	w.Cluster.Image.Kubernetes = true
	w.Cluster.Kubernetes.Endpoint.VIPs = []netip.Addr{netip.MustParseAddr("10.17.0.10"), netip.MustParseAddr("fd00:17::10")}
	for i := range rapid.IntRange(1, 7).Draw(t, "control planes") {
		w.Cluster.Nodes = append(w.Cluster.Nodes, inventory.Node{Name: fmt.Sprint("cp-", i), ControlPlane: true})
	}
	for i := range rapid.IntRange(0, 10).Draw(t, "workers") {
		w.Cluster.Nodes = append(w.Cluster.Nodes, inventory.Node{Name: fmt.Sprint("w-", i), Worker: true})
	}
	w.Cluster.Nodes = rapid.Permutation(w.Cluster.Nodes).Draw(t, "file")
	for _, n := range w.Cluster.Nodes {
		w.Generations[n.Name] = "sha256:" + strings.Repeat("0", 10) + n.Name
	}
	return w
}

// drawSeen draws what a look may have given: of a cluster that doesn't answer
// nothing is known.
func drawSeen(t *rapid.T, w *plan.Want) facts.Seen {
	flip := func(what string) bool { return rapid.Bool().Draw(t, what) }
	seen := facts.Seen{Hosts: map[string]facts.Host{}, Cluster: facts.Cluster{Answers: flip("answers"), VIPs: map[netip.Addr]bool{}}}
	generation := func(name string) string {
		return rapid.SampledFrom([]string{"", "sha256:old", w.Generations[name]}).Draw(t, "generation of "+name)
	}
	for _, n := range w.Cluster.Nodes {
		h := facts.Host{BMC: facts.BMC{Power: rapid.SampledFrom([]string{"On", "Off", ""}).Draw(t, "power")}}
		if flip("heard") {
			h.Agent = facts.Agent{Heard: time.Unix(1, 0), Stage: rapid.SampledFrom([]string{"installer", "node"}).Draw(t, "stage"), Generation: generation(n.Name)}
		}
		if seen.Cluster.Answers && flip("exists") {
			h.Member = facts.Member{Known: true, Exists: true, Ready: flip("ready"), Generation: plan.Short(generation(n.Name))}
			h.Member.EtcdVoter = n.ControlPlane && flip("votes")
		}
		if flip("firmware") {
			w.Firmware[n.Name] = map[string]any{"LogicalProc": "Enabled"}
		}
		seen.Hosts[n.Name] = h
	}
	if !seen.Cluster.Answers {
		return seen
	}
	for _, vip := range w.Cluster.Kubernetes.Endpoint.VIPs {
		seen.Cluster.VIPs[vip] = flip("vip")
	}
	seen.Cluster.Objects = rapid.SampledFrom([]string{"", w.Objects}).Draw(t, "objects")
	seen.Cluster.Verified = rapid.SampledFrom([]string{"", plan.Team(*w)}).Draw(t, "verified")
	return seen
}

// drawRecord draws what runs before may have left behind.
func drawRecord(t *rapid.T, w plan.Want) step.Record {
	rec := step.Record{}
	add := func(id step.ID, host, reaches string) {
		status := rapid.SampledFrom([]step.Status{"", step.Started, step.Retried, step.Held, step.Done, step.Failed}).Draw(t, string(id))
		if status != "" {
			rec[id] = step.Event{Step: id, Host: host, Status: status, Reaches: reaches}
		}
	}
	for _, n := range w.Cluster.Nodes {
		add(plan.On(n.Name, "installed"), n.Name, rapid.SampledFrom([]string{"sha256:old", w.Generations[n.Name]}).Draw(t, "reaches"))
		add(plan.On(n.Name, "member"), n.Name, "")
	}
	for _, n := range w.Cluster.Nodes {
		if n.ControlPlane {
			add(plan.Born, n.Name, "")
			break
		}
	}
	return rec
}

// TestAnyState checks what must hold of every plan, whatever was seen.
func TestAnyState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWant(t)
		seen := drawSeen(t, &w)
		rec := drawRecord(t, w)
		p := plan.Make(w, seen, rec)
		placed := map[step.ID]bool{}
		for _, s := range p.Steps {
			for _, need := range s.Needs {
				if !placed[need] {
					t.Errorf("%s stands before %s, which it needs", s.ID, need)
				}
			}
			if placed[s.ID] {
				t.Errorf("%s is planned twice", s.ID)
			}
			placed[s.ID] = true
			if _, form := s.Do.(step.Form); form && (seen.Cluster.Answers || rec[plan.Born].Status == step.Done) {
				t.Error("a cluster that was born is formed again")
			}
			if s.Why == "" {
				t.Errorf("%s says no reason", s.ID)
			}
		}
		for _, later := range p.Later {
			if strings.Contains(later, "circle") {
				t.Error(later)
			}
		}
		one, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if two, _ := json.Marshal(plan.Make(w, seen, rec)); string(one) != string(two) {
			t.Errorf("two plans of the same arguments:\n%s\n%s", one, two)
		}
		walk(t, w, seen, p)
	})
}

// walk runs a plan in any order that its needs allow, several steps at once and
// one on each host: a control plane that works is taken down only while all the
// others work.
func walk(t *rapid.T, w plan.Want, seen facts.Seen, p step.Plan) {
	down := map[string]bool{}
	for _, n := range w.Cluster.Nodes {
		if m := seen.Hosts[n.Name].Member; n.ControlPlane {
			down[n.Name] = !m.Ready || !m.EtcdVoter
		}
	}
	state := map[step.ID]step.Status{}
	for range 2 * len(p.Steps) {
		var can []step.Step
		for _, s := range p.Steps {
			busy := slices.ContainsFunc(p.Steps, func(o step.Step) bool { return o.Host == s.Host && s.Host != "" && state[o.ID] == step.Started })
			waits := slices.ContainsFunc(s.Needs, func(id step.ID) bool { return state[id] != step.Done })
			if state[s.ID] == step.Started || state[s.ID] == "" && !busy && !waits {
				can = append(can, s)
			}
		}
		s := rapid.SampledFrom(can).Draw(t, "next")
		_, member := down[s.Host]
		switch {
		case state[s.ID] == step.Started:
			state[s.ID] = step.Done
			if member && strings.HasSuffix(string(s.ID), "/member") {
				down[s.Host] = false
			}
			continue
		case member && !down[s.Host] && s.Do.Risk() >= step.Reboots:
			for other, is := range down {
				if is {
					t.Errorf("%s takes a control plane down while %s is", s.ID, other)
				}
			}
			down[s.Host] = true
		}
		state[s.ID] = step.Started
	}
	for _, s := range p.Steps {
		if state[s.ID] != step.Done {
			t.Errorf("%s can never start", s.ID)
		}
	}
}

// TestDoneIsEmpty checks that nothing is left to do for a cluster that is as it
// should be, whatever the record says of steps that can be seen.
func TestDoneIsEmpty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWant(t)
		seen := facts.Seen{Hosts: map[string]facts.Host{}, Cluster: facts.Cluster{Answers: true, Objects: w.Objects, Verified: plan.Team(w), VIPs: map[netip.Addr]bool{}}}
		for _, vip := range w.Cluster.Kubernetes.Endpoint.VIPs {
			seen.Cluster.VIPs[vip] = true
		}
		rec := step.Record{}
		for _, n := range w.Cluster.Nodes {
			h := facts.Host{BMC: facts.BMC{Power: "On"}, Member: facts.Member{Known: true, Exists: true, Ready: true, EtcdVoter: n.ControlPlane}}
			h.Member.Generation = plan.Short(w.Generations[n.Name])
			seen.Hosts[n.Name] = h
			if rapid.Bool().Draw(t, "record") {
				rec[plan.On(n.Name, "installed")] = step.Event{Status: step.Done, Reaches: w.Generations[n.Name]}
			}
		}
		if p := plan.Make(w, seen, rec); !p.Empty() {
			t.Errorf("the plan of a finished site: %v", p)
		}
	})
}
