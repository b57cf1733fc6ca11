package boot

import (
	"fmt"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// certsDir is containerd's config_path (images/files/kubernetes); its folder
// _default is for every registry that has none of its own.
const certsDir = "etc/containerd/certs.d/_default/"

// mirror returns containerd's files for a mirror of every registry
// (containerd's docs/hosts.md). The mirror gets the registry's name in the query,
// so manifests keep the names of their images. Whoever is asked next is the
// registry itself: when the mirror doesn't answer within dial_timeout, or has no
// such image.
func mirror(m *agent.Mirror) map[string]string {
	if m == nil || strings.ContainsAny(m.URL, "\"\\\n") { // it would end the string in TOML
		return nil
	}
	hosts := fmt.Sprintf("# laid at boot by ra2-node\n[host.%q]\ncapabilities = [\"pull\", \"resolve\"]\nca = \"/%sra2-site.pem\"\ndial_timeout = \"2s\"\n", m.URL, certsDir)
	return map[string]string{certsDir + "hosts.toml": hosts, certsDir + "ra2-site.pem": m.CA}
}
