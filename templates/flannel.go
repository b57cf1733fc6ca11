package templates

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

//go:embed flannel.yaml.tmpl
var flannelText string

// flannelConfig is flannel's net-conf.json (pkg/subnet/config.go).
type flannelConfig struct {
	Network        string `json:",omitempty"`
	EnableIPv4     bool
	IPv6Network    string `json:",omitempty"`
	EnableIPv6     bool
	EnableNFTables bool // also spares flannel's check for br_netfilter
	Backend        map[string]string
}

// Objects returns the cluster's own objects as YAML documents, in the order in
// which they can be applied: the pod network. CoreDNS and kube-proxy are
// kubeadm's addons.
func Objects(c inventory.Cluster) ([]byte, error) {
	config := flannelConfig{EnableNFTables: true, Backend: map[string]string{"Type": "vxlan"}}
	for _, p := range c.Kubernetes.PodCIDRs {
		if p.Addr().Is4() {
			config.Network, config.EnableIPv4 = p.String(), true
		} else {
			config.IPv6Network, config.EnableIPv6 = p.String(), true
		}
	}
	if !config.EnableIPv4 && !config.EnableIPv6 {
		return nil, errors.New("render the pod network: kubernetes.podCIDRs is empty")
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("render the pod network: %w", err)
	}
	if !hostName.MatchString(c.Kubernetes.Endpoint.Host) {
		return nil, fmt.Errorf("render the pod network: kubernetes.endpoint.host: %q is no host name", c.Kubernetes.Endpoint.Host)
	}
	parsed, err := template.New("flannel").Parse(flannelText)
	if err != nil {
		return nil, fmt.Errorf("render the pod network: %w", err)
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, struct {
		NetConf, NetConfDigest, InterfaceFlag, Host string
		Port                                        uint16
	}{
		string(text), fmt.Sprintf("%x", sha256.Sum256(text))[:16], "--iface-regex=" + nodeAddresses(c),
		c.Kubernetes.Endpoint.Host, c.Kubernetes.Endpoint.Port,
	})
	return out.Bytes(), err
}

// hostName is what may stand where a host name is wanted (RFC 1123).
var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// nodeAddresses is a regular expression for the addresses of all nodes. flannel
// takes the interface that has one of them, and as the ends of its tunnels just
// these: left to itself it wants a default route, and takes the IPv6 address
// that was added last, which on a control plane can be the virtual one.
func nodeAddresses(c inventory.Cluster) string {
	var all []string
	for _, n := range c.Nodes {
		for _, a := range n.Addresses {
			all = append(all, regexp.QuoteMeta(a.Addr().String()))
		}
	}
	slices.Sort(all)
	return "^(" + strings.Join(all, "|") + ")$"
}
