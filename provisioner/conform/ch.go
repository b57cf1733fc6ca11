package conform

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// ch binds the rows about the cluster's hosts. Hardware is judged by the same
// rules as before an install, where an inventory says whom to ask; else by
// what the nodes tell of themselves.
func ch() map[string]binding {
	return map[string]binding{
		"ra2.ch.001": setting(hugePages, Nodes),
		"ra2.ch.002": setting(hardware("ra2.ch.002", onlyHighPerformance(ofPhysical(factsSRIOV)))),
		"ra2.ch.003": setting(ofHighPerformance(functions), Nodes),
		"ra2.ch.004": setting(hardware("ra2.ch.004", ofPhysical(factsSMT))),
		"ra2.ch.005": setting(hardware("ra2.ch.005", factsVirtual("every vCPU has a physical core of its own", nil))),
		"ra2.ch.006": setting(cpuAllocation, Nodes, Pods),
		"ra2.ch.007": setting(nodeDualStack, Nodes),
		"ra2.ch.008": setting(hardware("ra2.ch.008", ofPhysical(factsSockets))),
		"ra2.ch.009": setting(hardware("ra2.ch.009", ofPhysical(factsDisks))),
		"ra2.ch.010": setting(localStorage, Nodes),
		"ra2.ch.011": setting(hardware("ra2.ch.011", factsVirtual("16 or more vCPUs", enoughVCPUs))),
		"ra2.ch.012": setting(hardware("ra2.ch.012", nodeMemory)),
		"ra2.ch.013": setting(hardware("ra2.ch.013", ofPhysical(factsPorts("ra2.ch.013")))),
		"ra2.ch.014": setting(hardware("ra2.ch.014", ofPhysical(factsPorts("ra2.ch.014")))),
		"ra2.ch.015": setting(hardware("ra2.ch.015", onlyHighPerformance(ofPhysical(factsPorts("ra2.ch.015"))))),
		"ra2.ch.016": setting(hardware("ra2.ch.016", ofPhysical(factsSlots))),
		"ra2.ch.017": setting(immutable, Nodes),
		"ra2.ch.018": setting(featureDiscovery, workloadParts(Nodes)...),
		"ra2.ch.019": setting(zeroCopy, workloadParts(Nodes)...),
		"ra2.ch.020": setting(ofRealTime(realTime), Nodes),
	}
}

// hardware judges a row by the rules for hosts, where an inventory says which
// hosts these are and their controllers were asked; else by what each node
// tells.
func hardware(id string, byNode func(Snapshot, corev1.Node) Finding) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		if !s.Has(Inventory) || !s.Has(Hosts) {
			return s.byNodes(byNode)
		}
		var all []Finding
		judged := map[string]bool{}
		for _, f := range s.hardware {
			if f.Requirement != id && f.Requirement != rules.Reachable {
				continue
			}
			judged[f.Host] = true
			all = append(all, s.ofRule(f))
		}
		// A rule may have nothing to say of a host; then the node has.
		for _, n := range where(s.Nodes, func(n corev1.Node) bool { return !judged[n.Name] }) {
			all = append(all, byNode(s, n))
		}
		return all
	}
}

// byNodes judges each node by itself. Without nodes nothing is known.
func (s Snapshot) byNodes(judge func(Snapshot, corev1.Node) Finding) []Finding {
	if lack := s.lack("facts of the hosts", Nodes); lack != nil {
		return lack
	}
	return s.each(func(n corev1.Node) Finding { return judge(s, n) })
}

// ofRule turns the finding of a rule into one of ours.
func (s Snapshot) ofRule(f rules.Finding) Finding {
	out := Finding{Verdict: Unknown, Subject: "node/" + f.Host, Want: f.Want, Got: f.Got, Evidence: []Evidence{{
		Command: "ra2-deploy facts --from INVENTORY " + f.Host, Object: "host/" + f.Host, Path: f.Where, Value: Trim(f.Got), Time: s.Told[Hosts],
	}}}
	switch f.Verdict {
	case rules.Pass:
		out.Verdict = Pass
	case rules.Fail:
		out.Verdict, out.Do = Fail, "change the host, or waive the row for it: docs/ra2-decisions.md says how it is read"
	case rules.Planned: // before an install that is to come; here it is not met
		out.Verdict, out.Do = Fail, "rebuild the node: its class wants the setting and it isn't in force"
	case rules.NotApplicable:
		return Finding{Verdict: NotApplicable, Subject: out.Subject, Got: f.Want + "; here: " + f.Got, Evidence: out.Evidence}
	default:
		out.Missing = []string{"what the host is made of: " + f.Got}
	}
	return out
}

// told returns what a node told of itself, or the finding that it didn't.
func (s Snapshot) toldBy(n corev1.Node, want string) (NodeFacts, *Finding) {
	if s.Has(FactsOf(n.Name)) {
		return s.Facts[n.Name], nil
	}
	f := s.missing(ofNode(n), want, FactsOf(n.Name))
	if !s.Has(Inventory) || !s.Has(Hosts) {
		f.Missing = append(f.Missing, s.Lacks(Hosts)+" (with --inventory the hosts' controllers are)")
	}
	return NodeFacts{}, &f
}

// untold is the finding of a fact that a node that told others didn't tell.
func untold(n corev1.Node, want, what string) Finding {
	return Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Missing: []string{string(FactsOf(n.Name)) + ": it didn't tell " + what}}
}

// onlyHighPerformance judges nodes that claim the profile; to others the row
// doesn't apply.
func onlyHighPerformance(judge func(Snapshot, corev1.Node) Finding) func(Snapshot, corev1.Node) Finding {
	return func(s Snapshot, n corev1.Node) Finding {
		if !s.claims[n.Name] {
			f := s.noClaimant()
			f.Subject = ofNode(n)
			return f
		}
		return judge(s, n)
	}
}

// hugePages is ra2.ch.001: both sizes are offered to the scheduler, in the
// amount that the inventory asks for. A kernel that knows a size shows its
// resource even with no page in it. Where a pod used some by way of trial, that counts.
func hugePages(s Snapshot) []Finding {
	all := ofHighPerformance(pools)(s)
	if _, done := s.probe(ProbeHugePages); done && len(s.claimants()) > 0 {
		all = append(all, s.byProbe(ProbeHugePages, "a pod with huge pages of each size runs", "see how many pages are free on the node that the probe names: grep Huge /proc/meminfo"))
	}
	return all
}

func pools(s Snapshot, n corev1.Node) Finding {
	wanted := s.classOf(n.Name).HugePages
	want, good := "hugepages-2Mi and hugepages-1Gi", true
	var got []string
	for _, size := range []string{"2Mi", "1Gi"} {
		name := corev1.ResourceName("hugepages-" + size)
		has, offered := n.Status.Capacity[name]
		least := resource.MustParse(size)
		least.Mul(int64(wanted[size]))
		good = good && offered && has.Cmp(least) >= 0
		if wanted[size] > 0 {
			want += fmt.Sprintf(", %d of %s", wanted[size], size)
		}
		got = append(got, string(name)+" "+amount(has, offered))
	}
	return either(good, ofNode(n), want, strings.Join(got, ", "), "set hugePages in the node's class of the inventory, and rebuild the node",
		s.saw(Nodes, ofNode(n), ".status.capacity", strings.Join(got, ", ")))
}

func amount(q resource.Quantity, there bool) string {
	if !there {
		return "not offered"
	}
	return q.String()
}

// classOf is the class that the inventory gives to a node; empty without one.
func (s Snapshot) classOf(node string) inventory.Class {
	if s.Want == nil {
		return inventory.Class{}
	}
	for _, n := range s.Want.Nodes {
		if n.Name == node {
			return s.Want.Classes[n.Class]
		}
	}
	return inventory.Class{}
}

// functions is ra2.ch.003: virtual functions are there.
func functions(s Snapshot, n corev1.Node) Finding {
	const want = "virtual functions, made by the host"
	for _, o := range s.Custom[sriovNodeStates] {
		if o.Text("metadata", "name") != n.Name {
			continue
		}
		vfs := 0
		for _, i := range o.List("status", "interfaces") {
			vfs += i.Number("numVfs")
		}
		status := o.Text("status", "syncStatus")
		return either(vfs > 0 && status == "Succeeded", ofNode(n), want, fmt.Sprintf("%d, sync status %s", vfs, status), "see .status.lastSyncError, in the same object",
			s.saw(CustomOf(sriovNodeStates), "sriovnetworknodestate/"+o.Text("metadata", "namespace")+"/"+n.Name, ".status.interfaces[*].numVfs", vfs))
	}
	told, lack := s.toldBy(n, want)
	if lack != nil {
		if !s.Has(CustomOf(sriovNodeStates)) {
			lack.Missing = append(lack.Missing, s.Lacks(CustomOf(sriovNodeStates)))
		}
		return *lack
	}
	vfs, known := 0, false
	for _, nic := range told.NICs {
		if nic.VFs != nil {
			vfs, known = vfs+*nic.VFs, true
		}
	}
	if !known && told.NICs == nil {
		return untold(n, want, "its network cards")
	}
	return either(vfs > 0, ofNode(n), want, fmt.Sprint(vfs), "switch SR-IOV and the IOMMU on in the class, and make functions",
		s.heard(n.Name, "cat /sys/class/net/*/device/sriov_numvfs", vfs))
}
