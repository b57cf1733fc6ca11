package seed

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Settings returns what an API server has to be started with, so that it tells what
// a snapshot holds beside objects: flags that make versions of its own groups be
// served, or not, where they differ from another snapshot's, and its Services'
// addresses.
func Settings(from, to conform.Snapshot) []string {
	var runtime, flags []string
	for _, g := range to.Served {
		if !serves(from, g) {
			runtime = append(runtime, g.String()+"=true")
		}
	}
	for _, g := range from.Served {
		if !serves(to, g) {
			runtime = append(runtime, g.String()+"=false")
		}
	}
	if runtime != nil {
		flags = append(flags, "--runtime-config="+strings.Join(runtime, ","))
	}
	if now := cidrs(to); now != cidrs(from) {
		flags = append(flags, "--service-cluster-ip-range="+now)
	}
	return flags
}

func serves(s conform.Snapshot, g conform.GroupVersion) bool {
	return slices.ContainsFunc(s.Served, func(o conform.GroupVersion) bool { return o.String() == g.String() })
}

func cidrs(s conform.Snapshot) string {
	var all []string
	for _, c := range s.ServiceCIDRs {
		if c.Name == "kubernetes" {
			all = append(all, c.Spec.CIDRs...)
		}
	}
	return strings.Join(all, ",")
}

// Difference says in which parts two snapshots differ.
type Difference struct {
	Objects  []string // by name, "pods/cnf/upf-cp-a"
	Settings []string // flags of the API server
	Kubelets bool     // configurations of kubelets
	Version  bool     // what GET /version says
	Beside   []string // what an API server doesn't tell: "facts of nodes", "the probe ingress"
}

// InAPI reports whether a change can be seen through an API server.
func (d Difference) InAPI() bool {
	return len(d.Objects) > 0 || len(d.Settings) > 0 || d.Kubelets || d.Version
}

// Compare returns what differs between two snapshots.
func Compare(from, to conform.Snapshot) (Difference, error) {
	before, err := Objects(from)
	if err != nil {
		return Difference{}, err
	}
	after, err := Objects(to)
	if err != nil {
		return Difference{}, err
	}
	d := Difference{Settings: Settings(from, to), Kubelets: !reflect.DeepEqual(from.Kubelets, to.Kubelets), Version: from.Server != to.Server}
	old, now := byKey(before), byKey(after)
	for key, o := range now {
		if had, ok := old[key]; !ok || !reflect.DeepEqual(had, o) {
			d.Objects = append(d.Objects, key)
		}
	}
	for key := range old {
		if _, ok := now[key]; !ok {
			d.Objects = append(d.Objects, key)
		}
	}
	slices.Sort(d.Objects)
	d.Beside = beside(from, to)
	return d, nil
}

func byKey(all []Object) map[string]Object {
	out := map[string]Object{}
	for _, o := range all {
		out[o.key()] = o
	}
	return out
}

// beside names what differs and isn't the API server's to tell.
func beside(from, to conform.Snapshot) []string {
	var all []string
	if !reflect.DeepEqual(from.Facts, to.Facts) {
		all = append(all, "facts that a node tells")
	}
	if !reflect.DeepEqual(from.Hosts, to.Hosts) || !reflect.DeepEqual(from.Want, to.Want) {
		all = append(all, "what the hosts' controllers tell")
	}
	for i, p := range to.Probes {
		if i < len(from.Probes) && !reflect.DeepEqual(from.Probes[i], p) {
			all = append(all, "the probe "+p.Name)
		}
	}
	return all
}

// Complete returns a snapshot that was taken of an API server, with what such a
// server doesn't tell as another snapshot has it: facts, probes, hosts and the
// inventory. It is judged as if it had been taken an hour later: what the other has
// is an hour old, and nobody can make an object that is.
func Complete(taken, like conform.Snapshot) conform.Snapshot {
	taken.Facts, taken.Probes, taken.Hosts, taken.Want = like.Facts, like.Probes, like.Hosts, like.Want
	for part, at := range like.Told {
		if told := string(part); strings.HasPrefix(told, "facts/") || strings.HasPrefix(told, "probes/") || part == conform.Hosts {
			taken.Told[part] = at
		}
	}
	taken.Ended = taken.Ended.Add(time.Hour)
	return taken
}
