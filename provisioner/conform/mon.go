package conform

import (
	"fmt"
	"slices"
	"strings"
)

// monitoring binds the rows about metrics, logs and events of the infrastructure.
// What collects them from outside of the cluster is not seen: then they are waived.
func monitoring() map[string]binding {
	return map[string]binding{
		"ra2.mon.001": setting(metricsCollected, workloadParts(Nodes)...),
		"ra2.mon.002": behaviour(logsGathered, workloadParts(Nodes)...),
		"ra2.mon.003": setting(eventsCollected, workloadParts()...),
	}
}

const orWaive = ", or waive the row if it is done from outside of the cluster"

// missingRole says that nothing has a role that a must asks for.
func (s Snapshot) missingRole(r role, want string) Finding {
	f := s.absent(r)
	return bad("", want, f.Got, "deploy a "+string(r)+orWaive, f.Evidence...)
}

// deployedOf judges that what was found is ready.
func (s Snapshot) deployedOf(found []deployed, want string) []Finding {
	var all []Finding
	for _, d := range found {
		all = append(all, either(d.ready, d.object, want, fmt.Sprintf("%s, ready: %v", d.product, d.ready), "see why not: "+strings.Replace(Kubectl(d.object, ""), " get ", " describe ", 1), s.saying([]deployed{d})...))
	}
	return all
}

// onEveryNode judges that one of these is a DaemonSet that is ready on as many
// nodes as there are.
func (s Snapshot) onEveryNode(found []deployed, want string) Finding {
	best, most := "none is a DaemonSet", int32(0)
	for _, d := range s.DaemonSets {
		object := "daemonset/" + d.Namespace + "/" + d.Name
		if slices.ContainsFunc(found, func(f deployed) bool { return f.object == object }) && d.Status.NumberReady >= most {
			most = d.Status.NumberReady
			best = fmt.Sprintf("%s on %d of %d nodes", object, most, len(s.Nodes))
		}
	}
	return either(int(most) >= len(s.Nodes) && len(s.Nodes) > 0, "", want, best, "see which nodes have none, and what taints it tolerates: kubectl get pods -A -o wide", s.saying(found)...)
}

// metricsCollected is ra2.mon.001.
func metricsCollected(s Snapshot) []Finding {
	collectors := s.find(roleMetrics)
	if len(collectors) == 0 {
		return []Finding{s.missingRole(roleMetrics, "metrics of nodes and control planes are collected")}
	}
	all := s.deployedOf(collectors, "the collector is ready")
	const agents = "an agent on every node tells of its processors, memory, disks and network"
	if found := s.find(roleNodeMetrics); len(found) > 0 {
		all = append(all, s.onEveryNode(found, agents))
	} else {
		all = append(all, Finding{Verdict: Unknown, Want: agents, Evidence: s.absent(roleNodeMetrics).Evidence,
			Missing: []string{"what tells of the nodes' disks and network: no agent that is known runs in the cluster"}})
	}
	return append(all, s.targets())
}

// targets looks for the parts of Kubernetes among what the Prometheus operator is
// told to ask. Other collectors keep their targets in files of their own.
func (s Snapshot) targets() Finding {
	const want = "API server, etcd, scheduler, controller manager and kubelets are asked for their metrics"
	var names, lacks []string
	for _, o := range s.Custom[serviceMonitors] {
		names = append(names, o.Text("metadata", "name"))
	}
	for _, part := range []string{"apiserver", "etcd", "scheduler", "controller-manager", "kubelet"} {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, part) }) {
			lacks = append(lacks, part)
		}
	}
	if !s.Has(CustomOf(serviceMonitors)) {
		return s.missing("", want, CustomOf(serviceMonitors))
	}
	seen := s.saw(CustomOf(serviceMonitors), "servicemonitors", ".items[*].metadata.name", orNone(few(names)))
	if len(lacks) == 0 {
		return ok("", want, "a ServiceMonitor names each", seen)
	}
	return Finding{Verdict: Unknown, Want: want, Got: "ServiceMonitors: " + orNone(few(names)), Evidence: []Evidence{seen},
		Missing: []string{"whether these are asked: " + strings.Join(lacks, ", ") + " (no ServiceMonitor has such a name)"}}
}

// logsGathered is ra2.mon.002.
func logsGathered(s Snapshot) []Finding {
	found := s.find(roleLogging)
	if len(found) == 0 {
		return []Finding{s.missingRole(roleLogging, "logs of nodes and control planes are gathered")}
	}
	return []Finding{
		s.onEveryNode(found, "an agent on every node"),
		s.byProbe(ProbeLogs+"-018", "lines of every node, and of pods on each, are found in the store", "see what the agent reads: its configuration, and the log of its pods"),
	}
}

// eventsCollected is ra2.mon.003.
func eventsCollected(s Snapshot) []Finding {
	const want = "events of Kubernetes are collected"
	if found := s.find(roleEvents); len(found) > 0 {
		return s.deployedOf(found, want)
	}
	if able := s.find(roleAbleEvents); len(able) > 0 {
		return []Finding{{Verdict: Unknown, Want: want, Got: productsOf(able), Evidence: s.saying(able), Missing: []string{"whether " + productsOf(able) + " is set up to collect events, which it can"}}}
	}
	return []Finding{s.missingRole(roleEvents, want)}
}
