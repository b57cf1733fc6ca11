package workload

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// watcher follows the pods of a namespace and keeps, for each unit, how many were
// ready when.
type watcher struct {
	unitOf func(*corev1.Pod) string // empty is none that is watched
	now    func() time.Time

	mu      sync.Mutex
	pods    map[types.UID]seen
	left    map[types.UID]bool // those that were deleted, or told to go
	units   map[string]*tally
	changed chan struct{} // closed, and made anew, whenever something changed
	failed  error
	done    chan struct{} // closed when following has ended
}

// seen is what matters of a pod.
type seen struct {
	unit     string
	ready    bool
	restarts int
}

// tally is how one unit stood.
type tally struct {
	app.Unit
	ready int
	since time.Time // since when none is ready; zero when one is
}

// follow watches the pods of a namespace until ctx ends. It returns once the pods
// that are there are known.
func (c *Client) follow(ctx context.Context, namespace string, unitOf func(*corev1.Pod) string) (*watcher, error) {
	w := &watcher{
		unitOf: unitOf, now: time.Now, pods: map[types.UID]seen{}, left: map[types.UID]bool{}, units: map[string]*tally{}, changed: make(chan struct{}), done: make(chan struct{}),
	}
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	list, err := c.kube.CoreV1().Pods(namespace).List(asking, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", namespace, err)
	}
	for i := range list.Items {
		w.note(&list.Items[i], false)
	}
	for _, t := range w.units {
		t.Before, t.Least = t.ready, t.ready
	}
	source := cache.NewListWatchFromClient(c.kube.CoreV1().RESTClient(), "pods", namespace, fields.Everything())
	// Its words about a watch that ends are for no user of this program.
	ctx = logr.NewContext(ctx, logr.Discard())
	events, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, source)
	if err != nil {
		return nil, fmt.Errorf("watch the pods of %s: %w", namespace, err)
	}
	go w.drink(events)
	return w, nil
}

// drink notes each event until there are no more. A watch that the server ended
// leaves a gap that nobody saw: what came meanwhile is unknown.
func (w *watcher) drink(events *watchtools.RetryWatcher) {
	defer close(w.done)
	defer events.Stop()
	for e := range events.ResultChan() {
		if p, ok := e.Object.(*corev1.Pod); ok {
			w.note(p, e.Type == watch.Deleted)
		} else if e.Type == watch.Error {
			w.mu.Lock()
			w.failed = fmt.Errorf("the API server ended the watch of the pods: %v", e.Object)
			w.mu.Unlock()
			return
		}
	}
}

// note notes how a pod stands now.
func (w *watcher) note(p *corev1.Pod, gone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	unit := w.unitOf(p)
	if unit == "" {
		return
	}
	t := w.units[unit]
	if t == nil {
		t = &tally{Unit: app.Unit{Name: unit}}
		w.units[unit] = t
	}
	before := w.pods[p.UID]
	now := seen{unit: unit, ready: !gone && isReady(p), restarts: restarts(p)}
	if before.unit != "" {
		t.Restarts += max(0, now.restarts-before.restarts)
	}
	if gone || p.DeletionTimestamp != nil {
		w.left[p.UID] = true
	}
	if gone {
		delete(w.pods, p.UID)
	} else {
		w.pods[p.UID] = now
	}
	if before.ready && !now.ready && t.Reason == "" {
		if t.Reason = reason(p); gone {
			t.Reason = p.Name + " is gone"
		}
	}
	t.count(before.ready, now.ready, w.now())
	close(w.changed)
	w.changed = make(chan struct{})
}

// count changes the number of ready pods.
func (t *tally) count(before, now bool, at time.Time) {
	was := t.ready
	if before {
		t.ready--
	}
	if now {
		t.ready++
	}
	t.Least = min(t.Least, t.ready)
	switch {
	case was > 0 && t.ready == 0:
		t.since = at
	case t.ready > 0 && !t.since.IsZero():
		t.Down += at.Sub(t.since)
		t.since = time.Time{}
	}
}

// whole reports whether each unit has as many ready pods as before, or names one
// that hasn't.
func (w *watcher) whole() (ok bool, still string, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, t := range w.units {
		if t.ready < t.Before {
			return false, fmt.Sprintf("%s has %d of %d pods ready", name, t.ready, t.Before), w.changed
		}
	}
	return true, "", w.changed
}

// await waits until good holds. When ctx ends first, it returns false and what was
// seen last.
func (w *watcher) await(ctx context.Context, good func() (bool, string, <-chan struct{})) (bool, string) {
	for {
		ok, still, changed := good()
		if ok {
			return true, ""
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false, still
		case <-w.done:
			return false, still
		}
	}
}

// result returns how the units stood, in the order of their names; after is how
// long after the disturbance's end they were waited for.
func (w *watcher) result(after time.Duration) ([]app.Unit, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []app.Unit
	for _, name := range slices.Sorted(maps.Keys(w.units)) {
		t := w.units[name]
		u := t.Unit
		if !t.since.IsZero() {
			u.Down += w.now().Sub(t.since)
		}
		u.Back, u.After = t.ready >= t.Before, after
		all = append(all, u)
	}
	return all, w.failed
}

// taken reports whether a pod was deleted, or told to go.
func (w *watcher) taken(uid types.UID) (bool, string, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left[uid], "", w.changed
}

// isReady reports whether a pod is ready, and stays.
func isReady(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func restarts(p *corev1.Pod) int {
	n := int32(0)
	for _, c := range p.Status.ContainerStatuses {
		n += c.RestartCount
	}
	return int(n)
}

// reason returns Kubernetes' word for why a pod isn't ready any more.
func reason(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil {
		return p.Name + " was taken away"
	}
	for _, c := range p.Status.ContainerStatuses {
		for _, s := range []corev1.ContainerState{c.State, c.LastTerminationState} {
			if t := s.Terminated; t != nil {
				return fmt.Sprintf("container %s: %s, exit status %d", c.Name, t.Reason, t.ExitCode)
			}
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return strings.TrimSpace(c.Reason + " " + c.Message)
		}
	}
	return string(p.Status.Phase)
}

// controllerOf returns what made a pod: "deployment/shop/web". A Deployment's
// ReplicaSet bears its name and the hash of the template.
func controllerOf(p *corev1.Pod) string {
	by := metav1.GetControllerOf(p)
	if by == nil || by.Kind == "Job" {
		return ""
	}
	kind, name := strings.ToLower(by.Kind), by.Name
	if hash := p.Labels["pod-template-hash"]; kind == "replicaset" && hash != "" {
		kind, name = "deployment", strings.TrimSuffix(name, "-"+hash)
	}
	return kind + "/" + p.Namespace + "/" + name
}

// gone reports whether none of these pods is ready any more. Their names may be
// borne by new ones, as with StatefulSets.
func (w *watcher) gone(uids []types.UID) (ok bool, still string, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, uid := range uids {
		if s := w.pods[uid]; s.ready {
			return false, s.unit, w.changed
		}
	}
	return true, "", w.changed
}
