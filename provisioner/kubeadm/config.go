package kubeadm

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstraptoken "k8s.io/kubernetes/cmd/kubeadm/app/apis/bootstraptoken/v1"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta4"
	"sigs.k8s.io/yaml"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// Init returns kubeadm's configuration for the first control plane: the YAML
// documents InitConfiguration, ClusterConfiguration, KubeletConfiguration and
// KubeProxyConfiguration. The last three also end up in the cluster, from where
// joining nodes take them.
func Init(in Input) ([]byte, error) {
	if err := in.check(); err != nil {
		return nil, fmt.Errorf("render the init configuration of %s: %w", in.Node.Name, err)
	}
	token, err := bootstraptoken.NewBootstrapTokenString(in.Token.Reveal())
	if err != nil {
		return nil, fmt.Errorf("render the init configuration of %s: the bootstrap token doesn't have the form [a-z0-9]{6}.[a-z0-9]{16}", in.Node.Name)
	}
	return marshal(
		v1beta4.InitConfiguration{
			TypeMeta: kubeadmType("InitConfiguration"),
			// With no token here kubeadm makes one of its own in every phase.
			BootstrapTokens: []bootstraptoken.BootstrapToken{{
				Token:       token,
				Description: "made by ra2-deploy for the first control plane",
				TTL:         &metav1.Duration{Duration: TokenTTL},
				Usages:      []string{"signing", "authentication"},
				Groups:      []string{"system:bootstrappers:kubeadm:default-node-token"},
			}},
			NodeRegistration: registration(in),
			LocalAPIEndpoint: localAPI(in),
			Timeouts:         timeouts(),
		},
		clusterConfiguration(in.Cluster),
		kubeletConfiguration(),
		proxyConfiguration(),
	)
}

// Join returns kubeadm's configuration for a node that joins: one YAML document
// JoinConfiguration. The node's ControlPlane field decides as what it joins.
func Join(in Input) ([]byte, error) {
	if err := in.check(); err != nil {
		return nil, fmt.Errorf("render the join configuration of %s: %w", in.Node.Name, err)
	}
	config := v1beta4.JoinConfiguration{
		TypeMeta:         kubeadmType("JoinConfiguration"),
		NodeRegistration: registration(in),
		CACertPath:       pkiDir + "/ca.crt",
		Discovery: v1beta4.Discovery{
			File:              &v1beta4.FileDiscovery{KubeConfigPath: DiscoveryPath},
			TLSBootstrapToken: in.Token.Reveal(),
		},
		Timeouts: timeouts(),
	}
	if in.Node.ControlPlane {
		config.ControlPlane = &v1beta4.JoinControlPlane{LocalAPIEndpoint: localAPI(in)}
	}
	return marshal(config)
}

func kubeadmType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: v1beta4.SchemeGroupVersion.String(), Kind: kind}
}

// clusterConfiguration is the same for all nodes of c.
func clusterConfiguration(c inventory.Cluster) v1beta4.ClusterConfiguration {
	k := c.Kubernetes
	return v1beta4.ClusterConfiguration{
		TypeMeta:             kubeadmType("ClusterConfiguration"),
		ClusterName:          c.Name,
		KubernetesVersion:    k.Version,
		ControlPlaneEndpoint: endpoint(k),
		EncryptionAlgorithm:  v1beta4.EncryptionAlgorithmECDSAP256,
		Networking: v1beta4.Networking{
			PodSubnet:     join(k.PodCIDRs),
			ServiceSubnet: join(k.ServiceCIDRs),
			DNSDomain:     "cluster.local",
		},
		APIServer:         apiServer(certSANs(c)),
		ControllerManager: v1beta4.ControlPlaneComponent{ExtraArgs: append(controllerManagerArgs(k), quiet()...)},
		Scheduler:         v1beta4.ControlPlaneComponent{ExtraArgs: quiet()},
		Etcd: v1beta4.Etcd{Local: &v1beta4.LocalEtcd{
			DataDir:   "/var/lib/etcd",
			ExtraArgs: etcdArgs(c.Image),
		}},
	}
}

// registration says how the node registers itself. A control plane that isn't
// a worker gets kubeadm's default taint: for kubeadm a nil list of taints means
// that default and an empty list means no taint at all.
func registration(in Input) v1beta4.NodeRegistrationOptions {
	labels := fmt.Sprintf("%s=%s,%s=%s", LabelGeneration, Short(in.Generation), LabelImage, Short(in.Image))
	if in.Node.Zone != "" {
		labels += "," + LabelZone + "=" + in.Node.Zone
	}
	if in.Node.Worker { // where pods may choose it (ra2.k8s.011); that it is met was checked before
		labels += "," + profileLabel(in.Cluster.Classes[in.Node.Class]) + "=true"
	}
	args := []v1beta4.Arg{
		{Name: "node-ip", Value: join(addrs(in.Node.Addresses))},
		{Name: "node-labels", Value: labels},
	}
	reg := v1beta4.NodeRegistrationOptions{
		Name:             in.Node.Name,
		CRISocket:        criSocket,
		KubeletExtraArgs: append(args, processorArgs(in.Cluster.Classes[in.Node.Class])...),
		// All images are in the node's image; there is no registry to wait for.
		ImagePullPolicy: corev1.PullNever,
		IgnorePreflightErrors: []string{
			"Mem", "NumCPU", // RA2's minimums are checked before, and are higher
			"SystemVerification", // of the kernel, which is part of the image
		},
	}
	if in.Node.ControlPlane && in.Node.Worker {
		reg.Taints = []corev1.Taint{}
	}
	return reg
}

// processorArgs keep processors for the system and Kubernetes (ra2.k8s.008), and
// give whole ones, with the devices beside them, to workloads of the
// high-performance profile (ra2.k8s.006, ra2.k8s.009). They are flags, for classes
// differ and KubeletConfiguration is one for the cluster; RA2's feature gates for
// them are gone since 1.33.
func processorArgs(class inventory.Class) []v1beta4.Arg {
	if class.Reserved == "" {
		return nil
	}
	args := []v1beta4.Arg{{Name: "reserved-cpus", Value: string(class.Reserved)}}
	if class.Profile == inventory.HighPerformance {
		args = append(args,
			v1beta4.Arg{Name: "cpu-manager-policy", Value: "static"},
			v1beta4.Arg{Name: "topology-manager-policy", Value: "single-numa-node"})
	}
	return args
}

// localAPI is where the API server and etcd of this node answer.
func localAPI(in Input) v1beta4.APIEndpoint {
	return v1beta4.APIEndpoint{
		AdvertiseAddress: in.Node.Addresses[0].Addr().String(),
		BindPort:         int32(in.Cluster.Kubernetes.Endpoint.Port),
	}
}

// certSANs names all that an API server may be called: kubeadm adds the node's
// own name, its first address and the first service address.
func certSANs(c inventory.Cluster) []string {
	sans := []string{c.Kubernetes.Endpoint.Host, "localhost", "127.0.0.1", "::1"}
	for _, vip := range c.Kubernetes.Endpoint.VIPs {
		sans = append(sans, vip.String())
	}
	for _, n := range c.Nodes {
		if !n.ControlPlane {
			continue
		}
		for _, a := range addrs(n.Addresses) {
			sans = append(sans, a.String())
		}
	}
	return sans
}

// controllerManagerArgs give each node its part of the pod ranges; kubeadm adds
// allocate-node-cidrs and cluster-cidr itself.
func controllerManagerArgs(k inventory.Kubernetes) []v1beta4.Arg {
	var args []v1beta4.Arg
	for _, pods := range k.PodCIDRs {
		name := "node-cidr-mask-size"
		switch {
		case len(k.PodCIDRs) == 1: // the only name a single family knows
		case pods.Addr().Is4():
			name += "-ipv4"
		default:
			name += "-ipv6"
		}
		mask, err := nodeMask(pods)
		if err != nil {
			continue // refused by Input.check
		}
		args = append(args, v1beta4.Arg{Name: name, Value: strconv.Itoa(mask)})
	}
	return args
}

// etcdArgs says how patient etcd is. Its defaults (100 ms, 1 s) are for fast
// disks in one rack; etcd's tuning guide wants the election timeout at ten times
// the heartbeat and above the worst delay of a disk write. Servers get 250 ms
// and 2.5 s, which outlasts a busy disk; virtual machines (kernel "cloud") get
// 1 s and 10 s, as processors and disks that are shared or emulated stall for
// seconds. The price is how long writes stop when the leader dies.
func etcdArgs(image inventory.Image) []v1beta4.Arg {
	heartbeat, election := "250", "2500"
	if image.Kernel == "cloud" {
		heartbeat, election = "1000", "10000"
	}
	return []v1beta4.Arg{
		{Name: "cipher-suites", Value: strings.Join(cipherSuites(), ",")}, // as the other servers: CIS 1.2.29
		{Name: "election-timeout", Value: election},
		{Name: "heartbeat-interval", Value: heartbeat},
		{Name: "tls-min-version", Value: "TLS1.2"},
	}
}

// timeouts are how long kubeadm itself waits inside one phase; each is shorter
// than the phase's own limit, so that kubeadm's words are heard.
func timeouts() *v1beta4.Timeouts {
	minutes := func(n int) *metav1.Duration { return &metav1.Duration{Duration: time.Duration(n) * time.Minute} }
	return &v1beta4.Timeouts{
		ControlPlaneComponentHealthCheck: minutes(10),
		KubeletHealthCheck:               minutes(4),
		KubernetesAPICall:                minutes(2),
		EtcdAPICall:                      minutes(4),
		TLSBootstrap:                     minutes(5),
		Discovery:                        minutes(3),
	}
}

// marshal returns the objects as YAML documents.
func marshal(objects ...any) ([]byte, error) {
	var docs [][]byte
	for _, o := range objects {
		doc, err := yaml.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("write %T as YAML: %w", o, err)
		}
		docs = append(docs, doc)
	}
	return bytes.Join(docs, []byte("---\n")), nil
}

// profileLabel returns the key by which a node says its profile.
func profileLabel(c inventory.Class) string {
	if c.Profile == inventory.HighPerformance {
		return ra2.LabelIntensive
	}
	return ra2.LabelBasic
}
