package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/ra2-deploy/ra2-deploy/provisioner/observe"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// How often a look at controllers that takes long tells how far it is, where
// lines can't be written anew.
const betweenLines = 10 * time.Second

// asking shows how far a look at the controllers is: on a terminal in one line
// that is written anew, else in a line now and then.
type asking struct {
	out  io.Writer
	anew bool
	last time.Time
}

func newAsking(out io.Writer) *asking {
	f, ok := out.(*os.File)
	return &asking{out: out, anew: ok && isatty.IsTerminal(f.Fd()), last: time.Now()}
}

// tell shows how far a look is. The first second of it is not worth a word.
func (a *asking) tell(now observe.Asking) {
	const erase = "\r\x1b[K"
	switch line := report.Asking(now, time.Now()); {
	case a.anew && len(now.Waiting) == 0:
		fmt.Fprint(a.out, erase)
	case a.anew:
		fmt.Fprint(a.out, erase+line)
	case time.Since(a.last) >= betweenLines && len(now.Waiting) > 0:
		a.last = time.Now()
		fmt.Fprintln(a.out, line)
	}
}
