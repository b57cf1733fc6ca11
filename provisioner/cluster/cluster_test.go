package cluster

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
)

// With nobody there, the facts say so with each address and its reason.
func TestNobodyAnswers(t *testing.T) {
	pki, err := kubeadm.NewPKI(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(site(freePort(t)), pki, rand.Reader, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c.etcdPort = freePort(t)
	seen, nodes := c.Look(t.Context())
	if seen.Answers || nodes != nil {
		t.Errorf("%+v, %v", seen, nodes)
	}
	for _, want := range []string{"https://127.0.0.1:", "https://192.0.2.9:", "/readyz", "connection refused"} {
		if !strings.Contains(seen.Err, want) {
			t.Errorf("%q doesn't say %q", seen.Err, want)
		}
	}
}

func TestStale(t *testing.T) {
	node := site(6443).Nodes[1] // cp-a, 127.0.0.1
	members := []EtcdMember{
		{ID: 1, Name: "cp-b", Peer: "https://127.0.0.2:2380"},
		{ID: 2, Name: "renamed", Peer: "https://127.0.0.1:2380"},
		{ID: 3, Name: "cp-a", Peer: "https://127.0.0.7:2380"},
		{ID: 4, Peer: "https://127.0.0.3:2380"},
	}
	var got []uint64
	for _, m := range stale(members, node) {
		got = append(got, m.ID)
	}
	if len(got) != 3 || got[0] != 4 || got[1] != 2 || got[2] != 3 {
		t.Errorf("stale: %v", got)
	}
}

func TestMemberWithoutCondition(t *testing.T) {
	if m := member(corev1.Node{}); m.Ready || m.NotReady == "" {
		t.Errorf("%+v", m)
	}
}

// What a node says is wrong with itself is taken from its conditions, and only
// while they are True.
func TestMemberSaysWhatIsWrong(t *testing.T) {
	for status, want := range map[corev1.ConditionStatus]string{corev1.ConditionTrue: "block 7, no iommu=pt", corev1.ConditionFalse: ", ", corev1.ConditionUnknown: ", "} {
		m := member(corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: wire.ConditionRootCorrupt, Status: status, Message: "block 7"},
			{Type: wire.ConditionKernelLine, Status: status, Message: "no iommu=pt"},
			{Type: corev1.NodeReady, Status: corev1.ConditionTrue},
		}}})
		if got := m.Corrupt + ", " + m.Line; got != want || !m.Ready {
			t.Errorf("%s: %+v", status, m)
		}
	}
}

func TestExcerpt(t *testing.T) {
	got := excerpt([]byte("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n"))
	if got != " ([-]etcd failed: reason withheld)" {
		t.Errorf("%q", got)
	}
}
