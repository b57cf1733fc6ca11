package workload

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// Experiment is one disturbance that is going to be made. Pods come and go, so that
// which one it is about is chosen when it is made.
type Experiment struct {
	Kind   app.Kind
	Target string // "deployment/shop/web", of a drain "namespace/shop"
}

// String says what will be done, for who has to approve of it.
func (e Experiment) String() string {
	_, namespace, _ := strings.Cut(e.Target, "/")
	switch e.Kind {
	case app.Drain:
		return fmt.Sprintf("cordon the node with most pods of %s, evict those pods, and take the cordon off", namespace)
	case app.Delete:
		return fmt.Sprintf("delete one pod of %s", e.Target)
	case app.Update:
		return fmt.Sprintf("replace all pods of %s, by an annotation in its template", e.Target)
	case app.Downgrade:
		return fmt.Sprintf("replace all pods of %s by those of the revision before", e.Target)
	case app.Scale:
		return fmt.Sprintf("give %s one pod more, and take it away", e.Target)
	}
	return fmt.Sprintf("%s for one pod of %s, by a privileged pod of ours on its node", e.Kind, e.Target)
}

// onNode reports whether a pod of ours does it.
func (e Experiment) onNode() bool {
	return !slices.Contains([]app.Kind{app.Drain, app.Delete, app.Update, app.Downgrade, app.Scale}, e.Kind)
}

// Plan returns the experiments of some kinds on a namespace, and changes nothing:
// of each controller's pods one is disturbed, and of the nodes that with most of
// them is drained.
func (c *Client) Plan(ctx context.Context, namespace string, kinds []app.Kind) ([]Experiment, error) {
	ready, err := c.ready(ctx, namespace)
	if err != nil {
		return nil, err
	}
	if len(ready) == 0 {
		return nil, fmt.Errorf("look for pods to disturb in %s: no pod of a controller is ready there", namespace)
	}
	if slices.Contains(kinds, app.Update) != slices.Contains(kinds, app.Downgrade) {
		kinds = append(slices.Clone(kinds), app.Update, app.Downgrade) // one undoes the other
	}
	var all []Experiment
	for _, kind := range app.Kinds() {
		if !slices.Contains(kinds, kind) {
			continue
		}
		for _, by := range slices.Sorted(maps.Keys(ready)) {
			switch daemons := strings.HasPrefix(by, "daemonset/"); {
			case daemons && (kind == app.Drain || kind == app.Scale):
			case kind == app.Drain:
				all = append(all, Experiment{kind, "namespace/" + namespace})
			default:
				all = append(all, Experiment{kind, by})
			}
		}
	}
	return slices.Compact(all), nil // one drain is enough
}

// ready returns the ready pods of a namespace by their controllers.
func (c *Client) ready(ctx context.Context, namespace string) (map[string][]*corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	list, err := c.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("look for pods to disturb in %s: %w", namespace, err)
	}
	all := map[string][]*corev1.Pod{}
	for i := range list.Items {
		if p := &list.Items[i]; isReady(p) && controllerOf(p) != "" {
			all[controllerOf(p)] = append(all[controllerOf(p)], p)
		}
	}
	return all, nil
}

// choose chooses the pods that an experiment is about: one of the controller, or
// all that leave the node that has most.
func (c *Client) choose(ctx context.Context, namespace string, e Experiment) ([]*corev1.Pod, error) {
	ready, err := c.ready(ctx, namespace)
	if err != nil {
		return nil, lacks{err}
	}
	if e.Kind != app.Drain {
		if len(ready[e.Target]) == 0 {
			return nil, lacks{fmt.Errorf("no pod of %s is ready", e.Target)}
		}
		return ready[e.Target][:1], nil
	}
	on := map[string][]*corev1.Pod{}
	most := ""
	for _, by := range slices.Sorted(maps.Keys(ready)) {
		for _, p := range ready[by] {
			if strings.HasPrefix(by, "daemonset/") {
				continue // they stay, as they do with kubectl drain
			}
			node := p.Spec.NodeName
			if on[node] = append(on[node], p); most == "" || len(on[node]) > len(on[most]) {
				most = node
			}
		}
	}
	if most == "" {
		return nil, lacks{fmt.Errorf("no pod of %s would leave a node", namespace)}
	}
	return on[most], nil
}
