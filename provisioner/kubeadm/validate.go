package kubeadm

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	configutil "k8s.io/kubernetes/cmd/kubeadm/app/util/config"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

// Validate returns every problem that kubeadm's own code ("kubeadm config
// validate") has with a configuration, and what it doesn't look for: feature
// gates that this version of Kubernetes doesn't know. Kubelets and API servers
// exit when they are given one, long after kubeadm said that all is well.
//
// kubeadm checks its version window only in binaries stamped with a version
// (-X k8s.io/component-base/version.gitVersion=...), so see also Supported.
func Validate(config []byte) []error {
	// kubeadm looks for the discovery file on the machine that validates; it
	// takes an HTTPS address without fetching it.
	here := bytes.ReplaceAll(config, []byte("kubeConfigPath: "+DiscoveryPath), []byte("kubeConfigPath: https://provisioner.invalid/discovery.conf"))
	var problems []error
	if err := configutil.ValidateConfig(here, false, false); err != nil {
		problems = flatten(err)
	}
	gates, err := UnknownGates(config)
	if err != nil {
		problems = append(problems, err)
	}
	for _, g := range gates {
		problems = append(problems, fmt.Errorf("%s: Kubernetes %s doesn't know the feature gate %q; its components would not start", g.Field, Version, g.Name))
	}
	return problems
}

// flatten returns the single errors of an aggregate.
func flatten(err error) []error {
	var many utilerrors.Aggregate
	if errors.As(err, &many) {
		return utilerrors.Flatten(many).Errors()
	}
	return []error{err}
}

// Supported returns an error when this build can't make a cluster of the
// wanted version: configurations are checked with the code of one minor.
func Supported(version string) error {
	minor := func(v string) string {
		return strings.Join(strings.SplitN(v, ".", 3)[:min(2, strings.Count(v, ".")+1)], ".")
	}
	if minor(version) != minor(Version) {
		return fmt.Errorf("kubernetes.version: %s is wanted and this build of ra2-deploy makes %s clusters", version, minor(Version))
	}
	return nil
}

// ValidateAll renders the configuration of every node of the cluster, as if
// each formed or joined it, and returns every problem, each with its node. It is
// to be asked before any host is touched. The digests and the token that are not
// known yet are stood in for.
func ValidateAll(c inventory.Cluster) []error {
	var problems []error
	if err := Supported(c.Kubernetes.Version); err != nil {
		problems = append(problems, err)
	}
	var (
		wg    sync.WaitGroup
		like  sync.Map // a worker's configuration without what is its own, to *opinion
		found = make([][]error, len(c.Nodes))
		gate  = make(chan struct{}, runtime.GOMAXPROCS(0))
	)
	for i, n := range c.Nodes {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			found[i] = validateNode(c, n, &like)
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for i, n := range c.Nodes {
		for _, err := range found[i] {
			// What is wrong with the cluster is wrong on every node: say it once.
			if !seen[err.Error()] {
				seen[err.Error()] = true
				problems = append(problems, fmt.Errorf("node %s: %w", n.Name, err))
			}
		}
	}
	return problems
}

// opinion is what kubeadm says of a configuration.
type opinion struct {
	once     sync.Once
	problems []error
}

// validateNode returns every problem of what one node may get. kubeadm takes a
// millisecond for a configuration, and a site has a thousand workers: those
// that differ in name and addresses only, which the inventory has checked, get
// one opinion.
func validateNode(c inventory.Cluster, n inventory.Node, like *sync.Map) []error {
	in := Input{Cluster: c, Node: n, Image: zeroDigest, Generation: zeroDigest, Token: exampleToken()}
	config, err := Join(in)
	switch {
	case err != nil:
		return []error{err}
	case n.ControlPlane:
		return append(Validate(config), validateInit(in)...)
	}
	same, _ := like.LoadOrStore(anonymous(config, n), &opinion{})
	one := same.(*opinion)
	one.once.Do(func() { one.problems = Validate(config) })
	return one.problems
}

// anonymous returns a configuration without name and addresses of its node.
func anonymous(config []byte, n inventory.Node) string {
	own := []string{n.Name, "·"}
	for _, a := range n.Addresses {
		own = append(own, a.Addr().String(), "·")
	}
	return strings.NewReplacer(own...).Replace(string(config))
}

func validateInit(in Input) []error {
	config, err := Init(in)
	if err != nil {
		return []error{err}
	}
	return Validate(config)
}
