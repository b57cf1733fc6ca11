package mutate

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// TestLaterVerdicts changes the conformant cluster in ways that break no row of the
// head: what nobody tells is unknown, and what isn't asked doesn't apply.
func TestLaterVerdicts(t *testing.T) {
	named := func(release string) change {
		return node("worker-a", func(n *corev1.Node) { n.Status.NodeInfo.KernelVersion = release })
	}
	silent := func(s *conform.Snapshot) { delete(s.Told, conform.FactsOf("worker-a")) }
	none := func(resource string) change {
		return func(s *conform.Snapshot) { s.Custom[resource] = nil }
	}
	certificate := func(text string) change {
		return func(s *conform.Snapshot) {
			s.Custom["certificaterequests.cert-manager.io"][0]["status"] = map[string]any{"certificate": text}
		}
	}
	ebs := volume(corev1.PersistentVolumeSource{AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: "vol-1"}})
	gate := func(version string) change {
		return node("worker-a", func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = version })
	}
	rows := ours(t, ra2.Head)
	for _, c := range []struct {
		row, name string
		change    change
		want      conform.Verdict
	}{
		{"ra2.ch.020", "nobody claims the flavour", node("worker-a", func(n *corev1.Node) { delete(n.Labels, ra2.LabelRealTime) }), conform.NotApplicable},
		{"ra2.ch.020", "the other label claims it, of a node that tells no build", node("worker-b", func(n *corev1.Node) { n.Labels["anuket.io/profile"] = "rt-tsn" }), conform.Unknown},
		{"ra2.ch.020", "a name of Debian's", all(silent, named("6.12.48+deb13-rt-amd64")), conform.Pass},
		{"ra2.ch.020", "a name of Ubuntu's", all(silent, named("6.8.1-1015-realtime")), conform.Pass},
		{"ra2.ch.020", "a name of Red Hat's", all(silent, named("5.14.0-427.13.1.el9_4.x86_64+rt")), conform.Pass},
		{"ra2.ch.020", "a name that says nothing", all(silent, named("6.12.0-start-smart")), conform.Unknown},
		{"ra2.ntw.023", "nobody claims the flavour", node("worker-a", func(n *corev1.Node) { delete(n.Labels, ra2.LabelRealTime) }), conform.NotApplicable},
		{"ra2.ntw.023", "nothing sets up SyncE", none("ptpconfigs.ptp.openshift.io"), conform.Unknown},
		{"ra2.ntw.023", "facts of an older program", fact(func(f *conform.NodeFacts) { f.NICs = []conform.NIC{{Name: "ens1f0"}} }), conform.Unknown},
		{"ra2.k8s.020", "nothing was issued", all(certificate(""), without(conform.ProbeCertificate)), conform.Unknown},
		{"ra2.k8s.020", "a certificate that can't be read", certificate("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="), conform.Unknown},
		{"ra2.k8s.021", "nobody was scheduled", pods(func(p corev1.Pod) bool { return p.Namespace == "kube-system" && p.Name != "coredns-a" }), conform.Unknown},
		{"ra2.k8s.022", "images that came with the node", func(s *conform.Snapshot) {
			for _, p := range s.Pods {
				p.Status.ContainerStatuses[0].ImageID = "docker.io/library/import-2026-11-24@sha256:" + digest
			}
		}, conform.Unknown},
		{"ra2.k8s.024", "kubelets that have it by default", gate("v1.34.2"), conform.Pass},
		{"ra2.k8s.024", "a kubelet that has it in beta", all(func(s *conform.Snapshot) { s.Server.GitVersion = "v1.31.2" }, gate("v1.31.2")), conform.Pass},
		{"ra2.stg.006", "a volume that a CSI driver took over", all(ebs, func(s *conform.Snapshot) {
			s.Volumes[0].Annotations = map[string]string{"pv.kubernetes.io/migrated-to": "ebs.csi.aws.com"}
		}), conform.Pass},
		{"ra2.stg.006", "one that nobody took over", ebs, conform.Fail},
		{"ra2.stg.006", "a volume of NFS, whose plugin is there", volume(corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "192.0.2.1", Path: "/"}}), conform.Pass},
		{"ra2.stg.010", "a class that nobody describes", func(s *conform.Snapshot) { delete(s.StorageClasses[0].Annotations, "kubernetes.io/description") }, conform.Unknown},
		{"ra2.stg.010", "a claim is bound, and nothing was tried", without(conform.ProbeDefaultClass), conform.Pass},
		{"ra2.mon.001", "what is asked stands elsewhere", none("servicemonitors.monitoring.coreos.com"), conform.Unknown},
		{"ra2.mon.001", "nodes that tell by something unknown", undeployed("node-exporter"), conform.Unknown},
		{"ra2.mon.002", "nobody looked into the store", without(conform.ProbeLogs + "-018"), conform.Unknown},
		{"ra2.mon.003", "an agent that could", func(s *conform.Snapshot) { s.Deployments = s.Deployments[:1] }, conform.Unknown},
		{"ra2.lcm.001", "no cluster yet", none("clusters.cluster.x-k8s.io"), conform.Unknown},
		{"ra2.lcm.004", "a manager that is elsewhere", uncluster, conform.Unknown},
	} {
		s := Conformant()
		c.change(&s)
		i := slices.IndexFunc(rows, func(r conform.Row) bool { return r.ID == c.row })
		if r := conform.Judge(rows[i:i+1], s)[0]; r.Verdict != c.want {
			t.Errorf("%s, %s: %s, want %s: %+v", c.row, c.name, r.Verdict, c.want, r.Findings)
		}
	}
}

// uncluster takes Cluster API away.
func uncluster(s *conform.Snapshot) {
	for _, c := range slices.Clone(s.CustomTypes) {
		if strings.HasSuffix(c.Group, "cluster.x-k8s.io") {
			untyped(c.Name())(s)
		}
	}
}
