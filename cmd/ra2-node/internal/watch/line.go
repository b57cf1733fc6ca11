package watch

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// linePause is between two tries to tell the cluster of the kernel line: after a
// start nobody may answer for minutes.
const linePause = 10 * time.Second

// tellLine tells the cluster whether this node's kernel has the signed words of
// its class: the agent of a member is silent, and a host can start without them at
// any time. A host that is no member yet has nobody to tell; its provisioner hears
// it from the agent.
func tellLine(ctx context.Context, say func(string, ...any), wrong string, tell func(context.Context, condition) error) {
	c := condition{agent.ConditionKernelLine, "False", "AsSigned", "the kernel has the words that were signed for this node's class"}
	if wrong != "" {
		c = condition{agent.ConditionKernelLine, "True", "WordsMissing", wrong}
	}
	for said := ""; ; {
		err := tell(ctx, c)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err.Error() != said {
			said = err.Error()
			say("tell the cluster of the kernel line: %v; again in %s", err, linePause)
		}
		if !sleep(ctx, linePause) {
			return
		}
	}
}
