package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// Disturbing says how experiments are made.
type Disturbing struct {
	Namespace string
	Image     string                           // that holds ra2-disturb; empty is Image
	For       time.Duration                    // how long a pod is disturbed
	Back      time.Duration                    // how long it may take until all is ready again, and for a drain to begin with
	Check     Checker                          // of the data; nil where there is none
	CheckTime time.Duration                    // that one check may take
	Tell      func(format string, args ...any) // hears what is done and waited for
}

// betweenChecks is how often the data is looked at while something is disturbed.
const betweenChecks = 5 * time.Second

// Disturb makes experiments, one after the other, and undoes each. It stops at the
// first one that couldn't be undone, and when ctx ends; what was made for them is
// removed in any case. What was found out until then is returned with the error.
func (c *Client) Disturb(ctx context.Context, d Disturbing, all []Experiment) (runs []app.Run, err error) {
	if d.Image == "" {
		d.Image = Image
	}
	if err := c.leftovers(ctx, d.Tell); err != nil {
		return nil, err
	}
	h, err := c.home(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.close(ctx)) }()
	for i, e := range all {
		d.Tell("%d of %d: %v", i+1, len(all), e)
		x := experiment{c: c, Disturbing: d, Experiment: e, home: h, began: make(chan string, 1)}
		r, err := x.run(ctx)
		if ctx.Err() != nil { // what was seen since then is of our ending, and no verdict
			r.Lacks, r.Units, r.Checks = "its end: the run was interrupted", nil, nil
		}
		if runs = append(runs, r); r.Lacks != "" {
			d.Tell("it can't be judged, for want of %s", r.Lacks)
		}
		if err != nil {
			return runs, fmt.Errorf("disturb %s: %s: %w", e.Target, e.Kind, err)
		}
		if err := ctx.Err(); err != nil {
			return runs, context.Cause(ctx)
		}
	}
	return runs, nil
}

// experiment is one that is being made.
type experiment struct {
	c *Client
	Disturbing
	Experiment
	home  *home
	pods  []*corev1.Pod // that it is about
	began chan string   // gets what was begun, once
}

// run checks, disturbs while it watches and checks, and waits until all is ready
// again. The error is of what couldn't be undone.
func (x experiment) run(ctx context.Context) (app.Run, error) {
	r := app.Run{Kind: x.Kind, Target: x.Target, Began: time.Now().UTC()}
	var err error
	if x.pods, err = x.c.choose(ctx, x.Namespace, x.Experiment); err != nil {
		r.Lacks = err.Error()
		return r, nil
	}
	switch pod := x.pods[0]; {
	case x.Kind == app.Drain:
		r.Target = "node/" + pod.Spec.NodeName
	case x.onNode() || x.Kind == app.Delete:
		r.Target = podRef(pod)
	}
	r.Checks = x.check(ctx, r.Checks, app.Before)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	w, err := x.c.follow(watching, x.Namespace, x.unitOf())
	if err != nil {
		r.Lacks = err.Error()
		return r, nil
	}
	done := make(chan outcome, 1)
	go func() {
		what, err := x.do(ctx, w)
		done <- outcome{what, err}
	}()
	out := x.during(ctx, &r, done)
	r.Ended = time.Now().UTC()
	if errors.As(out.err, new(lacks)) {
		if r.Lacks, out.err = out.err.Error(), nil; r.What == "" {
			return r, nil // nothing was done
		}
	}
	if gone, _, _ := w.taken(x.pods[0].UID); gone && x.onNode() && out.err == nil {
		r.Lacks = "the pod until the end: somebody else deleted it"
		return r, nil // how it bore the disturbance nobody knows
	}
	if out.err != nil {
		r.Lacks = "a disturbance that was done and undone: " + out.err.Error()
	}
	x.Tell("waiting until all is ready again, at most %v", x.Back)
	waiting, cancel := context.WithTimeout(ctx, x.Back)
	defer cancel()
	w.await(waiting, w.whole)
	after := time.Since(r.Ended)
	r.Checks = x.check(ctx, r.Checks, app.After)
	units, failed := w.result(after)
	r.Units = units
	if failed != nil {
		r.Lacks = failed.Error()
	}
	if out.err != nil { // what was seen may be of that, and no verdict
		r.Units, r.Checks = nil, nil
	}
	return r, out.err
}

// outcome is what came of doing.
type outcome struct {
	what string
	err  error
}

// during checks the data now and then, from when the disturbance began until it
// ended.
func (x experiment) during(ctx context.Context, r *app.Run, done <-chan outcome) outcome {
	select {
	case r.What = <-x.began:
		x.Tell("%s", r.What)
	case out := <-done:
		select {
		case r.What = <-x.began:
		default:
		}
		return out
	}
	tick := time.NewTicker(betweenChecks)
	defer tick.Stop()
	for {
		r.Checks = x.check(ctx, r.Checks, app.During)
		select {
		case out := <-done:
			if out.what != "" {
				r.What += " (" + out.what + ")"
			}
			return out
		case <-tick.C:
		}
	}
}

// check makes one more check.
func (x experiment) check(ctx context.Context, all []app.Check, when string) []app.Check {
	if x.Check == nil {
		return all
	}
	return append(all, x.Check.check(ctx, when, x.CheckTime))
}

func podRef(p *corev1.Pod) string { return "pod/" + p.Namespace + "/" + p.Name }

// unitOf says what is watched: the pod that is disturbed; else each controller.
func (x experiment) unitOf() func(*corev1.Pod) string {
	switch {
	case x.onNode():
		return func(p *corev1.Pod) string {
			if p.UID == x.pods[0].UID {
				return podRef(p)
			}
			return ""
		}
	case x.Kind == app.Drain:
		return func(p *corev1.Pod) string {
			if by := controllerOf(p); !strings.HasPrefix(by, "daemonset/") {
				return by
			}
			return ""
		}
	}
	return only(x.Target)
}

func only(unit string) func(*corev1.Pod) string {
	return func(p *corev1.Pod) string {
		if controllerOf(p) == unit {
			return unit
		}
		return ""
	}
}

// do makes the disturbance and undoes it, also when ctx ends.
func (x experiment) do(ctx context.Context, w *watcher) (string, error) {
	switch x.Kind {
	case app.Drain:
		return "", x.drain(ctx, w)
	case app.Delete:
		if err := x.c.kube.CoreV1().Pods(x.Namespace).Delete(ctx, x.pods[0].Name, metav1.DeleteOptions{}); err != nil {
			return "", lacks{fmt.Errorf("delete %s: %w", podRef(x.pods[0]), err)}
		}
		x.began <- "it was deleted"
		return "", x.left(ctx, w)
	case app.Update, app.Downgrade, app.Scale:
		return "", x.roll(ctx)
	}
	return x.onPod(ctx, w)
}

// onPod lets ra2-disturb do it, for as long as the pod is there.
func (x experiment) onPod(ctx context.Context, w *watcher) (string, error) {
	if x.pods[0].Spec.HostNetwork && x.Kind != app.IO && x.Kind != app.Memory {
		return "", lacks{errors.New("a network of the pod's own: it uses its node's, and the whole node would be disturbed")}
	}
	args := []string{string(x.Kind)}
	if x.Kind == app.ControlPlane {
		addresses, err := x.c.apiAddresses(ctx)
		if err != nil {
			return "", lacks{err}
		}
		args = append([]string{"unreachable"}, withoutNode(addresses, x.pods[0])...)
	}
	t, what, err := x.c.launch(ctx, x.home.name, x.Image, x.pods[0], x.For, args...)
	if err != nil {
		return "", err
	}
	x.began <- what
	meanwhile, cancel := context.WithTimeout(ctx, x.For-time.Second) // it would end by itself a second later
	defer cancel()
	w.await(meanwhile, func() (bool, string, <-chan struct{}) { return w.taken(x.pods[0].UID) })
	return t.end(ctx)
}

// withoutNode leaves out the addresses of the pod's own node: from there its kubelet
// probes, and an answer that can't go back is no loss of the control plane.
func withoutNode(all []string, p *corev1.Pod) []string {
	var out []string
	for _, a := range all {
		own := slices.ContainsFunc(p.Status.HostIPs, func(h corev1.HostIP) bool { return h.IP == a }) || a == p.Status.HostIP
		if !own && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// drain takes the pods of the namespace from a node and keeps it cordoned until
// they are ready elsewhere.
func (x experiment) drain(ctx context.Context, w *watcher) (err error) {
	node := x.pods[0].Spec.NodeName
	already, err := x.c.cordoned(ctx, node)
	if err == nil && !already {
		err = x.c.cordon(ctx, node, true)
	}
	if err != nil {
		return lacks{err}
	}
	defer func() {
		if already {
			return // somebody else's stays
		}
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()
		err = errors.Join(err, x.c.cordon(back, node, false))
	}()
	x.began <- fmt.Sprintf("%s cordoned, %d pods evicted", node, len(x.pods))
	ctx, cancel := context.WithTimeout(ctx, x.Back)
	defer cancel()
	for _, p := range x.pods {
		if err := x.c.evict(ctx, p); err != nil {
			return lacks{err}
		}
	}
	if err := x.left(ctx, w); err != nil {
		return err
	}
	w.await(ctx, w.whole) // what isn't is told by the units
	return nil
}

// left waits until the watch has seen that pods aren't ready any more: else all
// would look whole before anything happened.
func (x experiment) left(ctx context.Context, w *watcher) error {
	var uids []types.UID
	for _, p := range x.pods {
		uids = append(uids, p.UID)
	}
	ctx, cancel := context.WithTimeout(ctx, x.Back)
	defer cancel()
	if ok, still := w.await(ctx, func() (bool, string, <-chan struct{}) { return w.gone(uids) }); !ok && ctx.Err() != nil {
		return lacks{fmt.Errorf("%s was still ready after %v", still, x.Back)}
	}
	return nil
}
