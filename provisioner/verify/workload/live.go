package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// How slowly a cluster is asked: one that carries traffic shouldn't feel it.
const (
	perSecond = 4
	askTime   = 15 * time.Second
)

// Client asks a cluster about a namespace, and disturbs what runs in it.
type Client struct {
	host string
	kube *kubernetes.Clientset
}

// New returns a client that asks slowly.
func New(config *rest.Config) (*Client, error) {
	c := rest.CopyConfig(config)
	c.QPS, c.Burst = perSecond, 1
	c.UserAgent, c.WarningHandler = "ra2-deploy verify", rest.NoWarnings{}
	kube, err := kubernetes.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig: %w", err)
	}
	return &Client{c.Host, kube}, nil
}

// Version returns the API server's version, "v1.37.2".
func (c *Client) Version(ctx context.Context) (string, error) {
	data, err := c.get(ctx, "/version")
	if err != nil {
		return "", err
	}
	var v struct{ GitVersion string }
	err = json.Unmarshal(data, &v)
	return v.GitVersion, err
}

// get sends one request.
func (c *Client) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	data, err := c.kube.RESTClient().Get().RequestURI(path).SetHeader("Accept", "application/json").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("GET %s%s: %w", c.host, path, err)
	}
	return data, nil
}

// listed is one list of a namespace's objects.
type listed struct {
	api, kind, resource string
}

// namespaced are the lists that are asked for. Those of APIs that a cluster may
// lack come without an error then.
func namespaced() []listed {
	return []listed{
		{"v1", "Pod", "pods"}, {"v1", "Service", "services"}, {"v1", "ConfigMap", "configmaps"}, {"v1", "PersistentVolumeClaim", "persistentvolumeclaims"},
		{"v1", "ResourceQuota", "resourcequotas"}, {"v1", "LimitRange", "limitranges"}, {"v1", "ReplicationController", "replicationcontrollers"},
		{"apps/v1", "Deployment", "deployments"}, {"apps/v1", "StatefulSet", "statefulsets"}, {"apps/v1", "DaemonSet", "daemonsets"}, {"apps/v1", "ReplicaSet", "replicasets"},
		{"batch/v1", "Job", "jobs"}, {"batch/v1", "CronJob", "cronjobs"}, {"autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"},
		{"policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"}, {"k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "network-attachment-definitions"},
		{"autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "verticalpodautoscalers"},
	}
}

// Live returns a namespace as it runs: its objects, and what the cluster tells of
// them. It only reads. A list that isn't told is an error: what nobody may see
// can't be judged, and must not look as if it weren't there.
func (c *Client) Live(ctx context.Context, namespace string) (app.Workload, error) {
	w := app.Workload{Time: time.Now().UTC(), Live: &app.Live{Images: map[string]app.Image{}, Logs: map[string]app.Log{}, Unready: map[string]time.Time{}}}
	if _, err := c.get(ctx, "/api/v1/namespaces/"+url.PathEscape(namespace)); err != nil {
		return w, fmt.Errorf("look at the namespace %s: %w", namespace, err)
	}
	for _, l := range namespaced() {
		list, err := c.list(ctx, l, "/namespaces/"+url.PathEscape(namespace))
		if err != nil && !(apierrors.IsNotFound(err) && strings.Contains(l.api, ".")) {
			return w, fmt.Errorf("look at the namespace %s: %w", namespace, err)
		}
		w.Objects = append(w.Objects, list...)
	}
	if len(w.Objects) == 0 {
		return w, fmt.Errorf("look at the namespace %s: there is nothing in it", namespace)
	}
	c.storage(ctx, &w)
	c.images(ctx, w.Live)
	c.events(ctx, namespace, w.Live)
	c.logs(ctx, &w)
	c.release(ctx, namespace, &w)
	w.Live.Time = time.Now().UTC()
	return w, ctx.Err()
}

// list returns all objects of one list; in is what the path has before the
// resource's name.
func (c *Client) list(ctx context.Context, l listed, in string) ([]app.Object, error) {
	root := "/apis/"
	if l.api == "v1" {
		root = "/api/"
	}
	data, err := c.get(ctx, root+l.api+in+"/"+l.resource)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []map[string]any `json:"items"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read the %s: %w", l.resource, err)
	}
	var all []app.Object
	var errs []error
	for _, tree := range list.Items {
		tree["apiVersion"], tree["kind"] = l.api, l.kind // a list's items have none
		o, err := object(tree)
		o.Problems = nil // the server took it, and may be newer
		all, errs = append(all, o), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// storage adds the volumes that claims are bound to, and the classes that they
// name. Who may not list them has claims of which nobody knows where they are.
func (c *Client) storage(ctx context.Context, w *app.Workload) {
	bound, named := map[string]bool{}, map[string]bool{}
	for _, o := range w.Objects {
		if claim, ok := o.Typed.(*corev1.PersistentVolumeClaim); ok {
			bound[claim.Spec.VolumeName] = true
			if claim.Spec.StorageClassName != nil {
				named[*claim.Spec.StorageClassName] = true
			}
		}
	}
	if len(bound) == 0 {
		return
	}
	for _, l := range []listed{{"v1", "PersistentVolume", "persistentvolumes"}, {"storage.k8s.io/v1", "StorageClass", "storageclasses"}} {
		list, err := c.list(ctx, l, "")
		if err != nil {
			continue
		}
		w.Objects = append(w.Objects, slices.DeleteFunc(list, func(o app.Object) bool {
			return o.Kind == "PersistentVolume" && !bound[o.Name] || o.Kind == "StorageClass" && !named[o.Name]
		})...)
	}
}

// images notes what nodes have.
func (c *Client) images(ctx context.Context, live *app.Live) {
	nodes, err := c.list(ctx, listed{"v1", "Node", "nodes"}, "")
	if err != nil {
		live.Lacks = conform.Trim(err.Error())
		return
	}
	for _, o := range nodes {
		n, ok := o.Typed.(*corev1.Node)
		if !ok {
			continue
		}
		for _, i := range n.Status.Images {
			for _, name := range i.Names {
				if i.SizeBytes > live.Images[name].Bytes {
					live.Images[name] = app.Image{Bytes: i.SizeBytes, Node: n.Name}
				}
			}
		}
	}
}

// events notes when readiness probes failed.
func (c *Client) events(ctx context.Context, namespace string, live *app.Live) {
	data, err := c.get(ctx, "/api/v1/namespaces/"+url.PathEscape(namespace)+"/events?fieldSelector="+url.QueryEscape("involvedObject.kind=Pod,reason=Unhealthy"))
	var list corev1.EventList
	if err != nil || json.Unmarshal(data, &list) != nil {
		live.NoEvents = true
		return
	}
	for _, e := range list.Items {
		at := e.LastTimestamp.Time
		if e.Series != nil {
			at = e.Series.LastObservedTime.Time
		}
		uid := string(e.InvolvedObject.UID)
		if strings.HasPrefix(e.Message, "Readiness probe") && at.After(live.Unready[uid]) {
			live.Unready[uid] = at
		}
	}
}

// logBytes is how much of a log is asked for: that there is one, not what it says.
const logBytes = 64

// logs asks for the log of each container of one pod of each controller.
func (c *Client) logs(ctx context.Context, w *app.Workload) {
	for _, o := range w.Objects {
		p, ok := o.Typed.(*corev1.Pod)
		if !ok || p.Status.Phase != corev1.PodRunning {
			continue
		}
		for _, each := range p.Spec.Containers {
			key := app.LogKey(p, each.Name)
			if l, asked := w.Live.Logs[key]; asked && l.Bytes > 0 {
				continue // another pod of the same controller told
			}
			limit := int64(logBytes)
			ctx, cancel := context.WithTimeout(ctx, askTime)
			data, err := c.kube.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{Container: each.Name, LimitBytes: &limit}).DoRaw(ctx)
			cancel()
			l := app.Log{Bytes: len(data)}
			if err != nil {
				l = app.Log{Err: conform.Trim(err.Error())}
			}
			w.Live.Logs[key] = l
		}
	}
}

// release notes which Helm release the namespace holds, by the labels of the
// Secret that Helm keeps; what the Secret holds is not asked for.
func (c *Client) release(ctx context.Context, namespace string, w *app.Workload) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	data, err := c.kube.RESTClient().Get().RequestURI("/api/v1/namespaces/"+url.PathEscape(namespace)+"/secrets?labelSelector="+url.QueryEscape("owner=helm,status=deployed")).
		SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").DoRaw(ctx)
	var list metav1.PartialObjectMetadataList
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	switch {
	case err != nil:
		w.Chart = &app.Chart{Name: namespace, Release: "not told: " + conform.Trim(err.Error())}
		return
	case len(list.Items) == 0:
		return
	}
	labels := list.Items[0].Labels
	w.Chart = &app.Chart{Name: labels["name"], Release: fmt.Sprintf("%s, revision %s", labels["name"], labels["version"])}
}
