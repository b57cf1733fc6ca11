package provisioner

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/observe"
	"github.com/ra2-deploy/ra2-deploy/provisioner/plan"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

// Cluster returns what the inventory wants.
func (r *Run) Cluster() inventory.Cluster { return r.want }

// Facts asks the management controllers of these hosts what they say.
func (r *Run) Facts(ctx context.Context, hosts []string) (map[string]facts.BMC, error) {
	o := r.observer()
	o.Cluster, o.Agents = nil, nil
	maps.DeleteFunc(o.Controllers, func(host string, _ observe.Controller) bool { return !slices.Contains(hosts, host) })
	seen, err := o.Seen(ctx, nobody)
	out := map[string]facts.BMC{}
	for name, h := range seen.Hosts {
		out[name] = h.BMC
	}
	return out, err
}

// Hosts asks all management controllers, and adds what hosts told of themselves
// before. Agents and cluster are not asked.
func (r *Run) Hosts(ctx context.Context) (facts.Seen, error) {
	o := r.observer()
	o.Cluster, o.Agents = nil, nil
	seen, err := o.Seen(ctx, nobody)
	return r.withTold(seen), err
}

// Look returns hosts, nodes and cluster as they are.
func (r *Run) Look(ctx context.Context) (facts.Seen, error) {
	rec, _, err := r.record.Load(ctx)
	if err != nil {
		return facts.Seen{}, fmt.Errorf("load the record: %w", err)
	}
	if err := r.hear(ctx, rec); err != nil {
		return facts.Seen{}, err
	}
	seen, err := r.observer().Seen(ctx, installed(rec))
	return r.withTold(seen), err
}

// hear opens the agent API for a look at hosts that no cluster knows: only they
// themselves can tell what they run. Where there is a cluster, it is asked.
func (r *Run) hear(ctx context.Context, rec step.Record) error {
	if r.want.Image.Kubernetes || r.servers != nil || !slices.ContainsFunc(r.want.Nodes, func(n inventory.Node) bool { return installed(rec)(n.Name) }) {
		return nil
	}
	var err error
	r.servers, err = hear(ctx, r.want, r.state, r.known, notices(r.tell))
	return err
}

// installed reports of each host whether an image was written to it.
func installed(rec step.Record) func(node string) bool {
	return func(node string) bool { return rec[plan.On(node, "installed")].Status == step.Done }
}

// Plan looks once and returns what Up would do. The image is asked for only
// when no finding stands against the hosts: a host that can't be used is told
// before half an hour of building.
func (r *Run) Plan(ctx context.Context) (Turn, error) {
	rec, _, err := r.record.Load(ctx)
	if err != nil {
		return Turn{}, fmt.Errorf("load the record: %w", err)
	}
	if err := r.hear(ctx, rec); err != nil {
		return Turn{}, err
	}
	return r.site(r.image(r.bundle(ctx)), nil).Plan(ctx)
}

// Up brings hosts and cluster to what the inventory wants. Where nothing is
// left to do, or where the first look refuses, no port is opened.
func (r *Run) Up(ctx context.Context) error {
	open := r.bundle(ctx)
	image := r.image(open)
	if turn, err := r.site(image, nil).Plan(ctx); err != nil || turn.Plan.Empty() {
		return err
	}
	files, err := image()
	if err == nil {
		files, err = files.signed(r.want)
	}
	if err != nil {
		return err
	}
	signals := &act.Signals{}
	var one sync.Mutex // notices come from many goroutines
	tell := func(ev step.Event) {
		one.Lock()
		defer one.Unlock()
		r.tell(ev)
	}
	for _, text := range files.unsigned(r.want) {
		notices(tell)("", text)
	}
	if err := r.serveContent(ctx, open, notices(tell)); err != nil {
		return err
	}
	servers, err := serve(ctx, r.want, r.state, files, signals, r.known, notices(tell))
	if err != nil {
		return err
	}
	r.servers = servers
	if err := r.keys(); err != nil {
		return err
	}
	s := r.site(image, r.engine(files, signals))
	s.Engine.Tell = tell
	return s.Converge(ctx)
}

// Down switches all hosts off and forgets the cluster.
func (r *Run) Down(ctx context.Context) error {
	seen, err := r.observer().Seen(ctx, nobody)
	if err != nil {
		return err
	}
	p := plan.Down(r.want, seen)
	if err := r.options.Approve(ctx, p, seen); err != nil {
		return err
	}
	if err := r.engine(imageFiles{}, nil).Run(ctx, p); err != nil {
		return err
	}
	_, version, err := r.record.Load(ctx)
	if err == nil {
		_, err = r.record.Save(ctx, step.Record{}, version)
	}
	if err == nil {
		err = r.state.forget()
	}
	if err != nil {
		return fmt.Errorf("all hosts are off, but the cluster could not be forgotten: %w", err)
	}
	return nil
}

// Rebuild marks the generation of a node as unwanted: the next plan replaces it.
func (r *Run) Rebuild(ctx context.Context, node string) error {
	if _, ok := find(r.want, node); !ok {
		return fmt.Errorf("%w: %w", ErrUsage, noNode(node))
	}
	rec, version, err := r.record.Load(ctx)
	if err != nil {
		return err
	}
	_, err = r.record.Save(ctx, rec.With(step.Event{
		Time: time.Now(), Step: plan.On(node, "installed"), Host: node, Status: step.Failed, Note: "a rebuild was asked for",
	}), version)
	return err
}

// Timing returns the table of how long each node took, and our own part.
func (r *Run) Timing() string {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return ""
	}
	return r.timing.Table(time.Duration(used.Utime.Nano() + used.Stime.Nano()))
}

// site joins looking, judging, planning and doing; without an engine it only
// plans.
func (r *Run) site(image func() (imageFiles, error), engine *workflow.Engine) *Site {
	if engine == nil {
		engine = &workflow.Engine{Store: r.record}
	}
	return &Site{
		Look: func(ctx context.Context, rec step.Record) (facts.Seen, error) {
			o := r.observer()
			if _, begun := rec[plan.Born]; !begun {
				o.Cluster = nil // nobody is there to answer
			}
			seen, err := o.Seen(ctx, installed(rec))
			return r.withTold(seen), err
		},
		Judge: r.judge,
		Want: func(seen facts.Seen) (plan.Want, error) {
			files, err := image()
			if err != nil {
				return plan.Want{}, err
			}
			return r.wanted(files, seen)
		},
		Approve:     r.options.Approve,
		Engine:      engine,
		Certificate: r.certificate(),
	}
}

func nobody(string) bool { return false }

// keepEvent appends an event as a line of JSON. The list is for people; what
// must not be lost is in the record.
func keepEvent(f *os.File, ev step.Event) {
	if f != nil {
		_ = writeEvent(f, ev)
	}
}

func writeEvent(w io.Writer, ev step.Event) error { return json.NewEncoder(w).Encode(ev) }
