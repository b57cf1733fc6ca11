package mutate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Grow returns the snapshot of a cluster with as many nodes, for reports of large
// sites: the last node of the snapshot again and again, with its pods, kubelet,
// facts and host, each with a name ("w-007") and an address of its own, and not
// quite as much memory as the one before, as real machines have it.
func Grow(s conform.Snapshot, nodes int) (conform.Snapshot, error) {
	s.Told, s.Kubelets, s.Facts = maps.Clone(s.Told), maps.Clone(s.Kubelets), maps.Clone(s.Facts)
	s.Nodes, s.Pods, s.CSINodes = slices.Clone(s.Nodes), slices.Clone(s.Pods), slices.Clone(s.CSINodes)
	if s.Hosts != nil {
		hosts := *s.Hosts
		hosts.Hosts = maps.Clone(hosts.Hosts)
		s.Hosts = &hosts
	}
	if s.Want != nil {
		want := *s.Want
		want.Nodes = slices.Clone(want.Nodes)
		s.Want = &want
	}
	for i := len(s.Nodes); i < nodes; i++ {
		if err := grow(&s, fmt.Sprintf("w-%03d", i), i); err != nil {
			return s, err
		}
	}
	return s, nil
}

// grow adds a node like the last one.
func grow(s *conform.Snapshot, name string, i int) error {
	model := s.Nodes[len(s.Nodes)-1]
	at := fmt.Sprintf("10.18.%d.%d", i/250, i%250+1)
	words := strings.NewReplacer(`"`+model.Name+`"`, `"`+name+`"`, `"`+model.Status.Addresses[0].Address+`"`, `"`+at+`"`)
	node, err := renamed(model, words)
	if err != nil {
		return err
	}
	if memory, ok := node.Status.Capacity[corev1.ResourceMemory]; ok {
		memory.Sub(resource.MustParse("4Ki"))
		node.Status.Capacity[corev1.ResourceMemory] = memory
	}
	s.Nodes = append(s.Nodes, node)
	for _, p := range slices.Clone(s.Pods) {
		if p.Spec.NodeName != model.Name {
			continue
		}
		pod, err := renamed(p, words)
		if err != nil {
			return err
		}
		pod.Name = p.GenerateName + name
		s.Pods = append(s.Pods, pod)
	}
	for _, c := range s.CSINodes {
		if c.Name == model.Name {
			c.Name = name
			s.CSINodes = append(s.CSINodes, c)
			break
		}
	}
	tellOf(s, model.Name, name)
	return nil
}

// tellOf gives a node what was told of another one.
func tellOf(s *conform.Snapshot, model, name string) {
	s.Kubelets[name], s.Facts[name] = s.Kubelets[model], s.Facts[model]
	for _, part := range []func(string) conform.Part{conform.KubeletOf, conform.FactsOf} {
		if at, ok := s.Told[part(model)]; ok {
			s.Told[part(name)] = at
		}
	}
	if s.Hosts != nil {
		s.Hosts.Hosts[name] = s.Hosts.Hosts[model]
	}
	if s.Want == nil {
		return
	}
	if i := slices.IndexFunc(s.Want.Nodes, func(n inventory.Node) bool { return n.Name == model }); i >= 0 {
		n := s.Want.Nodes[i]
		n.Name = name
		s.Want.Nodes = append(s.Want.Nodes, n)
	}
}

// renamed returns a copy of a value in which words are replaced.
func renamed[T any](value T, words *strings.Replacer) (T, error) {
	var out T
	data, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal([]byte(words.Replace(string(data))), &out)
	}
	return out, err
}
