package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
)

// Look returns what the cluster tells of itself and of its nodes, by node name.
// When no API server answers, the reason is in Cluster.Err and the map is nil:
// nothing is known of any node.
func (c *Client) Look(ctx context.Context) (facts.Cluster, map[string]facts.Member) {
	seen := facts.Cluster{VIPs: c.VIPsAnswer(ctx)}
	members, etcdErr := c.Etcd(ctx)
	for _, m := range members {
		seen.EtcdMembers++
		if m.Voter() {
			seen.EtcdHealthy++
		}
	}
	nodes, err := c.nodes(ctx, members)
	if err == nil {
		seen.Objects, seen.Verified, err = c.record(ctx)
	}
	switch {
	case err != nil:
		seen.Err = err.Error()
	case etcdErr != nil:
		seen.Err = etcdErr.Error()
	}
	seen.Answers = err == nil
	return seen, nodes
}

// Nodes returns the cluster's nodes by name. Nodes of the inventory that aren't
// there are told too, as known and not existing.
func (c *Client) Nodes(ctx context.Context) (map[string]facts.Member, error) {
	// Without etcd's word nobody is called a voter.
	members, _ := c.Etcd(ctx)
	return c.nodes(ctx, members)
}

func (c *Client) nodes(ctx context.Context, members []EtcdMember) (map[string]facts.Member, error) {
	s, err := c.server(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*askTime)
	defer cancel()
	list, err := s.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("GET https://%v/api/v1/nodes: %w", s.at, err)
	}
	leases, err := s.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("GET https://%v/apis/coordination.k8s.io/v1/namespaces/%s/leases: %w", s.at, corev1.NamespaceNodeLease, err)
	}
	renewed := map[string]time.Time{}
	for _, l := range leases.Items {
		if l.Spec.RenewTime != nil {
			renewed[l.Name] = l.Spec.RenewTime.Time
		}
	}
	nodes := map[string]facts.Member{}
	for _, n := range c.want.Nodes {
		nodes[n.Name] = facts.Member{Known: true}
	}
	voters := map[string]bool{}
	for _, m := range members {
		voters[m.Name] = m.Voter()
	}
	for _, n := range list.Items {
		m := member(n)
		m.EtcdVoter, m.Renewed = voters[n.Name], renewed[n.Name]
		nodes[n.Name] = m
	}
	return nodes, nil
}

// member reads one node object.
func member(n corev1.Node) facts.Member {
	_, controlPlane := n.Labels["node-role.kubernetes.io/control-plane"]
	m := facts.Member{
		Known: true, Exists: true,
		Image:        n.Labels[kubeadm.LabelImage],
		Generation:   n.Labels[kubeadm.LabelGeneration],
		Zone:         n.Labels[kubeadm.LabelZone],
		ControlPlane: controlPlane,
		NotReady:     "the kubelet hasn't told whether it is ready",
	}
	for _, cond := range n.Status.Conditions {
		if cond.Type == wire.ConditionRootCorrupt && cond.Status == corev1.ConditionTrue {
			m.Corrupt = cond.Message
		}
		if cond.Type == wire.ConditionKernelLine && cond.Status == corev1.ConditionTrue {
			m.Line = cond.Message
		}
		if cond.Type != corev1.NodeReady {
			continue
		}
		m.Ready = cond.Status == corev1.ConditionTrue
		m.NotReady = ""
		if !m.Ready {
			m.NotReady = fmt.Sprintf("%s: %s (since %s)", cond.Reason, cond.Message, cond.LastTransitionTime.UTC().Format(time.TimeOnly))
		}
	}
	return m
}

// VIPsAnswer tells for each virtual address whether an API server of this
// cluster answers /readyz there with 200, certified by the cluster's authority
// for the endpoint's name.
func (c *Client) VIPsAnswer(ctx context.Context) map[netip.Addr]bool {
	answers := map[netip.Addr]bool{}
	done := make(chan struct {
		vip netip.Addr
		ok  bool
	})
	vips := c.want.Kubernetes.Endpoint.VIPs
	for _, vip := range vips {
		go func() {
			ok := c.vipAnswers(ctx, vip)
			done <- struct {
				vip netip.Addr
				ok  bool
			}{vip, ok}
		}()
	}
	for range vips {
		d := <-done
		answers[d.vip] = d.ok
	}
	return answers
}
