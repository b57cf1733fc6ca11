package conform

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const deployBalancer = "deploy a load balancer that announces addresses by BGP (MetalLB, Cilium, Calico)"

// exposed returns the Services of type LoadBalancer, those with an address and
// those without.
func (s Snapshot) exposed() (answered, waiting []corev1.Service) {
	for _, v := range s.Services {
		switch {
		case v.Spec.Type != corev1.ServiceTypeLoadBalancer:
		case len(v.Status.LoadBalancer.Ingress) > 0:
			answered = append(answered, v)
		default:
			waiting = append(waiting, v)
		}
	}
	return answered, waiting
}

// balancer reports what balances load from outside: a product, or a Service
// that somebody gave an address to (in a cloud nothing else shows it).
func (s Snapshot) balancer() ([]Evidence, bool) {
	if found := s.find(roleLoadBalancer); len(found) > 0 {
		return s.saying(found), true
	}
	for _, pool := range []string{ciliumPools, ciliumBGP, calicoPeers} {
		if objects := s.Custom[pool]; len(objects) > 0 {
			return []Evidence{s.saw(CustomOf(pool), pool, ".items[*].metadata.name", objects[0].Text("metadata", "name"))}, true
		}
	}
	if answered, _ := s.exposed(); len(answered) > 0 {
		v := answered[0]
		return []Evidence{s.saw(Services, "service/"+v.Namespace+"/"+v.Name, ".status.loadBalancer.ingress", v.Status.LoadBalancer.Ingress)}, true
	}
	return nil, false
}

// loadBalancerService is ra2.k8s.015 and ra2.ntw.018: a Service of type
// LoadBalancer gets addresses and answers. One that waits in vain shows that
// it doesn't.
func loadBalancerService(s Snapshot) []Finding {
	const want = "a Service of type LoadBalancer gets an address and answers from outside"
	if _, done := s.probe(ProbeLoadBalancer); done {
		return []Finding{s.byProbe(ProbeLoadBalancer, want, deployBalancer)}
	}
	const patience = 300 // seconds
	var all []Finding
	_, waiting := s.exposed()
	for _, v := range waiting {
		if age := s.Ended.Sub(v.CreationTimestamp.Time); age.Seconds() > patience {
			all = append(all, bad("service/"+v.Namespace+"/"+v.Name, want, fmt.Sprintf("it has waited for %d min", int(age.Minutes())), deployBalancer,
				s.saw(Services, "service/"+v.Namespace+"/"+v.Name, ".status.loadBalancer", "{}")))
		}
	}
	if all != nil {
		return all
	}
	return []Finding{s.byProbe(ProbeLoadBalancer, want, deployBalancer)}
}

// unbalanced is the finding of a row about a load balancer's addresses where one was
// asked for and none came: there is nothing to announce, to spread or to move.
func (s Snapshot) unbalanced(want string) (Finding, bool) {
	if p, done := s.probe(ProbeLoadBalancer); !done || p.Outcome != Fail {
		return Finding{}, false
	}
	return s.byProbe(ProbeLoadBalancer, want, deployBalancer), true
}

// balances is ra2.ntw.017: what comes from outside reaches the cluster by a load
// balancer, and TCP and UDP flows are spread over pods. A Service's own address
// spreads them in every cluster, which alone is no way in.
func balances(s Snapshot) []Finding {
	const want = "a load balancer takes what comes from outside, and TCP and UDP flows to one address land on two pods or more"
	if f, none := s.unbalanced(want); none {
		return []Finding{f}
	}
	f := s.byProbe(ProbeBalance, want, deployBalancer)
	if seen, there := s.balancer(); there {
		f.Evidence = append(f.Evidence, seen...)
	} else if f.Verdict == Pass {
		return []Finding{f, s.byProbe(ProbeLoadBalancer, want, deployBalancer)}
	}
	return []Finding{f}
}

// gatewayAPI is ra2.ntw.019, a may.
func gatewayAPI(s Snapshot) []Finding {
	c, served := s.customType(gatewayClasses)
	if !served {
		return []Finding{notApplicable("Gateway API isn't served, and the row only permits it", s.saw(CustomTypes, "customresourcedefinitions", ".items[*].metadata.name", "no "+gatewayClasses))}
	}
	var accepted []string
	for _, o := range s.Custom[gatewayClasses] {
		for _, cond := range o.List("status", "conditions") {
			if cond.Text("type") == "Accepted" && cond.Text("status") == "True" {
				accepted = append(accepted, o.Text("metadata", "name"))
			}
		}
	}
	return []Finding{either(slices.Contains(c.Versions, "v1") && len(accepted) > 0, "", "gateway.networking.k8s.io/v1 and a GatewayClass that is accepted",
		fmt.Sprintf("%s; accepted: %s", few(c.Versions), orNone(few(accepted))), "see what the class's controller says: kubectl describe gatewayclasses", s.saw(CustomOf(gatewayClasses), "gatewayclasses", ".items[*].status.conditions", orNone(few(accepted))))}
}

// announcing returns what is configured to announce addresses: to routers by
// BGP, and on the link by ARP and NDP.
func (s Snapshot) announcing() (routers, link []Evidence) {
	for _, name := range []string{metallbPeers, ciliumBGP, calicoPeers} {
		if list := s.Custom[name]; len(list) > 0 {
			routers = append(routers, s.saw(CustomOf(name), name, ".items[*].metadata.name", fmt.Sprintf("%d objects, the first %s", len(list), list[0].Text("metadata", "name"))))
		}
	}
	for _, name := range []string{metallbL2, ciliumL2} {
		if list := s.Custom[name]; len(list) > 0 {
			link = append(link, s.saw(CustomOf(name), name, ".items[*].metadata.name", fmt.Sprintf("%d objects, the first %s", len(list), list[0].Text("metadata", "name"))))
		}
	}
	return routers, link
}

// announces judges how addresses are announced, by a probe, or by what is
// configured, as far as that decides it.
func (s Snapshot) announces(probe, want string, linkWillDo bool) []Finding {
	if _, done := s.probe(probe); done {
		return []Finding{s.byProbe(probe, want, deployBalancer)}
	}
	if f, none := s.unbalanced(want); none {
		return []Finding{f}
	}
	var lacks []Part
	for _, name := range []string{metallbPeers, ciliumBGP, calicoPeers, metallbL2, ciliumL2} {
		if !s.Has(CustomOf(name)) {
			lacks = append(lacks, CustomOf(name))
		}
	}
	routers, link := s.announcing()
	if len(lacks) == 0 && len(routers) == 0 && len(link) > 0 && !linkWillDo {
		return []Finding{bad("", want, "addresses are only announced on the link, by one node at a time", deployBalancer, link...)}
	}
	f := s.byProbe(probe, want, deployBalancer)
	f.Evidence = append(f.Evidence, append(routers, link...)...)
	return []Finding{f}
}

// advertised is ra2.ntw.020.
func advertised(s Snapshot) []Finding {
	return s.announces(ProbeAdvertise, "Service addresses are announced to networks outside", false)
}

// multipath is ra2.ntw.021. ARP and NDP can't do it.
func multipath(s Snapshot) []Finding {
	return s.announces(ProbeMultipath, "two nodes or more announce one Service address at once", false)
}

// failover is ra2.ntw.022: the longest outages that were measured, when a pod was
// lost and when a node was. One of them that is too long decides it; both have to be
// known to pass.
func failover(s Snapshot) []Finding {
	const do = "use BFD, and externalTrafficPolicy Local"
	most := s.threshold("ra2.ntw.022", "failover_seconds_max")
	want := fmt.Sprintf("less than %.0f s without an answer when a node or a pod is lost", most)
	f := s.byProbe(ProbeFailover, want, do)
	p, done := s.probe(ProbeFailover)
	if none, is := s.unbalanced(want); is && !done {
		return []Finding{none}
	}
	if !done || p.Outcome != Pass {
		return []Finding{f}
	}
	var got, missing []string
	good := true
	for _, lost := range []string{"pod", "node"} {
		outage, measured := p.Numbers[lost+"OutageSeconds"]
		if !measured {
			missing = append(missing, string(ProbeOf(ProbeFailover))+": no "+lost+" was taken away")
			continue
		}
		good = good && outage < most
		got = append(got, fmt.Sprintf("%.1f s when a %s was lost", outage, lost))
	}
	if good && missing != nil {
		f.Verdict, f.Got, f.Missing = Unknown, strings.Join(got, ", "), missing
		return []Finding{f}
	}
	return []Finding{either(good, "", want, strings.Join(got, ", "), do, f.Evidence...)}
}

// ingress is ra2.k8s.016: a class is there, and an Ingress of it answers.
func ingress(s Snapshot) []Finding {
	const want, do = "an Ingress answers with what its backend says", "deploy an ingress controller that is maintained (Cilium, Traefik, HAProxy, Contour)"
	if _, done := s.probe(ProbeIngress); done {
		return []Finding{s.byProbe(ProbeIngress, want, do)}
	}
	if len(s.IngressClasses) == 0 {
		return []Finding{bad("", want, "there is no IngressClass, so that no controller claims an Ingress", do, s.saw(IngressClasses, "ingressclasses", ".items[*].metadata.name", "none"))}
	}
	f := s.byProbe(ProbeIngress, want, do)
	var names []string
	for _, c := range s.IngressClasses {
		names = append(names, c.Name+" ("+c.Spec.Controller+")")
	}
	f.Evidence = append(f.Evidence, s.saw(IngressClasses, "ingressclasses", ".items[*].spec.controller", strings.Join(names, ", ")))
	return []Finding{f}
}
