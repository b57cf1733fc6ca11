package main

import (
	"fmt"
	"net/http/httptest"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/replay"
)

// replayed starts an API server that says what a snapshot says, and writes a
// kubeconfig for it: "cluster conformant", or "cluster deny PATH…" for one
// whose user may not see some paths.
func replayed(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "cluster conformant | deny PATH… | one-family")
	s := mutate.Conformant()
	s.HelmReleases = []conform.HelmRelease{{Namespace: "cnf", Name: "upf", Revision: "1", Status: "deployed"}}
	if args[0] == "one-family" {
		s.ServiceCIDRs[0].Spec.CIDRs = s.ServiceCIDRs[0].Spec.CIDRs[:1]
	}
	server, err := replay.New(s)
	ts.Check(err)
	if args[0] == "deny" {
		server.Deny = args[1:]
	}
	at := httptest.NewServer(server)
	ts.Defer(at.Close)
	ts.Check(os.WriteFile(ts.MkAbs("kubeconfig"), fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
users: [{name: test, user: {token: opens-the-cluster}}]
current-context: test
`, at.URL), 0o600))
}
