package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// EtcdMember is one member of etcd as the others and itself tell.
type EtcdMember struct {
	ID      uint64
	Name    string // of the node; empty while it has never started
	Peer    string // first peer URL
	Learner bool
	Healthy bool   // it answers and has no alarm or error of its own
	Err     string // why it isn't healthy
}

// Voter reports whether the member counts for the quorum and does its part.
func (m EtcdMember) Voter() bool { return m.Name != "" && !m.Learner && m.Healthy }

// Etcd returns the members of etcd, sorted by name and peer; those without a
// name come first.
func (c *Client) Etcd(ctx context.Context) ([]EtcdMember, error) {
	client, err := c.etcdClient(c.etcdEndpoints()...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return c.members(ctx, client)
}

func (c *Client) members(ctx context.Context, client *clientv3.Client) ([]EtcdMember, error) {
	asking, cancel := context.WithTimeout(ctx, 2*askTime)
	defer cancel()
	list, err := client.MemberList(asking)
	if err != nil {
		return nil, fmt.Errorf("list etcd's members at %s: %w", strings.Join(client.Endpoints(), ", "), err)
	}
	members := make([]EtcdMember, len(list.Members))
	var wait sync.WaitGroup
	for i, m := range list.Members {
		members[i] = EtcdMember{ID: m.ID, Name: m.Name, Learner: m.IsLearner, Err: "it has never started"}
		if len(m.PeerURLs) > 0 {
			members[i].Peer = m.PeerURLs[0]
		}
		if len(m.ClientURLs) > 0 {
			wait.Go(func() {
				if members[i].Err = c.ill(ctx, m.ClientURLs[0]); members[i].Err == "" {
					members[i].Healthy = true
				}
			})
		}
	}
	wait.Wait()
	slices.SortFunc(members, func(a, b EtcdMember) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Peer, b.Peer)) })
	return members, nil
}

// ill returns why the member at this client URL isn't healthy, or nothing.
func (c *Client) ill(ctx context.Context, at string) string {
	client, err := c.etcdClient(at)
	if err != nil {
		return err.Error()
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	status, err := client.Status(ctx, at)
	switch {
	case err != nil:
		return fmt.Sprintf("ask %s for its status: %v", at, err)
	case len(status.Errors) > 0:
		return strings.Join(status.Errors, "; ")
	case status.Leader == 0:
		return at + " knows no leader"
	}
	return ""
}

// etcdEndpoints returns the client URLs of all wanted control planes.
func (c *Client) etcdEndpoints() []string {
	var urls []string
	for _, n := range c.want.Nodes {
		if n.ControlPlane && len(n.Addresses) > 0 {
			urls = append(urls, "https://"+net.JoinHostPort(n.Addresses[0].Addr().String(), strconv.Itoa(int(c.etcdPort))))
		}
	}
	return urls
}

func (c *Client) etcdClient(endpoints ...string) (*clientv3.Client, error) {
	if len(endpoints) == 0 {
		return nil, errors.New("ask etcd: the inventory has no control plane with an address")
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, TLS: c.etcd, DialTimeout: askTime, Logger: zap.NewNop()})
	if err != nil {
		return nil, fmt.Errorf("ask etcd at %s: %w", strings.Join(endpoints, ", "), err)
	}
	return client, nil
}
