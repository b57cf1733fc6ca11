package report

import (
	"fmt"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/observe"
)

// Asking returns how far a look at the controllers is, as one line: who is
// waited for, and when they are given up.
func Asking(a observe.Asking, now time.Time) string {
	text := fmt.Sprintf("%d of %s answered", a.Total-len(a.Waiting), Count(a.Total, "controller"))
	if len(a.Waiting) == 0 {
		return text
	}
	text += "; waiting for " + Hosts(a.Waiting)
	if !a.Deadline.IsZero() {
		text += fmt.Sprintf(", at most %s more, then they are unknown", short(a.Deadline.Sub(now)))
	}
	return text
}
