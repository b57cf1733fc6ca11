package conform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// allowedUnstable are the APIs without a stable version that chapter 4 itself
// needs: NFD's (ra2.ch.018), and resource metrics for the autoscaling of
// ra2.app.038, which an aggregated server serves.
func allowedUnstable() []string { return []string{"nfd.k8s-sigs.io", "metrics.k8s.io"} }

// unstable is ra2.k8s.012b and ra2.k8s.019: the API server itself serves no
// version of this kind, and no flag asks it to. What custom resources and
// aggregated servers serve is theirs; it is told and fails nothing.
func unstable(kind string) func(Snapshot) []Finding {
	return func(s Snapshot) []Finding {
		version := regexp.MustCompile(`^v\d+` + kind + `\d+$`)
		var own, theirs []string
		for _, g := range s.Served {
			switch {
			case !version.MatchString(g.Version) || slices.Contains(allowedUnstable(), g.Group):
			case s.isCustom(g):
				theirs = append(theirs, g.String())
			default:
				own = append(own, g.String())
			}
		}
		want := "no " + kind + " version among the API server's own groups"
		got := "none"
		if len(own) > 0 {
			got = few(own)
		}
		if len(theirs) > 0 {
			got += "; of add-ons, which are not judged: " + few(theirs)
		}
		do := "remove it from the API server's --runtime-config or --feature-gates"
		all := []Finding{either(len(own) == 0, "", want, got, do, s.saw(Served, "GET /apis", ".groups[*].versions[*].groupVersion", got))}
		return append(all, s.asksFor(kind, do)...)
	}
}

// isCustom reports whether a version is of a custom resource or an aggregated
// server.
func (s Snapshot) isCustom(g GroupVersion) bool {
	return slices.ContainsFunc(s.CustomTypes, func(c CustomType) bool { return c.Group == g.Group && slices.Contains(c.Versions, g.Version) }) ||
		slices.ContainsFunc(s.APIServices, func(a APIService) bool { return a.Group == g.Group && a.Version == g.Version && a.Service != "" })
}

// asksFor judges the flags of each API server that is shown.
func (s Snapshot) asksFor(kind, do string) []Finding {
	name := strings.ToUpper(kind[:1]) + kind[1:]
	var all []Finding
	for _, r := range s.component("kube-apiserver") {
		var asked []string
		for entry := range strings.SplitSeq(r.flags["runtime-config"], ",") {
			if key, value, _ := strings.Cut(entry, "="); strings.Contains(key, kind) && value != "false" {
				asked = append(asked, entry)
			}
		}
		if gates := r.flags["feature-gates"]; strings.Contains(gates, "All"+name+"=true") {
			asked = append(asked, "feature-gates All"+name)
		}
		all = append(all, either(len(asked) == 0, ofPod(r.Pod), "no flag that asks for "+kind+" APIs", orNone(few(asked)), do,
			s.saw(Pods, ofPod(r.Pod), ".spec.containers[0].command", fmt.Sprintf("runtime-config=%s feature-gates=%s", orNone(r.flags["runtime-config"]), orNone(r.flags["feature-gates"])))))
	}
	return all
}

// mandatory are the groups and versions that RA2 chapter 6 makes mandatory.
func mandatory() []string {
	return []string{
		"admissionregistration.k8s.io/v1", "apiextensions.k8s.io/v1", "apiregistration.k8s.io/v1", "apps/v1", "authentication.k8s.io/v1", "authorization.k8s.io/v1",
		"autoscaling/v1", "autoscaling/v2", "batch/v1", "certificates.k8s.io/v1", "coordination.k8s.io/v1", "v1", "discovery.k8s.io/v1", "events.k8s.io/v1",
		"flowcontrol.apiserver.k8s.io/v1", "networking.k8s.io/v1", "node.k8s.io/v1", "policy/v1", "rbac.authorization.k8s.io/v1", "scheduling.k8s.io/v1", "storage.k8s.io/v1",
	}
}

// stableAPIs is ra2.k8s.013, as far as a cluster shows it: every version that
// chapter 6 lists is served. That they stay compatible is upstream's promise.
func stableAPIs(s Snapshot) []Finding {
	var missing []string
	for _, name := range mandatory() {
		if !slices.ContainsFunc(s.Served, func(g GroupVersion) bool { return g.String() == name }) {
			missing = append(missing, name)
		}
	}
	got := fmt.Sprintf("all %d are served", len(mandatory()))
	if len(missing) > 0 {
		got = "not served: " + few(missing)
	}
	return []Finding{either(len(missing) == 0, "", "every group and version that chapter 6 lists", got, "remove what switches it off in --runtime-config",
		s.saw(Served, "GET /apis", ".groups[*].versions[*].groupVersion", got))}
}

// certificates is ra2.k8s.020, a should: cert-manager with an issuer that is
// ready.
func certificates(s Snapshot) []Finding {
	const want, do = "cert-manager with a ClusterIssuer that is ready", "deploy cert-manager, and join it to your PKI by a ClusterIssuer"
	if _, served := s.customType("certificates.cert-manager.io"); !served {
		return []Finding{bad("", want, "certificates.cert-manager.io isn't served", do, s.saw(CustomTypes, "customresourcedefinitions", ".items[*].metadata.name", fmt.Sprintf("%d definitions, none of it", len(s.CustomTypes))))}
	}
	var ready, not []string
	for _, o := range s.Custom[clusterIssuers] {
		name := o.Text("metadata", "name")
		good := false
		for _, c := range o.List("status", "conditions") {
			good = good || c.Text("type") == "Ready" && c.Text("status") == "True"
		}
		if good {
			ready = append(ready, name)
		} else {
			not = append(not, name)
		}
	}
	f := either(len(ready) > 0, "", want, fmt.Sprintf("ready: %s; not ready: %s", orNone(few(ready)), orNone(few(not))), do,
		s.saw(CustomOf(clusterIssuers), "clusterissuers", ".items[*].status.conditions", ready))
	all := []Finding{f}
	if _, done := s.probe(ProbeCertificate); done && f.Verdict == Pass {
		all = append(all, s.byProbe(ProbeCertificate, "a Certificate becomes Ready", "see why the issuer refuses: kubectl describe certificaterequests -A"))
	}
	if bits, asked := s.asks("ra2.k8s.020", "signature_hash_bits_min"); asked {
		all = append(all, s.signatures(int(bits))...)
	}
	return all
}
