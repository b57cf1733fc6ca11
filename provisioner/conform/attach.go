package conform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// multiplexed judges where a multiplexer of pod networks is deployed; else the
// row doesn't apply.
func multiplexed(judge func(Snapshot) []Finding) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		if len(s.find(roleMultiplexer)) == 0 {
			return []Finding{s.absent(roleMultiplexer)}
		}
		return judge(s)
	}
}

// attaches reports whether a type is there by which pods ask for further
// networks: Kubernetes itself has none.
func (s Snapshot) attaches() (CustomType, bool) {
	for _, name := range []string{attachments, "danmnets.danm.io", "clusternetworks.danm.io", "tenantnetworks.danm.io"} {
		if c, ok := s.customType(name); ok {
			return c, true
		}
	}
	return CustomType{}, false
}

const deployMultus = "deploy Multus (or its equal) and the attachments' plugins"

// fiveAttachments is ra2.ntw.003.
func fiveAttachments(s Snapshot) []Finding {
	const want = "a pod gets five networks beside the default one"
	dra := slices.ContainsFunc(s.controllers(), func(c controller) bool {
		return slices.ContainsFunc(c.pod.Containers, func(b corev1.Container) bool { return strings.Contains(b.Image, "dranet") })
	})
	if _, can := s.attaches(); !can && !dra && len(s.find(roleMultiplexer)) == 0 {
		return []Finding{bad("", want, "nothing here attaches a second network: no multiplexer, and no type NetworkAttachmentDefinition", deployMultus,
			s.saw(CustomTypes, "customresourcedefinitions", ".items[*].metadata.name", fmt.Sprintf("%d definitions, none of networks", len(s.CustomTypes))))}
	}
	return []Finding{s.byProbe(ProbeAttachments, want, "see the log of the multiplexer on the pod's node, and the attachments that it names")}
}

// requested is ra2.ntw.004: where pods can have further networks, the type
// stands for how they ask, by an annotation or by resources.
func requested(s Snapshot) []Finding {
	const want = "pods ask for further networks by annotations or resources"
	c, can := s.attaches()
	if !can {
		return []Finding{bad("", want, "they can't ask at all: there is no type of such networks", deployMultus, s.saw(CustomTypes, "customresourcedefinitions", ".items[*].metadata.name", "none of networks"))}
	}
	return []Finding{ok("", want, "by an annotation that names objects of "+c.Name(), s.saw(CustomTypes, "customresourcedefinition/"+c.Name(), ".spec.names.kind", c.Kind))}
}

// multiplexer is ra2.ntw.005, a may.
func multiplexer(s Snapshot) []Finding {
	found := s.find(roleMultiplexer)
	if len(found) == 0 {
		return []Finding{s.absent(roleMultiplexer)}
	}
	var all []Finding
	for _, d := range found {
		all = append(all, either(d.ready, d.object, "all of its pods ready", fmt.Sprintf("%s, ready: %v", d.product, d.ready), "see why they aren't: "+Kubectl(d.object, "")+" -o wide, and kubectl describe its pods", s.saying([]deployed{d})...))
	}
	return all
}

// throughCNI is ra2.ntw.006: the first configuration of each node is the
// multiplexer's.
func throughCNI(s Snapshot) []Finding {
	const want = "the multiplexer is the CNI plugin that the runtime calls"
	return s.each(func(n corev1.Node) Finding {
		told, lack := s.toldBy(n, want)
		if lack != nil {
			lack.Missing = lack.Missing[:1]
			return *lack
		}
		if len(told.CNI.Configs) == 0 {
			return untold(n, want, "its CNI configurations")
		}
		first := told.CNI.Configs[0]
		good := slices.ContainsFunc(first.Types, func(t string) bool { return strings.HasPrefix(t, "multus") || t == "danm" })
		return either(good, ofNode(n), want, first.File+": "+few(first.Types), "see why the multiplexer didn't write its configuration: the log of its pod on this node, and which file comes first in /etc/cni/net.d", s.heard(n.Name, "ls /etc/cni/net.d", first.File))
	})
}

// plugin is what a NetworkAttachmentDefinition's configuration holds.
type plugin struct {
	CNIVersion string                `json:"cniVersion"`
	Type       string                `json:"type"`
	IPAM       struct{ Type string } `json:"ipam"`
	Plugins    []plugin              `json:"plugins"`
}

// types returns the plugins that a configuration calls.
func (p plugin) all() []plugin {
	if len(p.Plugins) > 0 {
		return p.Plugins
	}
	return []plugin{p}
}

// attachment is one NetworkAttachmentDefinition, read.
type attachment struct {
	object, config string
	plugin         plugin
	err            error
}

func (s Snapshot) attachments() []attachment {
	var all []attachment
	for _, o := range s.Custom[attachments] {
		a := attachment{object: "network-attachment-definition/" + o.Text("metadata", "namespace") + "/" + o.Text("metadata", "name"), config: o.Text("spec", "config")}
		if a.config != "" { // else the plugin has a file on the node
			a.err = json.Unmarshal([]byte(a.config), &a.plugin)
		}
		all = append(all, a)
	}
	return all
}

// attachmentConfigs is ra2.ntw.009: each attachment is a CNI configuration.
func attachmentConfigs(s Snapshot) []Finding {
	var all []Finding
	for _, a := range s.attachments() {
		var types []string
		for _, p := range a.plugin.all() {
			types = append(types, p.Type)
		}
		good := a.err == nil && (a.config == "" || a.plugin.CNIVersion != "" && !slices.Contains(types, ""))
		all = append(all, either(good, a.object, "a CNI configuration with a version and a type", fmt.Sprintf("version %s, type %s", orNone(a.plugin.CNIVersion), orNone(few(types))),
			"correct the object's spec.config", s.saw(CustomOf(attachments), a.object, ".spec.config", a.config)))
	}
	if all == nil {
		return []Finding{notApplicable("no NetworkAttachmentDefinition is there yet", s.saw(CustomOf(attachments), "network-attachment-definitions", "", "none"))}
	}
	return all
}

// addressManagement is ra2.ntw.015: addresses of further networks are given
// out for the whole cluster. host-local gives them out on each node by itself.
func addressManagement(s Snapshot) []Finding {
	const want = "a cluster-wide address management for further networks"
	var all []Finding
	for _, a := range s.attachments() {
		for _, p := range a.plugin.all() {
			if p.IPAM.Type == "host-local" {
				all = append(all, bad(a.object, want, "host-local, which is each node's own", "use whereabouts", s.saw(CustomOf(attachments), a.object, ".spec.config", a.config)))
			}
		}
	}
	if all != nil {
		return all
	}
	if _, done := s.probe(ProbeIPAM); done {
		return []Finding{s.byProbe(ProbeIPAM, want, "see the pools of whereabouts: kubectl get ippools.whereabouts.cni.cncf.io -A -o yaml")}
	}
	_, pools := s.customType(whereaboutsPools)
	found := s.find(roleIPAM)
	return []Finding{either(pools || len(found) > 0, "", want, orNone(productsOf(found)), "deploy whereabouts", s.saw(CustomTypes, "customresourcedefinitions", ".items[*].metadata.name", fmt.Sprintf("%s served: %v", whereaboutsPools, pools)))}
}

// networkDefinitions is ra2.ntw.016: the type of the multi-net specification,
// in the version that it has.
func networkDefinitions(s Snapshot) []Finding {
	c, ok := s.customType(attachments)
	return []Finding{either(ok && slices.Contains(c.Versions, "v1"), "", attachments+" served as v1", orNone(few(c.Versions)), deployMultus,
		s.saw(CustomTypes, "customresourcedefinition/"+attachments, ".spec.versions[*].name", c.Versions))}
}
