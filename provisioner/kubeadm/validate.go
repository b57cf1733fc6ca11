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
		found = make([][]error, len(c.Nodes))
		gate  = make(chan struct{}, runtime.GOMAXPROCS(0)) // kubeadm takes a millisecond for a node, and sites have a thousand
	)
	for i, n := range c.Nodes {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			found[i] = validateNode(c, n)
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

// validateNode returns every problem of what one node may get.
func validateNode(c inventory.Cluster, n inventory.Node) []error {
	in := Input{Cluster: c, Node: n, Image: zeroDigest, Generation: zeroDigest, Token: exampleToken()}
	problems := validateOne(in, Join)
	if n.ControlPlane {
		problems = append(problems, validateOne(in, Init)...)
	}
	return problems
}

func validateOne(in Input, render func(Input) ([]byte, error)) []error {
	config, err := render(in)
	if err != nil {
		return []error{err}
	}
	return Validate(config)
}
