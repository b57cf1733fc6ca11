package provisioner_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/plan"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

// rack is a pretend site: machines and a cluster that keep what is done to
// them. Each verb has a moment at which its work looks done and isn't.
type rack struct {
	mu    sync.Mutex
	want  plan.Want
	hosts map[string]*machine
	vips  map[netip.Addr]bool
	world world

	cut   func(step.ID) bool // the program dies in the middle of this step
	deaf  bool               // BIOS settings are accepted and forgotten
	wiped map[string]int     // how often each host's disk was erased
	asked map[string]int     // how often each host was booted to tell its hardware
	dumb  bool               // hosts tell nothing either
	kill  func()
}

// world is the cluster.
type world struct {
	born, network, verified bool
	formed                  int
	members                 map[string]bool
}

// machine is one server.
type machine struct {
	on       bool
	smt      string
	disk     string // generation on the disk
	complete bool   // the disk was written to the end
	joined   bool   // kubeadm ran to the end
	node     bool   // the cluster has a Node object for it
	vague    bool   // its controller doesn't tell of slots
	told     bool   // it told of them itself
}

func newRack() *rack {
	r := &rack{
		hosts: map[string]*machine{}, wiped: map[string]int{}, asked: map[string]int{}, cut: func(step.ID) bool { return false }, kill: func() {},
		world: world{members: map[string]bool{}},
		want:  plan.Want{Image: "sha256:1", Objects: "objects1", Generations: map[string]string{}},
	}
	r.want.Cluster.Image.Kubernetes = true
	r.want.Cluster.Kubernetes.Endpoint.VIPs = []netip.Addr{netip.MustParseAddr("10.17.0.10")}
	for _, name := range []string{"cp-a", "cp-b", "cp-c", "w-a", "w-b"} {
		n := inventory.Node{Name: name, ControlPlane: name[0] == 'c', Worker: name[0] == 'w'}
		r.want.Cluster.Nodes = append(r.want.Cluster.Nodes, n)
		r.want.Generations[name] = "generation-1-" + name
		r.hosts[name] = &machine{smt: "Disabled"}
	}
	return r
}

// site returns the rack as a site that a run can converge.
func (r *rack) site(s workflow.Store, tell func(step.Event)) *provisioner.Site {
	return &provisioner.Site{
		Look:    func(context.Context, step.Record) (facts.Seen, error) { return r.look(), nil },
		Judge:   r.judge,
		Want:    func(seen facts.Seen) (plan.Want, error) { return r.wanted(seen), nil },
		Approve: func(context.Context, step.Plan, facts.Seen) error { return nil },
		Engine:  &workflow.Engine{Do: r.doers(), Store: s, Tell: tell, Limit: 3},
	}
}

// judge knows one requirement: eight slots.
func (r *rack) judge(seen facts.Seen) []rules.Finding {
	var all []rules.Finding
	for _, n := range r.want.Cluster.Nodes {
		f := rules.Finding{Requirement: "ra2.ch.016", Host: n.Name, Verdict: rules.Pass}
		if len(seen.Hosts[n.Name].Hardware().Slots) == 0 {
			f.Verdict = rules.Unknown
		}
		all = append(all, f)
	}
	return all
}

// slots are what a controller, or a machine, tells of its slots.
func slots(told bool) facts.Hardware {
	if !told {
		return facts.Hardware{}
	}
	return facts.Hardware{Slots: make([]facts.Slot, 8)}
}

func (r *rack) wanted(seen facts.Seen) plan.Want {
	w := r.want
	w.Firmware = map[string]map[string]any{}
	for name, h := range seen.Hosts {
		if h.BMC.BIOS["LogicalProc"] != "Enabled" {
			w.Firmware[name] = map[string]any{"LogicalProc": "Enabled"}
		}
	}
	return w
}

// look tells what can be seen from outside: not whether a disk is complete,
// nor whether a join ran to its end.
func (r *rack) look() facts.Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := facts.Seen{Hosts: map[string]facts.Host{}, Cluster: facts.Cluster{VIPs: map[netip.Addr]bool{}}}
	answers := false
	for name, m := range r.hosts {
		h := facts.Host{BMC: facts.BMC{Reached: true, Power: map[bool]string{true: "On", false: "Off"}[m.on]}}
		h.BMC.BIOS = map[string]any{"LogicalProc": m.smt}
		h.BMC.Hardware = slots(!m.vague)
		if m.on && m.disk != "" {
			h.Agent = facts.Agent{Heard: time.Unix(1, 0), Stage: "node", Generation: m.disk}
		}
		if m.told {
			h.Agent.Hardware = new(slots(!r.dumb))
		}
		answers = answers || r.world.born && m.on && m.joined && name[0] == 'c'
		seen.Hosts[name] = h
	}
	if !answers {
		return seen
	}
	seen.Cluster.Answers = true
	seen.Cluster.VIPs[r.want.Cluster.Kubernetes.Endpoint.VIPs[0]] = true
	if r.world.network {
		seen.Cluster.Objects = "objects1"
	}
	if r.world.verified {
		seen.Cluster.Verified = plan.Team(r.want)
	}
	for name, m := range r.hosts {
		h := seen.Hosts[name]
		if m.node {
			h.Member = facts.Member{
				Known: true, Exists: true, Generation: plan.Short(m.disk), Ready: m.on && r.world.network, EtcdVoter: true,
			}
		}
		seen.Hosts[name] = h
	}
	return seen
}

// half dies in the middle of a step when the test says so.
func (r *rack) half(id step.ID) error {
	if r.cut(id) {
		r.kill()
		return context.Canceled
	}
	return nil
}

func (r *rack) doers() workflow.Doers {
	d := workflow.Doers{}
	workflow.On(d, func(_ context.Context, s step.Step, v step.SetBIOS, _ step.Reporter) error {
		defer r.lock()()
		if !r.deaf {
			r.hosts[s.Host].smt = "Enabled"
		}
		return nil
	})
	workflow.On(d, r.inspect)
	workflow.On(d, r.install)
	workflow.On(d, func(_ context.Context, s step.Step, _ step.Wake, _ step.Reporter) error {
		defer r.lock()()
		r.hosts[s.Host].on = true
		return nil
	})
	workflow.On(d, func(_ context.Context, s step.Step, _ step.Form, _ step.Reporter) error {
		defer r.lock()()
		r.world.formed++
		r.world.born = true
		return r.join(s)
	})
	workflow.On(d, func(_ context.Context, s step.Step, _ step.Join, _ step.Reporter) error {
		defer r.lock()()
		if !r.world.born {
			return errors.New("there is no cluster to join")
		}
		return r.join(s)
	})
	workflow.On(d, func(_ context.Context, s step.Step, _ step.Remove, _ step.Reporter) error {
		defer r.lock()()
		r.hosts[s.Host].node, r.hosts[s.Host].joined = false, false
		return r.quorum()
	})
	workflow.On(d, func(context.Context, step.Step, step.Settle, step.Reporter) error { return nil })
	workflow.On(d, func(context.Context, step.Step, step.Apply, step.Reporter) error {
		defer r.lock()()
		r.world.network = true
		return nil
	})
	workflow.On(d, func(context.Context, step.Step, step.Probe, step.Reporter) error {
		defer r.lock()()
		r.world.verified = true
		return nil
	})
	return d
}

func (r *rack) lock() (unlock func()) {
	r.mu.Lock()
	return r.mu.Unlock
}

// inspect boots a host into the installer. Half done, the host is on and has
// told nothing yet.
func (r *rack) inspect(_ context.Context, s step.Step, _ step.Inspect, _ step.Reporter) error {
	defer r.lock()()
	m := r.hosts[s.Host]
	r.asked[s.Host]++
	m.on = true
	if err := r.half(s.ID); err != nil {
		return err
	}
	m.on, m.told = false, true
	return nil
}

// install writes a disk. Half written, the host already says that it runs the
// new generation.
func (r *rack) install(_ context.Context, s step.Step, v step.Install, _ step.Reporter) error {
	defer r.lock()()
	r.wiped[s.Host]++
	was := r.hosts[s.Host]
	r.hosts[s.Host] = &machine{on: true, smt: was.smt, disk: v.Generation, vague: was.vague, told: was.told}
	if err := r.half(s.ID); err != nil {
		return err
	}
	r.hosts[s.Host].complete = true
	return nil
}

// join makes a node. Half joined, the cluster has its Node object already.
func (r *rack) join(s step.Step) error {
	m := r.hosts[s.Host]
	if !m.complete {
		return fmt.Errorf("%s joins from a disk that is half written", s.Host)
	}
	m.node = true
	if err := r.half(s.ID); err != nil {
		return err
	}
	m.joined = true
	return nil
}

// quorum fails when fewer than two of three control planes are joined.
func (r *rack) quorum() error {
	n := 0
	for name, m := range r.hosts {
		if name[0] == 'c' && m.joined && m.on {
			n++
		}
	}
	if n < 2 {
		return fmt.Errorf("only %d control planes are left: quorum is lost", n)
	}
	return nil
}

// state returns what the rack came to, for comparisons.
func (r *rack) state() map[string]machine {
	out := map[string]machine{}
	for name, m := range r.hosts {
		out[name] = *m
	}
	return maps.Clone(out)
}
