package conform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// platform binds the rows about platform services. What is deployed is
// detected; what isn't makes its rows not applicable.
func platform() map[string]binding {
	rows := map[string]binding{
		"ra2.plat.003": behaviour(balanced(loadBalancerService), workloadParts(Services)...),
		"ra2.plat.004": byBalancer(ProbeScale, "flows follow 1, 5, 2 backends behind one address"),
		"ra2.plat.005": behaviour(balanced(failover), workloadParts(Services)...),
		"ra2.plat.006": byBalancer(ProbeZone, "it scales and recovers within one zone"),
		"ra2.plat.007": byBalancer(ProbeBalance, "TCP and UDP flows to one address land on two pods or more"),
		"ra2.plat.008": setting(balanced(roundRobin), workloadParts(Services, Config)...),
		"ra2.plat.009": byBalancer(ProbeBalancerLogs, "it logs its events with a severity"),
		"ra2.plat.010": byBalancer(ProbeHealth, "a backend that isn't ready gets no flow"),
		"ra2.plat.011": byBalancer(ProbeDirectReturn, "answers come straight from the backend's node"),
		"ra2.plat.012": byBalancer(ProbeStateful, "a long TCP flow outlives added and removed backends"),
		"ra2.plat.013": byBalancer(ProbeUDP, "an echo by UDP through a Service address"),
		"ra2.plat.014": byBalancer(ProbeFragments, "fragmented UDP comes back whole"),
		"ra2.plat.015": setting(mesh, workloadParts(CustomTypes)...),
		"ra2.plat.030": setting(packages, workloadParts(Pods)...),
		"ra2.plat.037": behaviour(ingressAndEgress, workloadParts(IngressClasses, CustomTypes)...),
	}
	for id, what := range map[string]string{
		"001": "any open-source data store", "002": "any open-source messaging technology", "016": "any open-source monitoring technology", "017": "any open-source logging technology",
		"031": "any open-source CI/CD technology", "032": "any open-source ingress or egress controller", "033": "any open-source ingress or egress controller (it repeats ra2.plat.032)",
		"041": "any open-source network service technology", "042": "any open-source coordination technology", "043": "any open-source automation technology",
		"044": "any open-source key management technology", "045": "any open-source tracing technology",
	} {
		rows["ra2.plat."+id] = permits(what)
	}
	for id, want := range map[string]string{
		"034": "egress traffic has fixed source addresses", "035": "several source addresses at once", "036": "the client's address can be preserved",
		"038": "egress is routed and isolated by type of traffic", "039": "egress is tagged with VLANs", "040": "overlapping destination addresses are kept apart",
	} {
		rows["ra2.plat."+id] = behaviour(egress(id, want), workloadParts(CustomTypes)...)
	}
	maps.Copy(rows, logging())
	return rows
}

// balanced judges where a load balancer is offered.
func balanced(judge func(Snapshot) []Finding) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		if _, there := s.balancer(); !there {
			f := s.absent(roleLoadBalancer)
			f.Got += ", and no Service of type LoadBalancer has an address (that there has to be one is ra2.ntw.017)"
			return []Finding{f}
		}
		return judge(s)
	}
}

// byBalancer judges a load balancer by one probe.
func byBalancer(probe, want string) binding {
	return behaviour(balanced(probed(probe, want, "use a load balancer that does, or waive the row")), workloadParts(Services)...)
}

// roundRobin is ra2.plat.008, read literally: only kube-proxy's IPVS mode goes
// round; iptables and nftables choose by chance.
func roundRobin(s Snapshot) []Finding {
	const want = "backends in turn"
	if _, done := s.probe(ProbeRoundRobin); done {
		return []Finding{s.byProbe(ProbeRoundRobin, want, "waive the row: a choice by chance spreads load as well")}
	}
	text := s.config("kube-proxy")["config.conf"]
	if text == "" {
		return []Finding{s.missing("", want, ProbeOf(ProbeRoundRobin))}
	}
	mode, scheduler := field(text, "mode"), field(text, "scheduler")
	good := mode == "ipvs" && (scheduler == "" || scheduler == "rr")
	return []Finding{either(good, "", want, "kube-proxy in mode "+orNone(mode)+", which "+map[bool]string{true: "goes round", false: "chooses by chance"}[good],
		"waive the row: a choice by chance spreads load as well", s.saw(Config, "configmap/kube-system/kube-proxy", ".data.config\\.conf", "mode: "+mode))}
}

// field returns the value of a line "name: value" of a configuration, whatever
// it stands in.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && key == name {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// mesh is ra2.plat.015: the Service Mesh Interface, which the CNCF archived in
// October 2023.
func mesh(s Snapshot) []Finding {
	found := s.find(roleMesh)
	if len(found) == 0 {
		return []Finding{s.absent(roleMesh)}
	}
	i := slices.IndexFunc(s.CustomTypes, func(c CustomType) bool { return strings.HasSuffix(c.Group, ".smi-spec.io") })
	got := productsOf(found) + ", and no type of smi-spec.io"
	if i >= 0 {
		got = productsOf(found) + ", with " + s.CustomTypes[i].Name()
	}
	return []Finding{either(i >= 0, "", "a mesh that implements the Service Mesh Interface", got, "waive the row: the interface was archived in 2023, Gateway API took its place", s.saying(found)...)}
}

// packages is ra2.plat.030, which asks for section 4.9: ra2.pkg.001 and 002.
func packages(s Snapshot) []Finding { return append(noTiller(s), byHelm(s)...) }

// egresses returns what controls egress: a product, or a type of objects.
func (s Snapshot) egresses() []Evidence {
	seen := s.saying(s.find(roleEgress))
	for _, name := range []string{ciliumEgress, "egressips.k8s.ovn.org", "egresses.crd.antrea.io", "vpc-egress-gateways.kubeovn.io"} {
		if c, ok := s.customType(name); ok {
			seen = append(seen, s.saw(CustomTypes, "customresourcedefinition/"+c.Name(), ".spec.names.kind", c.Kind))
		}
	}
	return seen
}

// egress judges a row about egress controllers, where there is one.
func egress(id, want string) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		seen := s.egresses()
		if len(seen) == 0 {
			f := s.absent(roleEgress)
			f.Got += ", nor among the custom resources"
			return []Finding{f}
		}
		f := s.byProbe(ProbeEgress+"-"+id, want, "use an egress controller that does, or waive the row")
		f.Evidence = append(f.Evidence, seen...)
		return []Finding{f}
	}
}

// ingressAndEgress is ra2.plat.037, asked where both are offered.
func ingressAndEgress(s Snapshot) []Finding {
	if len(s.IngressClasses) == 0 {
		return []Finding{notApplicable("no ingress controller is offered: there is no IngressClass", s.saw(IngressClasses, "ingressclasses", ".items[*].metadata.name", "none"))}
	}
	return egress("037", "one address for ingress and egress")(s)
}

// logging binds the rows about logging frameworks.
func logging() map[string]binding {
	rows := map[string]binding{}
	for id, want := range map[string]string{
		"018": "lines of every node and of pods on each are found in the store", "019": "logs are rotated at set intervals", "021": "logs are kept for set times, by type",
		"022": "the integrity of logs is guarded", "023": "rotation and archiving are watched", "024": "the logging state of every source is watched",
		"026": "it can be reconfigured", "027": "anomalies of its own settings are reported", "028": "entries of several logs are correlated by event", "029": "entries are correlated by logged values",
	} {
		rows["ra2.plat."+id] = behaviour(logged(probed(ProbeLogs+"-"+id, want, "use a logging framework that does, or waive the row")), workloadParts()...)
	}
	rows["ra2.plat.020"] = setting(logged(rotatedBySize), workloadParts(Nodes)...)
	rows["ra2.plat.025"] = setting(logged(oneTime), workloadParts(Nodes)...)
	return rows
}

// logged judges where a logging framework is deployed.
func logged(judge func(Snapshot) []Finding) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		if len(s.find(roleLogging)) == 0 {
			return []Finding{s.absent(roleLogging)}
		}
		return judge(s)
	}
}

// rotatedBySize is ra2.plat.020: each kubelet rotates container logs that
// reach a size.
func rotatedBySize(s Snapshot) []Finding {
	const want = "container logs that are rotated by size"
	return s.each(func(n corev1.Node) Finding {
		c, lack := s.configured(n, want)
		if lack != nil {
			return *lack
		}
		files := int32(0)
		if c.ContainerLogMaxFiles != nil {
			files = *c.ContainerLogMaxFiles
		}
		return either(c.ContainerLogMaxSize != "" && files > 1, ofNode(n), want, fmt.Sprintf("%s, %d files", orNone(c.ContainerLogMaxSize), files), "set containerLogMaxSize of the kubelet",
			s.configz(n, "containerLogMaxSize", c.ContainerLogMaxSize))
	})
}

// oneTime is ra2.plat.025: the clocks of all nodes follow one source.
func oneTime(s Snapshot) []Finding {
	const want = "a clock that follows the source that all follow"
	sources := map[string][]string{}
	all := s.each(func(n corev1.Node) Finding {
		told, lack := s.toldBy(n, want)
		if lack != nil {
			lack.Missing = lack.Missing[:1]
			return *lack
		}
		if told.Time.Synced == nil {
			return untold(n, want, "whether its clock is synchronised")
		}
		if *told.Time.Synced {
			sources[told.Time.Source] = append(sources[told.Time.Source], n.Name)
		}
		return either(*told.Time.Synced, ofNode(n), want, fmt.Sprintf("%s, source %s", orNone(told.Time.Service), orNone(told.Time.Source)), "see the node's time service: chronyc sources, on the node", s.heard(n.Name, "chronyc tracking", told.Time.Source))
	})
	if len(sources) > 1 {
		all = append(all, bad("", "one time source", differing(sources), "give all nodes the same NTP servers", s.sourced(sources)...))
	}
	return all
}

// sourced returns what one node of each time source told.
func (s Snapshot) sourced(sources map[string][]string) []Evidence {
	var all []Evidence
	for _, source := range slices.Sorted(maps.Keys(sources)) {
		all = append(all, s.heard(sources[source][0], "chronyc tracking", source))
	}
	return all
}
