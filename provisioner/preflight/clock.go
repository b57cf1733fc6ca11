package preflight

import (
	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// systemClock asks the kernel whether somebody keeps its clock right; it
// changes nothing (adjtimex(2), modes 0).
func systemClock() facts.SystemClock {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return facts.SystemClock{Err: "adjtimex: " + err.Error()}
	}
	return facts.SystemClock{Synchronised: t.Status&unix.STA_UNSYNC == 0}
}
