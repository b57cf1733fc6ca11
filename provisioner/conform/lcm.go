package conform

import (
	"fmt"
	"slices"
	"strings"
)

// lifecycle binds the rows about what manages clusters. They can be judged where its
// API is served: RA2's own examples are objects of Cluster API.
func lifecycle() map[string]binding {
	return map[string]binding{
		"ra2.lcm.001": managed(provisioned, capiClusters),
		"ra2.lcm.002": managed(autoscaled, capiDeployments, capiPools),
		"ra2.lcm.003": managed(served("types of control planes and workers that are upgraded by their version", ".controlplane.cluster.x-k8s.io", capiDeployments)),
		"ra2.lcm.004": managed(served("a type that stands for a cluster", capiClusters)),
		"ra2.lcm.005": managed(served("a type that stands for a machine", "machines.cluster.x-k8s.io")),
		"ra2.lcm.006": managed(served("a type that stands for a group of nodes", "machinesets.cluster.x-k8s.io")),
		"ra2.lcm.007": managed(served("a type that has a strategy of how nodes are replaced", capiDeployments)),
		"ra2.lcm.008": managed(healthChecked, capiHealthChecks),
		"ra2.lcm.009": managed(served("a type of what a node is first told", ".bootstrap.cluster.x-k8s.io")),
	}
}

// managed judges by objects of some types, where the API of Cluster API is served here.
func managed(judge func(Snapshot) []Finding, types ...string) binding {
	return setting(func(s Snapshot) []Finding {
		if !slices.ContainsFunc(s.CustomTypes, func(c CustomType) bool { return strings.HasSuffix(c.Group, "cluster.x-k8s.io") }) {
			return []Finding{s.managedElsewhere()}
		}
		for _, name := range types {
			if lack := s.lack("what manages the cluster does this", CustomOf(name)); lack != nil {
				return lack
			}
		}
		return judge(s)
	}, Nodes, CustomTypes)
}

// managedElsewhere says that what manages the cluster isn't in it, or is a program:
// nobody in the cluster tells what it can.
func (s Snapshot) managedElsewhere() Finding {
	f := Finding{
		Verdict: Unknown, Want: "what manages the cluster does this", Missing: []string{"what manages the cluster: it is not in it (no type of cluster.x-k8s.io is served)"},
		Do: "look at what manages it, and waive the row with what you found", Evidence: []Evidence{s.saw(CustomTypes, "customresourcedefinitions", ".items[*].spec.group", "none of cluster.x-k8s.io")},
	}
	for _, n := range sortedNodes(s.Nodes) {
		if m := markOf(n); m.value != "" {
			f.Got = "its nodes were installed by " + m.who
			f.Evidence = append(f.Evidence, s.saw(Nodes, ofNode(n), m.path, m.value))
			break
		}
	}
	return f
}

// served judges that types are served, of a name or of a group (".bootstrap.…").
func served(want string, names ...string) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		var all []Finding
		for _, name := range names {
			i := slices.IndexFunc(s.CustomTypes, func(c CustomType) bool {
				return c.Name() == name || strings.HasPrefix(name, ".") && "."+c.Group == name
			})
			got := "none of " + strings.TrimPrefix(name, ".")
			if i >= 0 {
				got = s.CustomTypes[i].Name()
			}
			all = append(all, either(i >= 0, "", want, got, "deploy this part of Cluster API", s.saw(CustomTypes, "customresourcedefinitions", ".items[*].metadata.name", got)))
		}
		return all
	}
}

// provisioned is ra2.lcm.001: a cluster was made.
func provisioned(s Snapshot) []Finding {
	const want = "a cluster that was made, from its infrastructure on"
	var made, not []string
	for _, o := range s.Custom[capiClusters] {
		name := o.Text("metadata", "namespace") + "/" + o.Text("metadata", "name") + " (" + orNone(o.Text("status", "phase")) + ")"
		if o.Text("status", "phase") == "Provisioned" {
			made = append(made, name)
		} else {
			not = append(not, name)
		}
	}
	seen := s.saw(CustomOf(capiClusters), "clusters.cluster.x-k8s.io", ".items[*].status.phase", orNone(few(append(made, not...))))
	if len(made)+len(not) == 0 {
		return []Finding{{Verdict: Unknown, Want: want, Missing: []string{"clusters of Cluster API: there is none yet"}, Evidence: []Evidence{seen}}}
	}
	return []Finding{either(len(made) > 0, "", want, orNone(few(append(made, not...))), "see why not: kubectl describe clusters.cluster.x-k8s.io -A", seen)}
}

// autoscaled is ra2.lcm.002: workers come and go with demand, which cluster-autoscaler
// does where a group of machines says how few and how many.
func autoscaled(s Snapshot) []Finding {
	const most = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"
	const want, do = "a group of workers that is scaled with demand", "deploy cluster-autoscaler, and annotate the group with " + most + " and its like for the least"
	var all, scaled []string
	for _, o := range slices.Concat(s.Custom[capiDeployments], s.Custom[capiPools]) {
		name := o.Text("metadata", "name")
		all = append(all, name)
		if o.Text("metadata", "annotations", most) != "" {
			scaled = append(scaled, name)
		}
	}
	return []Finding{either(len(scaled) > 0, "", want, fmt.Sprintf("%d groups, scaled with demand: %s", len(all), orNone(few(scaled))), do,
		s.saw(CustomOf(capiDeployments), capiDeployments, ".items[*].metadata.annotations", orNone(few(scaled))))}
}

// healthChecked is ra2.lcm.008.
func healthChecked(s Snapshot) []Finding {
	var names []string
	for _, o := range s.Custom[capiHealthChecks] {
		names = append(names, o.Text("metadata", "name"))
	}
	return []Finding{either(len(names) > 0, "", "a MachineHealthCheck, by which ill nodes are replaced", orNone(few(names)), "make one for the workers",
		s.saw(CustomOf(capiHealthChecks), capiHealthChecks, ".items[*].metadata.name", orNone(few(names))))}
}
