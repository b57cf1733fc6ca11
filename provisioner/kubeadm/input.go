package kubeadm

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// Version is the Kubernetes version that this package renders for and checks
// with. It is that of the module k8s.io/kubernetes in go.mod.
const Version = "v1.37.2"

// Paths on a node. All are below /etc/kubernetes, which is kept over reboots.
const (
	Dir            = "/etc/kubernetes/ra2"
	ConfigPath     = Dir + "/kubeadm.yaml"
	DiscoveryPath  = Dir + "/discovery.conf"
	ResolvConfPath = Dir + "/resolv.conf"
	KeepalivedPath = Dir + "/keepalived.conf"
	pkiDir         = "/etc/kubernetes/pki"
	criSocket      = "unix:///run/containerd/containerd.sock" // contract of the image
)

// Labels that the kubelet sets on its own node object, so that the node itself
// says what it runs.
const (
	LabelImage      = "ra2-deploy.io/image"      // first 16 hex digits of the image's digest
	LabelGeneration = "ra2-deploy.io/generation" // first 16 hex digits of the node's generation
	LabelZone       = "topology.kubernetes.io/zone"
)

// Input is all that determines how one node is configured.
type Input struct {
	Cluster    inventory.Cluster
	Node       inventory.Node
	Image      string       // digest, "sha256:<hex>"
	Generation string       // digest, "sha256:<hex>"
	Token      secret.Value // bootstrap token of this form or join, see NewToken
}

// Short returns the part of a digest that a node label carries: the first 16
// digits after "sha256:". A label value holds at most 63 characters, and no colon.
func Short(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return hex[:min(16, len(hex))]
}

// check returns every reason why in can't be rendered.
func (in Input) check() error {
	var errs []error
	if in.Node.Name == "" {
		errs = append(errs, errors.New("the node has no name"))
	}
	if len(in.Node.Addresses) == 0 {
		errs = append(errs, fmt.Errorf("node %s has no address", in.Node.Name))
	}
	if in.Cluster.Kubernetes.Endpoint.Host == "" {
		errs = append(errs, errors.New("kubernetes.endpoint.host is empty"))
	}
	for _, p := range in.Cluster.Kubernetes.PodCIDRs {
		if _, err := nodeMask(p); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// endpoint returns "host:port" of the API server for all nodes and users.
func endpoint(k inventory.Kubernetes) string {
	return fmt.Sprintf("%s:%d", k.Endpoint.Host, k.Endpoint.Port)
}

// nodeMask returns the prefix length of the range that each node gets out of
// one pod range: /24 and /64 where they fit. kubeadm allows at most 16 bits
// between the two (validation.ValidatePodSubnetNodeMask).
func nodeMask(pods netip.Prefix) (int, error) {
	want, most := 24, 28
	if pods.Addr().Is6() {
		want, most = 64, 120
	}
	mask := min(max(want, pods.Bits()+4), pods.Bits()+16)
	if mask > most {
		return 0, fmt.Errorf("podCIDRs: %v is too small: a node's part of it would be /%d, at most /%d is useful", pods, mask, most)
	}
	return mask, nil
}

// join returns the values with commas between them.
func join[T fmt.Stringer](values []T) string {
	var text []string
	for _, v := range values {
		text = append(text, v.String())
	}
	return strings.Join(text, ",")
}

// addrs returns the addresses without their prefix lengths.
func addrs(prefixes []netip.Prefix) []netip.Addr {
	var out []netip.Addr
	for _, p := range prefixes {
		out = append(out, p.Addr())
	}
	return out
}
