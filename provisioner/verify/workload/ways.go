package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// cordon takes a node out of scheduling, or brings it back; the annotation says
// whose cordon it is.
func (c *Client) cordon(ctx context.Context, node string, out bool) error {
	ctx, cancel, err := errand.Whole(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	var mark any
	if out {
		mark = "cordoned"
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{ours: mark}}, "spec": map[string]any{"unschedulable": out}})
	if err != nil {
		return err
	}
	if _, err := c.kube.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("cordon %s %v: %w", node, out, err)
	}
	return nil
}

// cordoned reports whether a node is out of scheduling.
func (c *Client) cordoned(ctx context.Context, node string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	n, err := c.kube.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("look at node %s: %w", node, err)
	}
	return n.Spec.Unschedulable, nil
}

// betweenEvictions is how long a refused eviction is left alone; a budget opens when
// another pod is ready.
const betweenEvictions = 2 * time.Second

// evict asks until the pod may go, as a drain does (Eviction API, policy/v1: 429
// while a PodDisruptionBudget would be broken).
func (c *Client) evict(ctx context.Context, p *corev1.Pod) error {
	for {
		err := c.kube.PolicyV1().Evictions(p.Namespace).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace}})
		switch {
		case err == nil || apierrors.IsNotFound(err):
			return nil
		case !apierrors.IsTooManyRequests(err):
			return fmt.Errorf("evict pod %s: %w", p.Name, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("evict pod %s: it may not go, and was asked for as long as the drain may take: %w", p.Name, err)
		case <-time.After(betweenEvictions):
		}
	}
}

// apiAddresses returns what pods reach the control plane by: the addresses of the
// Service kubernetes, and those behind it.
func (c *Client) apiAddresses(ctx context.Context) ([]string, error) {
	svc, err := c.kube.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("ask for the control plane's addresses: %w", err)
	}
	slices, err := c.kube.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=kubernetes"})
	if err != nil {
		return nil, fmt.Errorf("ask for the control plane's addresses: %w", err)
	}
	all := append([]string{}, svc.Spec.ClusterIPs...)
	for _, s := range slices.Items {
		for _, e := range s.Endpoints {
			for _, a := range e.Addresses {
				if _, err := netip.ParseAddr(a); err == nil {
					all = append(all, a)
				}
			}
		}
	}
	return all, nil
}
