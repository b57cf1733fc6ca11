package provisioner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/cluster"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/provisioner/observe"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/store"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

// DefaultCache is where built images are kept.
const DefaultCache = "/var/cache/ra2-deploy"

// How long hosts may take.
const (
	postTime  = 15 * time.Minute // from power-on to the first DHCP request: POST of a server with much memory
	tellTime  = 5 * time.Minute  // of a controller, for all that it tells: a slow one needs seconds for each of its answers
	lagTime   = 3 * time.Minute  // of a controller that shows old BIOS attributes of a host that has passed POST
	helloTime = 15 * time.Second // of a running host until it says hello: its agent asks at least that often
)

// asked is how many controllers are asked at once. Each gets one request at a
// time, so that none is asked too much; what bounds it is our own memory, about
// 100 kB for each.
const asked = 512

// ErrUsage says that the inventory, or what is beside it, has to be mended first.
var ErrUsage = errors.New("refused before anything was touched")

// Options are how a run is to be done.
type Options struct {
	Inventory string           // path of the file; what a run keeps lies beside it
	Cache     string           // directory of built images
	Image     string           // digest of a built image to use; empty is the one that the inputs here give
	Bundle    string           // path of a bundle to serve to the nodes while the run lasts; empty is none
	BundleKey *bundle.Verifier // that the bundle must be signed by; nil doesn't ask
	Parallel  int              // steps at once
	Look      bool             // nothing is to be done: it works beside a run that has the record
	Deep      bool             // controllers are asked for what no rule judges, too
	Tell      func(step.Event)
	Asking    func(observe.Asking) // hears how far a look at the controllers is; may be nil
	Approve   func(context.Context, step.Plan, facts.Seen) error
}

// Run is one command's work on one cluster. Close ends every session.
type Run struct {
	want        inventory.Cluster
	options     Options
	state       state
	record      workflow.Store
	release     func() error // gives the record back
	events      *os.File     // nil where nothing is to be done
	controllers map[string]*controller
	bootKeys    bootKeys // of Secure Boot
	timing      report.Timing
	servers     *servers     // nil unless this run listens to hosts
	content     func() error // ends serving the bundle; nil unless this run does
	lastLook    atomic.Pointer[facts.Seen]
	pki         kubeadm.PKI
	cluster     *cluster.Client // nil before the cluster has keys
}

// Load reads and checks an inventory. The error is inventory.Problems when
// the file is refused; kubeadm's own opinion of it is asked as well.
func Load(path string) (inventory.Cluster, error) { return load(path, time.Now()) }

// LoadForReport reads an inventory as Load does, but takes waivers that have
// ended: a report says of each that it has.
func LoadForReport(path string) (inventory.Cluster, error) { return load(path, time.Time{}) }

func load(path string, now time.Time) (inventory.Cluster, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return inventory.Cluster{}, fmt.Errorf("%w: read the inventory: %w", ErrUsage, err)
	}
	ids, err := ra2.AllIDs() // a waiver may be of a row that only a later release has
	if err != nil {
		return inventory.Cluster{}, err
	}
	c, problems := inventory.Parse(path, data, inventory.Options{Now: now, Rows: ids})
	if len(problems) > 0 {
		return c, problems
	}
	if errs := kubeadm.ValidateAll(c); c.Image.Kubernetes && len(errs) > 0 {
		return c, fmt.Errorf("%w: kubeadm refuses the cluster: %w", ErrUsage, errors.Join(errs...))
	}
	return c, nil
}

// Open prepares a client for every management controller and locks the record
// of the cluster. It talks to nobody yet.
func Open(c inventory.Cluster, o Options) (*Run, error) {
	r := &Run{want: c, options: o, state: stateOf(o.Inventory), timing: report.Timing{Began: time.Now()}}
	var err error
	if r.bootKeys, err = readKeys(c, filepath.Dir(o.Inventory)); err != nil {
		return nil, err
	}
	if r.controllers, err = openControllers(c, filepath.Dir(o.Inventory), o.Deep, r.bootKeys); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if err := r.remember(); err != nil {
		return nil, err
	}
	if _, has, err := r.state.read(filePKI); err != nil || has {
		if err = errors.Join(err, r.keys()); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

// remember opens what is kept of the cluster. A look makes no directory, and
// does without the record while another run has it.
func (r *Run) remember() error {
	path := r.state.path(fileRecord)
	r.record, r.release = &store.Mem{}, func() error { return nil }
	if _, err := os.Stat(path); r.options.Look && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	b, err := store.OpenBolt(path)
	switch {
	case r.options.Look && errors.Is(err, store.ErrLocked):
		return nil
	case err != nil:
		return err
	}
	r.record, r.release = b, b.Close
	if r.options.Look {
		return nil
	}
	if r.events, err = os.OpenFile(r.state.path(fileEvents), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return errors.Join(fmt.Errorf("open the list of events: %w", err), b.Close())
	}
	return nil
}

// keys makes or reads the cluster's certificates, and a client that uses them.
func (r *Run) keys() (err error) {
	if r.pki, err = r.state.pki(); err != nil {
		return err
	}
	if err = r.state.kubeconfig(r.want, r.pki); err != nil {
		return err
	}
	r.cluster, err = cluster.New(r.want, r.pki, rand.Reader, time.Now)
	return err
}

// Close ends all servers and every session, whatever happened before.
func (r *Run) Close() error {
	var errs []error
	if r.servers != nil {
		errs = append(errs, r.servers.close())
	}
	if r.content != nil {
		errs = append(errs, r.content())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	errs = append(errs, closeControllers(ctx, r.controllers))
	if r.events != nil {
		errs = append(errs, r.events.Close())
	}
	return errors.Join(append(errs, r.release())...)
}

// observer asks everyone that this run can ask.
func (r *Run) observer() *observe.Observer {
	o := &observe.Observer{Controllers: map[string]observe.Controller{}, Limit: asked, Within: tellTime, Patience: helloTime, Tell: r.options.Asking}
	for name, c := range r.controllers {
		o.Controllers[name] = c
		if r.options.Look {
			o.Controllers[name] = once{c}
		}
	}
	if r.cluster != nil && r.want.Image.Kubernetes {
		o.Cluster = looker{r.cluster}
	}
	if r.servers != nil {
		o.Agents = r.servers.agent
	}
	return o
}

// engine joins verbs to hands.
func (r *Run) engine(files imageFiles, signals *act.Signals) *workflow.Engine {
	machine := func(node string) (act.Machine, error) { return r.controller(node) }
	firmware := func(node string) (act.Firmware, error) { return r.controller(node) }
	d := workflow.Doers{}
	off := act.Off{Machine: machine}
	workflow.On(d, off.Do)
	if r.servers != nil {
		members := &members{run: r}
		join := act.Join{Members: members, Kubeadm: members.order, Orders: r.servers, Signals: signals}
		boot := act.Netboot{
			Machine: machine, Methods: r.methods, Boots: r.servers, Orders: r.servers, Signals: signals,
			Image: r.servers.image, POST: postTime,
		}
		install := act.Install{Netboot: boot, Workflow: r.workflow(files), Lag: lagTime}
		settle := act.Settle{Members: members, Answering: members, Orders: r.servers, IsControl: r.isControl}
		wake := act.Wake{Machine: machine, Heard: r.servers.agent.Heard, Members: members, Signals: signals, POST: postTime}
		workflow.On(d, act.SetBIOS{Machine: firmware, POST: postTime}.Do)
		verifier := func(node string) (act.Verifier, error) { return r.controller(node) }
		workflow.On(d, act.Enroll{Machine: verifier, POST: postTime}.Do)
		workflow.On(d, act.Inspect{Netboot: boot, Told: r.state.hasHardware}.Do)
		workflow.On(d, install.Do)
		workflow.On(d, wake.Do)
		workflow.On(d, join.Form)
		workflow.On(d, join.Join)
		workflow.On(d, settle.Do)
		workflow.On(d, act.Apply(members))
		workflow.On(d, act.Probe(members))
		workflow.On(d, act.Remove(members))
	}
	return &workflow.Engine{Do: d, Store: r.record, Tell: r.tell, Limit: max(r.options.Parallel, 1)}
}

// tell keeps an event and shows it.
func (r *Run) tell(ev step.Event) {
	r.timing = r.timing.With(ev)
	keepEvent(r.events, ev)
	r.options.Tell(ev)
}

func (r *Run) controller(node string) (*controller, error) {
	c, ok := r.controllers[node]
	if !ok {
		return nil, noNode(node)
	}
	return c, nil
}

func (r *Run) isControl(node string) bool {
	n, _ := find(r.want, node)
	return n.ControlPlane
}
