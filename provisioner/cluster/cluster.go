// Package cluster speaks with a cluster after it was born: its API servers and
// its etcd members, each at the control planes' own addresses. It doesn't need
// the virtual address, which is one of the things that it looks at.
//
// It signs its own client certificates with the cluster's authorities, so there
// is no kubeconfig to fetch from a node.
package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
)

// askTime bounds one question to one server: long enough for a virtual machine
// under load, short enough that a dead server costs little.
const askTime = 5 * time.Second

// user is the name under which the cluster's audit log knows this program.
const user = "ra2-deploy"

// A Client is good for one cluster and for a year, the validity of its
// certificates. It may be used by several goroutines.
type Client struct {
	want   inventory.Cluster
	random io.Reader
	now    func() time.Time

	api  kubeadm.Leaf // for API servers
	ca   kubeadm.Authority
	etcd *tls.Config // for etcd members

	etcdPort uint16 // 2379 but in tests

	mu    sync.Mutex
	built map[netip.AddrPort]*server
}

// server is one API server.
type server struct {
	at     netip.AddrPort
	config *rest.Config
	client *kubernetes.Clientset
}

// New returns a client of the wanted cluster. It talks to nobody yet. random
// makes its keys and the bootstrap tokens, now is the clock.
func New(want inventory.Cluster, pki kubeadm.PKI, random io.Reader, now func() time.Time) (*Client, error) {
	c := &Client{want: want, random: random, now: now, ca: pki.CA, etcdPort: 2379, built: map[netip.AddrPort]*server{}}
	var err error
	if c.api, err = pki.CA.Client(random, now(), user, kubeadm.AdminGroup); err != nil {
		return nil, err
	}
	leaf, err := pki.Etcd.Client(random, now(), user)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(leaf.Cert), []byte(leaf.Key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("use the certificate for etcd: %w", err)
	}
	c.etcd = &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool(pki.Etcd), MinVersion: tls.VersionTLS12}
	return c, nil
}

func pool(a kubeadm.Authority) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM([]byte(a.Cert))
	return p
}

// Ready returns nil when at least one API server answers /readyz with 200, and
// else what each of them said.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.server(ctx)
	return err
}

// server returns the first API server that says it is ready. All are asked at
// once, so a dead one costs nothing while another lives.
func (c *Client) server(ctx context.Context) (*server, error) {
	all := c.servers()
	if len(all) == 0 {
		return nil, errors.New("ask the API servers: the inventory has no control plane with an address")
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	type answer struct {
		from *server
		err  error
	}
	answers := make(chan answer, len(all))
	for _, s := range all {
		go func() { answers <- answer{s, s.ready(ctx)} }()
	}
	var errs []error
	for range all {
		a := <-answers
		if a.err == nil {
			return a.from, nil
		}
		errs = append(errs, a.err)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return nil, fmt.Errorf("no API server is ready: %w", errors.Join(errs...))
}

// ready returns what the server says against being used.
func (s *server) ready(ctx context.Context) error {
	body, err := s.client.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("GET https://%v/readyz: %w%s", s.at, err, excerpt(body))
	}
	return nil
}

// excerpt returns the parts of a /readyz answer that failed.
func excerpt(body []byte) string {
	var failed []string
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "[-]") {
			failed = append(failed, strings.TrimSpace(line))
		}
	}
	if len(failed) == 0 {
		return ""
	}
	return " (" + strings.Join(failed, "; ") + ")"
}

// servers returns a client for the first address of each control plane.
func (c *Client) servers() []*server {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*server
	for _, n := range c.want.Nodes {
		if !n.ControlPlane || len(n.Addresses) == 0 {
			continue
		}
		at := netip.AddrPortFrom(n.Addresses[0].Addr(), c.want.Kubernetes.Endpoint.Port)
		if c.built[at] == nil {
			s, err := c.build(at)
			if err != nil {
				continue // only a broken certificate does that, and New checked it
			}
			c.built[at] = s
		}
		all = append(all, c.built[at])
	}
	return all
}

func (c *Client) build(at netip.AddrPort) (*server, error) {
	config := &rest.Config{
		Host:           "https://" + at.String(),
		WarningHandler: rest.NoWarnings{},
		QPS:            50, Burst: 100,
		TLSClientConfig: rest.TLSClientConfig{
			// All API servers are certified for the endpoint's name; the address
			// of one that was added later may be in no older certificate.
			ServerName: c.want.Kubernetes.Endpoint.Host,
			CAData:     []byte(c.ca.Cert),
			CertData:   []byte(c.api.Cert),
			KeyData:    []byte(c.api.Key.Reveal()),
		},
	}
	client, err := kubernetes.NewForConfig(config)
	return &server{at, config, client}, err
}
