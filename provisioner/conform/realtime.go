package conform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const realTimeFlavour = "rt-tsn"

// ofRealTime judges the nodes that claim the flavour rt-tsn; where none does, the
// row doesn't apply. RA2 names no label for it: docs/ra2-decisions.md has ours.
func ofRealTime(judge func(Snapshot, corev1.Node) Finding) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		nodes := where(s.Nodes, func(n corev1.Node) bool {
			return n.Labels[labelRealTime] == "true" || n.Labels[labelProfile] == realTimeFlavour
		})
		if len(nodes) == 0 {
			return []Finding{notApplicable("no node claims the flavour "+realTimeFlavour+": none has the label "+labelRealTime+"=true or "+labelProfile+"="+realTimeFlavour,
				s.saw(Nodes, "nodes", "", fmt.Sprintf("%d nodes", len(s.Nodes))))}
		}
		var all []Finding
		for _, n := range nodes {
			all = append(all, judge(s, n))
		}
		return all
	}
}

// namedRealTime matches the releases of kernels that distributions build with
// PREEMPT_RT: "6.12.48+deb13-rt-amd64", "6.8.1-1015-realtime", "5.14.0-427.el9.x86_64+rt".
var namedRealTime = regexp.MustCompile(`(^|[-+._])(rt[0-9]*|realtime)($|[-+._])`)

// realTime is ra2.ch.020. What the kernel was built with decides; its name does
// where nobody asked the node, since RA2's table of kernels goes by the name.
func realTime(s Snapshot, n corev1.Node) Finding {
	const want, do = "a real-time kernel", "rebuild the node from an image with a kernel of PREEMPT_RT"
	release := n.Status.NodeInfo.KernelVersion
	seen := s.saw(Nodes, ofNode(n), ".status.nodeInfo.kernelVersion", release)
	told := s.Facts[n.Name]
	switch {
	case s.Has(FactsOf(n.Name)) && told.Build != "":
		got := release + ", " + told.Build
		if told.CPU.IsolatedCPUs != "" {
			got += "; isolated CPUs " + told.CPU.IsolatedCPUs
		}
		return either(strings.Contains(told.Build, "PREEMPT_RT"), ofNode(n), want, got, do, s.heard(n.Name, "uname -v", told.Build), seen)
	case namedRealTime.MatchString(release):
		return ok(ofNode(n), want, release+", by its name", seen)
	}
	f := untold(n, want, "how its kernel was built")
	if !s.Has(FactsOf(n.Name)) {
		f.Missing = []string{s.Lacks(FactsOf(n.Name))}
	}
	f.Missing[0] += "; a kernel of PREEMPT_RT need not say so in its name"
	f.Got, f.Evidence = release, []Evidence{seen}
	return f
}

// timeSensitive is ra2.ntw.023: a card with a PTP hardware clock, and SyncE as the
// PTP operator is told to keep it. The kernel tells of SyncE by netlink only.
func timeSensitive(s Snapshot, n corev1.Node) Finding {
	const want = "a PTP hardware clock, and frequency by SyncE"
	told, lack := s.toldBy(n, want)
	if lack != nil {
		lack.Missing = lack.Missing[:1]
		return *lack
	}
	var clocks []string
	known := false
	for _, nic := range told.NICs {
		known = known || nic.PTPClock != nil
		if nic.PTPClock != nil && *nic.PTPClock {
			clocks = append(clocks, nic.Name)
		}
	}
	if !known {
		return untold(n, want, "whether its cards have PTP hardware clocks")
	}
	seen := s.heard(n.Name, "ls /sys/class/net/*/device/ptp", orNone(few(clocks)))
	if len(clocks) == 0 {
		return bad(ofNode(n), want, "no card has such a clock", "use cards with a PTP hardware clock and SyncE", seen)
	}
	if config := s.syncE(n.Name); config != "" {
		return ok(ofNode(n), want, "clocks: "+few(clocks)+"; SyncE: "+config, seen, s.saw(CustomOf(ptpConfigs), config, ".spec.profile[*].synce4lConf", "set"))
	}
	f := Finding{Verdict: Unknown, Subject: ofNode(n), Want: want, Got: "clocks: " + few(clocks), Evidence: []Evidence{seen}}
	f.Missing = []string{"whether its frequency follows SyncE: no PtpConfig that is in force on it sets up synce4l"}
	if !s.Has(CustomOf(ptpConfigs)) {
		f.Missing = []string{s.Lacks(CustomOf(ptpConfigs))}
	}
	return f
}

// syncE returns the PtpConfig that sets up SyncE on a node, or nothing.
func (s Snapshot) syncE(node string) string {
	for _, o := range s.Custom[ptpConfigs] {
		var profiles []string
		for _, p := range o.List("spec", "profile") {
			if p.Text("synce4lConf") != "" {
				profiles = append(profiles, p.Text("name"))
			}
		}
		for _, m := range o.List("status", "matchList") {
			if m.Text("nodeName") == node && slices.Contains(profiles, m.Text("profile")) {
				return "ptpconfig/" + o.Text("metadata", "namespace") + "/" + o.Text("metadata", "name")
			}
		}
	}
	return ""
}
