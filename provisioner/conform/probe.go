package conform

import (
	"slices"
	"time"
)

// Probe is something that was found out by doing it on the cluster.
type Probe struct {
	Name    string             `json:"name"`
	Did     string             `json:"did"`               // what was done: "deny-all policy in a namespace of two pods, then GET from one to the other"
	Outcome Verdict            `json:"outcome"`           // Pass, Fail, or Unknown when it didn't come to its end
	Said    []string           `json:"said,omitempty"`    // what was seen, a line each, redacted
	Repeat  string             `json:"repeat,omitempty"`  // a command that repeats it by hand
	Time    time.Time          `json:"time"`              // when it ended
	Numbers map[string]float64 `json:"numbers,omitempty"` // what was measured: "podOutageSeconds"
}

// The probes. Each is one behaviour; several rows may rest on it.
const (
	ProbeDualStack     = "dual-stack"     // pods of two nodes reach each other by both families; a Service with RequireDualStack has two addresses
	ProbeNetworkPolicy = "network-policy" // deny-all really denies, an exception really lets through, by both families
	ProbeLoadBalancer  = "load-balancer"  // a Service of type LoadBalancer gets an address of each family and answers from outside
	ProbeBalance       = "balance"        // TCP and UDP flows to one address land on two pods or more
	ProbeScale         = "scale"          // 1, 5, 2 backends behind one address: flows follow, the address stays
	ProbeFailover      = "failover"       // a pod and a node are lost: the longest outages in Numbers["podOutageSeconds"] and ["nodeOutageSeconds"]
	ProbeZone          = "zone"           // scale and failover within one zone, the others cordoned
	ProbeRoundRobin    = "round-robin"    // consecutive flows go to each backend in turn
	ProbeHealth        = "health"         // a backend that isn't ready gets no flow
	ProbeDirectReturn  = "direct-return"  // the answer comes from the backend's node, past the one that took the request
	ProbeStateful      = "stateful"       // a long TCP flow outlives added and removed backends
	ProbeUDP           = "udp"            // an echo by UDP through a Service address
	ProbeFragments     = "fragments"      // 8 kB by UDP, fragmented, come back whole
	ProbeMultipath     = "multipath"      // two or more nodes announce one address at once: Numbers["nextHops"]
	ProbeAdvertise     = "advertise"      // a peer outside has the route to a Service address
	ProbeIngress       = "ingress"        // an Ingress answers with the backend's body
	ProbeNodePort      = "node-port"      // a Service of type NodePort answers on every node's addresses
	ProbeExternalName  = "external-name"  // a Service of type ExternalName resolves to its CNAME in a pod
	ProbeCertificate   = "certificate"    // a Certificate becomes Ready, and is signed with SHA-256 or better
	ProbePinning       = "pinning"        // a Guaranteed pod with whole CPUs has them alone, in so many NUMA nodes: Numbers["numaNodes"]
	ProbeHugePages     = "huge-pages"     // a pod with huge pages of each size runs
	ProbeAttachments   = "attachments"    // a pod gets five networks beside the default one
	ProbeTwoPlugins    = "two-plugins"    // one pod with attachments of two plugin types
	ProbeIPAM          = "ipam"           // two pods on two nodes get different addresses of one attachment
	ProbeNATLess       = "nat-less"       // somebody outside sees the pod's own address
	ProbeUserPlane     = "user-plane"     // a pod with a virtual function and huge pages runs a user-space data plane
	ProbeEphemeral     = "ephemeral"      // a pod writes to its root and an emptyDir; beyond its limit it is evicted
	ProbeVolumes       = "volumes"        // one pod mounts emptyDir, ConfigMap, Secret and PersistentVolumeClaim and reads what it should
	ProbePersistent    = "persistent"     // data outlives the pod
	ProbeDefaultClass  = "default-class"  // a claim without a class becomes Bound
	ProbeLogs          = "logs"           // followed by "-018" to "-029": what that row of ra2.plat asks of logging
	ProbeBalancerLogs  = "balancer-logs"  // the load balancer logs its events with a severity
	ProbeEgress        = "egress"         // followed by "-034" to "-040": what that row of ra2.plat asks of egress
)

// probe returns the outcome of a probe.
func (s Snapshot) probe(name string) (Probe, bool) {
	i := slices.IndexFunc(s.Probes, func(p Probe) bool { return p.Name == name })
	if !s.Has(ProbeOf(name)) || i < 0 {
		return Probe{}, false
	}
	return s.Probes[i], true
}
