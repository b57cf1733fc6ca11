package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// open is the annotation of a namespace of ours that says what has been changed
// and not changed back: it is written before the change, so that a run that was killed
// is undone by the next one.
const open = "ra2-deploy.io/undo"

// home is the namespace of a run: its pods are in it, and it remembers.
type home struct {
	c    *Client
	name string
	open map[string]string // as the annotation says it: "scale deployment/shop/web" to "2", "template deployment/shop/web" to ""
}

// home makes the namespace of a run.
func (c *Client) home(ctx context.Context) (*home, error) {
	name, err := errand.Home(ctx, c.kube, ours, "ra2-disturb-", "privileged")
	return &home{c, name, map[string]string{}}, err
}

// note remembers a change that is about to be made, or with done forgets one that was
// changed back.
func (h *home) note(ctx context.Context, what, before string, done bool) error {
	all := maps.Clone(h.open)
	if all[what] = before; done {
		delete(all, what)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{open: string(text)}}})
	if err != nil {
		return err
	}
	ctx, cancel, err := errand.Whole(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if _, err := h.c.kube.CoreV1().Namespaces().Patch(ctx, h.name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("remember in the namespace %s what has to be undone: %w", h.name, err)
	}
	h.open = all
	return nil
}

// close undoes what is open, and removes the namespace. It works on when ctx is over.
func (h *home) close(ctx context.Context) error {
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	var errs []error
	for _, what := range slices.Sorted(maps.Keys(h.open)) {
		errs = append(errs, h.undo(back, what))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w; the namespace %s stays, so that the next --disturb can undo it", err, h.name)
	}
	return errand.Gone(ctx, h.c.kube, h.name)
}

// undo changes one thing back that is open.
func (h *home) undo(ctx context.Context, what string) error {
	kind, target, _ := strings.Cut(what, " ")
	r, err := h.c.rolling(target)
	if err != nil {
		return err
	}
	switch kind {
	case "scale":
		n, err := strconv.Atoi(h.open[what])
		if err != nil {
			return fmt.Errorf("undo %s: %w", what, err)
		}
		err = r.scale(ctx, n)
		if err != nil {
			return err
		}
	case "template":
		if err := r.annotate(ctx, nil); err != nil {
			return err
		}
	default:
		return fmt.Errorf("undo %s: no such thing is known", what)
	}
	return h.note(ctx, what, "", true)
}

// leftovers undoes what a run that was cut short has left: changes, pods and their
// namespaces, and cordons.
func (c *Client) leftovers(ctx context.Context, tell func(format string, args ...any)) error {
	list, err := c.kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: ours})
	if err != nil {
		return fmt.Errorf("look for what an earlier run left: %w", err)
	}
	nodes, err := c.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("look for nodes that an earlier run cordoned: %w", err)
	}
	var errs []error
	for i := range list.Items {
		tell("%s was left by an earlier run: it is undone and removed", list.Items[i].Name)
		errs = append(errs, c.left(ctx, &list.Items[i]))
	}
	for _, n := range nodes.Items {
		if _, cordoned := n.Annotations[ours]; cordoned {
			tell("%s was left cordoned by an earlier run: the cordon is taken off", n.Name)
			errs = append(errs, c.cordon(ctx, n.Name, false))
		}
	}
	return errors.Join(errs...)
}

// left undoes what one namespace remembers, and removes it.
func (c *Client) left(ctx context.Context, n *corev1.Namespace) error {
	h := &home{c, n.Name, map[string]string{}}
	if text := n.Annotations[open]; text != "" {
		if err := json.Unmarshal([]byte(text), &h.open); err != nil {
			return fmt.Errorf("read what the namespace %s remembers: %w", n.Name, err)
		}
	}
	return h.close(ctx)
}
