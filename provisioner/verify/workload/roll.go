package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// rolling is the controller of an experiment.
type rolling struct {
	c              *Client
	kind, ns, name string // "deployment"
	resource       string // "deployments"
	blank          runtime.Object
}

func (c *Client) rolling(target string) (rolling, error) {
	parts := strings.Split(target, "/")
	blank := map[string]runtime.Object{"deployment": &appsv1.Deployment{}, "statefulset": &appsv1.StatefulSet{}, "daemonset": &appsv1.DaemonSet{}}[parts[0]]
	if len(parts) != 3 || blank == nil {
		return rolling{}, lacks{fmt.Errorf("%s is no Deployment, StatefulSet or DaemonSet, which can be rolled", target)}
	}
	return rolling{c, parts[0], parts[1], parts[2], parts[0] + "s", blank}, nil
}

// roll replaces the pods of a controller by those of another template, or of the
// one before, or changes their number and brings it back.
func (x experiment) roll(ctx context.Context) error {
	r, err := x.c.rolling(x.Target)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, x.Back)
	defer cancel()
	switch x.Kind {
	case app.Update:
		if err := x.home.note(ctx, "template "+x.Target, "", false); err != nil {
			return lacks{err}
		}
		x.began <- x.String()
		return r.template(ctx, time.Now().UTC().Format(time.RFC3339))
	case app.Downgrade:
		// An update that is there already is what is gone back from.
		x.began <- x.String()
		if err := r.template(ctx, nil); err != nil {
			return err
		}
		return x.home.note(ctx, "template "+x.Target, "", true)
	}
	return x.scale(ctx, r)
}

// template changes our annotation in the template, and waits until all pods are of
// it. A value of nil takes the annotation out: that is the template of before.
func (r rolling) template(ctx context.Context, value any) error {
	if err := r.annotate(ctx, value); err != nil {
		return lacks{err}
	}
	return r.rolled(ctx)
}

// annotate changes our annotation in the template.
func (r rolling) annotate(ctx context.Context, value any) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{ours: value}}}}})
	if err != nil {
		return err
	}
	return r.patch(ctx, "", patch)
}

// scale changes the number of pods.
func (r rolling) scale(ctx context.Context, n int) error {
	return r.patch(ctx, "scale", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n))
}

// patch changes the controller, or a part of it.
func (r rolling) patch(ctx context.Context, part string, patch []byte) error {
	ctx, cancel, err := errand.Whole(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	req := r.c.kube.AppsV1().RESTClient().Patch(types.StrategicMergePatchType).Namespace(r.ns).Resource(r.resource).Name(r.name)
	if part != "" {
		req = r.c.kube.AppsV1().RESTClient().Patch(types.MergePatchType).Namespace(r.ns).Resource(r.resource).Name(r.name).SubResource(part)
	}
	if err := req.Body(patch).Do(ctx).Error(); err != nil {
		return fmt.Errorf("change %s %s: %w", r.kind, r.name, err)
	}
	return nil
}

// rolled waits until the controller says that all its pods are of its template and
// available.
func (r rolling) rolled(ctx context.Context) error {
	source := cache.NewListWatchFromClient(r.c.kube.AppsV1().RESTClient(), r.resource, r.ns, fields.OneTermEqualSelector("metadata.name", r.name))
	still := ""
	_, err := watchtools.UntilWithSync(ctx, source, r.blank, nil, func(e watch.Event) (bool, error) {
		if e.Type == watch.Deleted {
			return false, errors.New("it was deleted")
		}
		var ok bool
		ok, still = complete(e.Object)
		return ok, nil
	})
	if err != nil {
		return lacks{fmt.Errorf("wait until %s %s is rolled out: %w; last seen: %s", r.kind, r.name, err, still)}
	}
	return nil
}

// complete reports whether a rollout has ended (kubectl rollout status asks the
// same), and how far it is.
func complete(o runtime.Object) (bool, string) {
	var meta metav1.ObjectMeta
	var observed int64
	var want, updated, available, all int32
	switch c := o.(type) {
	case *appsv1.Deployment:
		meta, observed = c.ObjectMeta, c.Status.ObservedGeneration
		want, updated, available, all = replicas(c.Spec.Replicas), c.Status.UpdatedReplicas, c.Status.AvailableReplicas, c.Status.Replicas
	case *appsv1.StatefulSet:
		meta, observed = c.ObjectMeta, c.Status.ObservedGeneration
		want, updated, available, all = replicas(c.Spec.Replicas), c.Status.UpdatedReplicas, c.Status.AvailableReplicas, c.Status.Replicas
	case *appsv1.DaemonSet:
		meta, observed = c.ObjectMeta, c.Status.ObservedGeneration
		want, updated, available, all = c.Status.DesiredNumberScheduled, c.Status.UpdatedNumberScheduled, c.Status.NumberAvailable, c.Status.CurrentNumberScheduled
	}
	return observed >= meta.Generation && updated == want && available == want && all == want,
		fmt.Sprintf("%d pods, %d of %d of the new template, %d available", all, updated, want, available)
}

func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// scale adds one pod and takes it away again. Who scales by an HPA has shown it.
func (x experiment) scale(ctx context.Context, r rolling) (err error) {
	hpas, err := x.c.kube.AutoscalingV2().HorizontalPodAutoscalers(r.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return lacks{err}
	}
	for _, h := range hpas.Items {
		if strings.EqualFold(h.Spec.ScaleTargetRef.Kind, r.kind) && h.Spec.ScaleTargetRef.Name == r.name {
			return lacks{fmt.Errorf("the HPA %s sets the number of %s %s, and would take ours back", h.Name, r.kind, r.name)}
		}
	}
	var now struct{ Spec struct{ Replicas int } }
	data, err := x.c.kube.AppsV1().RESTClient().Get().Namespace(r.ns).Resource(r.resource).Name(r.name).SubResource("scale").SetHeader("Accept", "application/json").DoRaw(ctx)
	if err == nil {
		err = json.Unmarshal(data, &now)
	}
	if err != nil {
		return lacks{fmt.Errorf("ask for the number of pods of %s %s: %w", r.kind, r.name, err)}
	}
	if err := x.home.note(ctx, "scale "+x.Target, strconv.Itoa(now.Spec.Replicas), false); err != nil {
		return lacks{err}
	}
	x.began <- fmt.Sprintf("%s %s from %d to %d pods, and back", r.kind, r.name, now.Spec.Replicas, now.Spec.Replicas+1)
	to := func(ctx context.Context, n int) error {
		if err := r.scale(ctx, n); err != nil {
			return err
		}
		return r.rolled(ctx)
	}
	out := to(ctx, now.Spec.Replicas+1)
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), x.Back)
	defer cancel()
	if err := to(back, now.Spec.Replicas); err != nil {
		return errors.Join(out, err)
	}
	return errors.Join(out, x.home.note(back, "scale "+x.Target, "", true))
}
