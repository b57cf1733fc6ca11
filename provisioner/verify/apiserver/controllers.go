package apiserver

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// Controllers starts a real kube-controller-manager with these controllers, for a
// server that Start started. It ends with the test, which is skipped where nothing
// built it.
func Controllers(t *testing.T, config *rest.Config, names ...string) {
	t.Helper()
	manager := program(t, "kube-controller-manager")
	file := filepath.Join(t.TempDir(), "kubeconfig")
	lay(t, file, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],
clusters: [{name: a, cluster: {server: %q, insecure-skip-tls-verify: true}}], users: [{name: a, user: {token: %q}}]}`, config.Host, Admin))
	run(t, manager, "--kubeconfig="+file, "--leader-elect=false", "--secure-port=0", "--controllers="+strings.Join(names, ","))
}
