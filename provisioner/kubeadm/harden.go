package kubeadm

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta4"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
)

// Numbers are those of the CIS Kubernetes Benchmark v1.10. What the benchmark
// asks for and is not set here is left out with its reason:
//
//   - 1.2.1, anonymous requests of the API server: kubeadm's probes and the
//     discovery of nodes that join ask without a name; RBAC lets them read health,
//     version and cluster-info, and nothing else.
//   - 1.2.5, 4.2.11, serving certificates of kubelets: they need somebody who
//     approves each request, which is not there yet.
//   - 1.2.9, 1.2.10, EventRateLimit and AlwaysPullImages: the second needs a
//     registry for what the node's image already holds.

// hardenKubelet sets what the benchmark asks of each kubelet. Most are kubeadm's
// defaults; they are written down, so that they are seen and stay.
func hardenKubelet(c *kubeletv1beta1.KubeletConfiguration) {
	yes, no, zero, events, pids := true, false, int32(0), int32(50), int64(4096)
	c.Authentication.Anonymous.Enabled = &no // 4.2.1
	c.Authentication.Webhook.Enabled = &yes
	c.Authorization.Mode = kubeletv1beta1.KubeletAuthorizationModeWebhook         // 4.2.2
	c.Authentication.X509.ClientCAFile = pkiDir + "/ca.crt"                       // 4.2.3
	c.ReadOnlyPort = zero                                                         // 4.2.4; 0 is off, and not written
	c.StreamingConnectionIdleTimeout = metav1.Duration{Duration: 5 * time.Minute} // 4.2.5
	c.EventRecordQPS = &events                                                    // 4.2.8: the default, and not 0, which is without end
	c.RotateCertificates = true                                                   // 4.2.10
	c.TLSMinVersion = tlsVersion                                                  // 4.2.12
	c.TLSCipherSuites = cipherSuites()                                            // 4.2.12
	c.PodPidsLimit = &pids                                                        // 4.2.13
	c.SeccompDefault = &yes                                                       // 4.2.14; also 5.7.2 for pods that say nothing
	// The image sets what the kubelet would change in the kernel (sysctl.d); with
	// this it refuses another kernel and doesn't mend it. A container machine of
	// the lab, whose kernel is the host's, says otherwise on its command line.
	c.ProtectKernelDefaults = true // CIS v1.7 4.2.6
}

// tlsVersion is the least that servers of the cluster speak.
const tlsVersion = "VersionTLS12"

// cipherSuites are those of CIS 1.2.29 and 4.2.12 that Go speaks without
// TLS_RSA key exchange and CBC. TLS 1.3 has its own, which can't be chosen.
func cipherSuites() []string {
	return []string{
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	}
}

// tlsArgs are the flags of a component that serves.
func tlsArgs() []v1beta4.Arg {
	return []v1beta4.Arg{
		{Name: "tls-cipher-suites", Value: strings.Join(cipherSuites(), ",")}, // 1.2.29
		{Name: "tls-min-version", Value: tlsVersion},
	}
}

// Paths of the audit log of the API server, on the host and in its pod.
const (
	AuditPolicyPath = Dir + "/audit-policy.yaml"
	auditDir        = "/var/log/kubernetes"
)

// apiServer is the API server's part of the cluster's configuration.
func apiServer(sans []string) v1beta4.APIServer {
	return v1beta4.APIServer{
		CertSANs: sans,
		ControlPlaneComponent: v1beta4.ControlPlaneComponent{
			ExtraArgs: append([]v1beta4.Arg{
				{Name: "audit-log-maxage", Value: "30"},                     // days, 1.2.17
				{Name: "audit-log-maxbackup", Value: "10"},                  // files, 1.2.18
				{Name: "audit-log-maxsize", Value: "100"},                   // MB, 1.2.19
				{Name: "audit-log-path", Value: auditDir + "/audit.log"},    // 1.2.16
				{Name: "audit-policy-file", Value: AuditPolicyPath},         // 3.2.1
				{Name: "encryption-provider-config", Value: EncryptionPath}, // 1.2.27; RA2 chapter 2, sec.gen.010
				{Name: "profiling", Value: "false"},                         // 1.2.15
			}, tlsArgs()...),
			ExtraVolumes: []v1beta4.HostPathMount{
				{Name: "audit-policy", HostPath: AuditPolicyPath, MountPath: AuditPolicyPath, ReadOnly: true, PathType: "File"},
				{Name: "encryption", HostPath: EncryptionPath, MountPath: EncryptionPath, ReadOnly: true, PathType: "File"},
				{Name: "audit-log", HostPath: auditDir, MountPath: auditDir, PathType: "DirectoryOrCreate"},
			},
		},
	}
}

// quiet are the flags of controller manager and scheduler.
func quiet() []v1beta4.Arg {
	return append([]v1beta4.Arg{{Name: "profiling", Value: "false"}}, tlsArgs()...) // 1.3.2, 1.4.1
}

// auditPolicy is what the API server logs of requests (CIS 3.2.1, 3.2.2): who
// did what to which object, for every change; never a body, since bodies of
// Secrets, ConfigMaps and tokens hold what nobody should read in a log.
// Reads of the cluster's own components are most of all requests and tell nothing.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"]
- level: None
  users: ["system:kube-scheduler", "system:kube-controller-manager", "system:kube-proxy", "system:apiserver"]
  verbs: [get, list, watch]
- level: None
  userGroups: ["system:nodes"]
  verbs: [get, list, watch]
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}, {group: "", resources: [events]}]
- level: Metadata
`

// auditFile lays the policy beside kubeadm's own configuration.
func auditFile() wire.File {
	return wire.File{Path: AuditPolicyPath, Mode: 0o600, Data: []byte(auditPolicy)}
}
