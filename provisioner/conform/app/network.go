package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// Names of the Network Plumbing Working Group's specification for attachments
// (multi-network CRD, v1.3).
const (
	networksKey = "k8s.v1.cni.cncf.io/networks"
	resourceKey = "k8s.v1.cni.cncf.io/resourceName"
	statusKey   = "k8s.v1.cni.cncf.io/network-status"
	netKind     = "NetworkAttachmentDefinition"
)

// deviceFolders of a node lead past the API to network cards and accelerators.
func deviceFolders() []string {
	return []string{"/dev", "/sys/class/net", "/sys/bus/pci", "/sys/devices", "/var/run/netns", "/run/netns"}
}

// backDoor returns the path of the node by which a volume leads to a device.
func backDoor(v corev1.Volume) string {
	if v.HostPath == nil {
		return ""
	}
	host := path.Clean("/" + v.HostPath.Path)
	for _, folder := range deviceFolders() {
		if host == folder || strings.HasPrefix(host, folder+"/") || strings.HasPrefix(folder, strings.TrimSuffix(host, "/")+"/") {
			return v.HostPath.Path
		}
	}
	return ""
}

// attachments judges ra2.app.006.
func attachments(s subject) []conform.Finding {
	const want = "networks beside the default one are asked for by annotation, or as resources"
	found := s.eachPod(want, "name the attachment in the annotation "+networksKey+", and its resource in requests and limits", func(p pod, n *notes) {
		for i, v := range p.spec.Volumes {
			if at := backDoor(v); at != "" && !strings.HasPrefix(at, "/dev/") {
				n.fails(fmt.Sprintf(".spec.volumes[%d].hostPath.path", i), at)
			}
		}
		if p.spec.HostNetwork {
			n.fails(".spec.hostNetwork", "true: all networks of the node, and none was asked for")
		}
		if text, ok := p.meta.Annotations[networksKey]; ok {
			n.annotation(text)
		}
		for _, r := range p.extended() {
			n.passes(r.path, r.name)
		}
	})
	return orNone(found, "no pod has a network beside the default one")
}

// annotation notes whether the attachments of a pod can be understood.
func (n *notes) annotation(text string) {
	at := ".metadata.annotations." + strings.ReplaceAll(networksKey, ".", `\.`)
	if _, err := networks(text); err != nil {
		n.fails(at, fmt.Sprintf("%s (%v)", text, err))
		return
	}
	n.passes(at, text)
}

// attachmentName is one attachment in its short form: namespace/name@interface.
var attachmentName = regexp.MustCompile(`^(?:[a-z0-9]([-a-z0-9]*[a-z0-9])?/)?([a-z0-9]([-a-z0-9.]*[a-z0-9])?)(?:@[^/\s]{1,15})?$`)

// networks returns the names that the annotation holds: a JSON list, or names
// between commas.
func networks(text string) ([]string, error) {
	text = strings.TrimSpace(text)
	var out []string
	if strings.HasPrefix(text, "[") {
		var list []struct{ Name string }
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, fmt.Errorf("no list of attachments: %w", err)
		}
		for _, a := range list {
			out = append(out, a.Name)
		}
	} else {
		for name := range strings.SplitSeq(text, ",") {
			out = append(out, strings.TrimSpace(name))
		}
	}
	for i, name := range out {
		m := attachmentName.FindStringSubmatch(name)
		if m == nil {
			return nil, fmt.Errorf("%q is no name of an attachment", name)
		}
		out[i] = m[2]
	}
	return out, nil
}

// extended is one extended resource that a container asks for.
type extended struct {
	path string // of the limit
	name string // "intel.com/sriov_vf"
}

// extended returns the resources that aren't Kubernetes' own.
func (p pod) extended() []extended {
	var all []extended
	for c := range p.containers() {
		for _, name := range slices.Sorted(maps.Keys(c.Resources.Limits)) {
			if strings.Contains(string(name), "/") && !strings.Contains(string(name), "kubernetes.io/") {
				all = append(all, extended{c.path + ".resources.limits", string(name)})
			}
		}
	}
	return all
}

// devices judges ra2.app.009.
func devices(s subject) []conform.Finding {
	needed := s.networkResources()
	found := s.eachPod("a device is asked for by the resource of its device plugin", "name the resource in the container's requests and limits, and mount no device of the node", func(p pod, n *notes) {
		for i, v := range p.spec.Volumes {
			if at := backDoor(v); at != "" {
				n.fails(fmt.Sprintf(".spec.volumes[%d].hostPath.path", i), at)
			}
		}
		names, _ := networks(p.meta.Annotations[networksKey])
		for _, name := range names {
			resource := needed[name]
			if resource == "" {
				continue
			}
			if !p.limits(resource) {
				n.fails(".spec.containers[0].resources.limits", fmt.Sprintf("no %s, which the attachment %s has", resource, name))
			}
		}
		if status := p.meta.Annotations[statusKey]; strings.Contains(status, `"pci-address"`) && len(p.extended()) == 0 {
			n.fails(".spec.containers[0].resources.limits", "no extended resource, and "+statusKey+" shows a device")
		}
		for _, r := range p.extended() {
			n.passes(r.path, r.name)
		}
		for c := range p.containers() {
			for i, claim := range c.Resources.Claims {
				n.passes(fmt.Sprintf("%s.resources.claims[%d]", c.path, i), claim.Name)
			}
		}
	})
	return orNone(found, "no pod uses a device: none asks for an extended resource, has an attachment with one, or mounts one")
}

// networkResources returns the resource of each attachment that has one.
func (s subject) networkResources() map[string]string {
	out := map[string]string{}
	for _, o := range s.Objects {
		if o.Kind == netKind {
			out[o.Name] = o.Tree.Text("metadata", "annotations", resourceKey)
		}
	}
	return out
}

func (p pod) limits(resource string) bool {
	for c := range p.containers() {
		q, ok := c.Resources.Limits[corev1.ResourceName(resource)]
		if ok && !q.IsZero() {
			return true
		}
	}
	return false
}

// plugins judges ra2.app.015. Since Kubernetes 1.24 a kubelet has no network but
// that of CNI, behind the CRI; what can go wrong is an attachment that no CNI
// runtime understands, and objects that only one plugin knows.
func plugins(s subject) []conform.Finding {
	const want = "the network is one of CNI, and of no single plugin"
	single := []string{"cilium.io", "projectcalico.org", "crd.projectcalico.org", "crd.antrea.io", "kubeovn.io", "k8s.ovn.org"}
	var all []conform.Finding
	for _, o := range s.Objects {
		n := &notes{object: o, at: s.Time}
		if group, _, _ := strings.Cut(o.APIVersion, "/"); slices.Contains(single, group) {
			n.fails(".apiVersion", o.APIVersion+": one plugin's own")
		}
		if o.Kind == netKind {
			n.attachment(o)
		}
		if !n.empty() {
			all = append(all, n.finding(want, "use NetworkPolicy and attachments, which all plugins know"))
		}
	}
	return append(all, s.eachPod(want, "", func(p pod, n *notes) {
		if !p.spec.HostNetwork {
			n.passes(".spec.hostNetwork", "false: its network is the cluster's, by CNI")
		}
	})...)
}

// attachment notes whether a network's configuration is one of CNI
// (specification 1.0.0, "Section 1").
func (n *notes) attachment(o Object) {
	config := o.Tree.Text("spec", "config")
	if config == "" { // a file of this name on each node
		n.doubts(".spec.config", unset, "the node's file for the network "+o.Name+" in /etc/cni/net.d")
		return
	}
	var conf struct {
		CNIVersion string            `json:"cniVersion"`
		Type       string            `json:"type"`
		Plugins    []json.RawMessage `json:"plugins"`
	}
	switch err := json.Unmarshal([]byte(config), &conf); {
	case err != nil:
		n.fails(".spec.config", "no JSON: "+err.Error())
	case conf.Type == "" && len(conf.Plugins) == 0:
		n.fails(".spec.config", "neither type nor plugins: "+config)
	default:
		n.passes(".spec.config", config)
	}
}
