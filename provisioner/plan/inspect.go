package plan

import (
	"fmt"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// Untold is a host, and the requirements of which nobody tells whether it
// meets them.
type Untold struct {
	Host string
	Rows []string
}

// Inspect returns the steps in which hosts tell themselves what their
// controllers don't; all else is planned when that is known. There is no step
// when one of them has told already, or holds an image: then it would tell
// nothing more, or a node would be restarted for it. Firmware that is to verify
// by a certificate gets it first, or it would refuse the installer.
func Inspect(certificate string, untold []Untold, seen facts.Seen, rec step.Record) step.Plan {
	var p step.Plan
	for _, u := range untold {
		now := seen.Hosts[u.Host]
		holds := now.Member.Exists || now.Agent.Stage == stageNode || rec[On(u.Host, "installed")].Status == step.Done
		if now.Agent.Hardware != nil || holds {
			return step.Plan{}
		}
		var needs []step.ID
		if why := lacks(certificate, now.BMC, false); why != "" {
			needs = []step.ID{On(u.Host, "verifying")}
			p.Steps = append(p.Steps, step.Step{ID: needs[0], Host: u.Host, Why: why, Do: step.Enroll{Certificate: certificate}})
		}
		p.Steps = append(p.Steps, step.Step{
			ID: On(u.Host, "inspected"), Host: u.Host, Do: step.Inspect{}, Needs: needs,
			Why: fmt.Sprintf("nobody tells of %s; it can itself, booted into the installer, which writes nothing; power is %s", strings.Join(u.Rows, ", "), orUnknown(now.BMC.Power)),
		})
	}
	p.Later = []string{"everything else: not planned before what these hosts tell of themselves is judged"}
	return p
}
