package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

// Forget removes what an earlier life of a host left in the cluster, so that a
// freshly installed node can join: etcd members that never started, the host's
// own old member, and its node object (a kubelet that finds one doesn't renew
// the labels that say what it runs). It returns what it removed.
//
// It is only for a host that has not begun to join, when no other is joining:
// a joining member looks like one that never started.
//
// It refuses to remove a member when less than a majority would be left.
func (c *Client) Forget(ctx context.Context, node inventory.Node) ([]string, error) {
	var removed []string
	if node.ControlPlane {
		gone, err := c.removeMembers(ctx, node)
		removed = append(removed, gone...)
		if err != nil {
			return removed, err
		}
	}
	gone, err := c.deleteNode(ctx, node.Name)
	return append(removed, gone...), err
}

func (c *Client) removeMembers(ctx context.Context, node inventory.Node) ([]string, error) {
	client, err := c.etcdClient(c.etcdEndpoints()...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	members, err := c.members(ctx, client)
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, m := range stale(members, node) {
		left, voters := 0, 0
		for _, other := range members {
			if other.ID != m.ID && !other.Learner {
				left++
				if other.Voter() {
					voters++
				}
			}
		}
		if !m.Learner && voters <= left/2 {
			return removed, fmt.Errorf("remove the etcd member %s (%s): %d of the other %d members are healthy, which is no majority; start the others first", name(m), m.Peer, voters, left)
		}
		asking, cancel := context.WithTimeout(ctx, 2*askTime)
		_, err := client.MemberRemove(asking, m.ID)
		cancel()
		if err != nil {
			return removed, fmt.Errorf("remove the etcd member %s (%s): %w", name(m), m.Peer, err)
		}
		removed = append(removed, fmt.Sprintf("etcd member %s (%s, %s)", name(m), m.Peer, m.Err))
		members = slices.DeleteFunc(members, func(other EtcdMember) bool { return other.ID == m.ID })
	}
	return removed, nil
}

// stale returns the members that are no use: never started, or of the node that
// is about to begin anew. Those that never started come first, as they count
// against the quorum.
func stale(members []EtcdMember, node inventory.Node) []EtcdMember {
	var never, old []EtcdMember
	for _, m := range members {
		switch {
		case m.Name == "":
			never = append(never, m)
		case m.Name == node.Name || peerOf(m, node):
			old = append(old, m)
		}
	}
	return append(never, old...)
}

// peerOf reports whether m's peer URL is at an address of node.
func peerOf(m EtcdMember, node inventory.Node) bool {
	u, err := url.Parse(m.Peer)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(node.Addresses, func(a netip.Prefix) bool { return a.Addr().String() == u.Hostname() })
}

func name(m EtcdMember) string {
	if m.Name == "" {
		return "that has no name yet"
	}
	return m.Name
}

// deleteNode deletes a node object, if there is one.
func (c *Client) deleteNode(ctx context.Context, node string) ([]string, error) {
	s, err := c.server(ctx)
	if err != nil {
		return nil, fmt.Errorf("forget node %s: %w", node, err)
	}
	err = s.client.CoreV1().Nodes().Delete(ctx, node, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("DELETE https://%v/api/v1/nodes/%s: %w", s.at, node, err)
	}
	return []string{"node object " + node}, nil
}
