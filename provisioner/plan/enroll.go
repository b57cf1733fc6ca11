package plan

import (
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// enroll adds the step that brings the certificate into the host's firmware,
// where something lacks, and returns its ID; empty where nothing does. restart
// is for a host that isn't written anew.
func (m *maker) enroll(n inventory.Node, now facts.BMC, needs []step.ID, restart bool) step.ID {
	why := lacks(m.want.Certificate, now, restart)
	if why == "" {
		return ""
	}
	id := On(n.Name, "verifying")
	m.add(step.Step{
		ID: id, Host: n.Name, Needs: needs, Why: why, Do: step.Enroll{Certificate: m.want.Certificate, Restart: restart},
	})
	return id
}

// lacks says what a host's firmware lacks to verify by this certificate. What a
// controller doesn't show can't be brought about; the rules refuse that.
// running counts what waits for a start, too.
func lacks(certificate string, now facts.BMC, running bool) string {
	k := now.Keys
	if certificate == "" || k == nil || !k.Offered {
		return ""
	}
	var words []string
	if !slices.Contains(k.DB, certificate) {
		words = append(words, "its firmware's db lacks the certificate "+Short(certificate))
	}
	switch enabled := k.Enabled != nil && *k.Enabled; {
	case !enabled:
		words = append(words, "Secure Boot is off")
	case running && now.SecureBoot != nil && !*now.SecureBoot:
		words = append(words, "Secure Boot waits for a start")
	}
	return strings.Join(words, ", ")
}
