package install

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/disk"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/host"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// A teller tells the console and the provisioner how the work goes.
type teller struct {
	client *agent.Client
	say    func(string, ...any)

	doing           string
	begun           time.Time // of doing
	toConsole, toUp time.Time // last progress
}

// How often progress is told.
const (
	consoleEvery = 2 * time.Second
	reportEvery  = 3 * time.Second
)

// report sends one report. One that can't be sent is told on the console and
// lost: the work is what counts.
func (t *teller) report(ctx context.Context, r agent.Report) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r.Stage, r.Time = agent.StageInstaller, time.Now()
	if err := t.client.Report(ctx, r); err != nil {
		t.say("report to the provisioner: %v", err)
	}
}

func (t *teller) failed(ctx context.Context, err error) {
	if err == nil {
		return
	}
	report := agent.Report{Status: agent.StatusFailed, Note: err.Error(), Held: held(err), Next: "the machine restarts"}
	if report.Held {
		report.Next = "correct the disk in the inventory, or the machine's disks"
	}
	t.report(ctx, report)
}

// held reports whether a person is needed: the disk isn't the one that the
// inventory names, or can't take the image.
func held(err error) bool {
	var none *host.NoDiskError
	var inUse *host.HeldDiskError
	var unfit *disk.UnfitError
	return errors.As(err, &none) || errors.As(err, &inUse) || errors.As(err, &unfit)
}

// progress tells how far the work is, not too often. what names the disk.
func (t *teller) progress(ctx context.Context, what string) func(doing string, done, total int64) {
	return func(doing string, done, total int64) {
		now := time.Now()
		if doing != t.doing {
			t.doing, t.begun = doing, now
		}
		if done == total || now.Sub(t.toConsole) >= consoleEvery {
			t.toConsole = now
			t.say("%s", line(doing, what, done, total, now.Sub(t.begun)))
		}
		if now.Sub(t.toUp) >= reportEvery {
			t.toUp = now
			go t.report(ctx, agent.Report{Status: agent.StatusNoted, Note: line(doing, what, done, total, now.Sub(t.begun))})
		}
	}
}

// line is "writing image to vda (...): 41% 212 MB/s, 12s left".
func line(doing, what string, done, total int64, took time.Duration) string {
	rate := float64(done) / max(took.Seconds(), 0.001)
	if total <= 0 {
		return fmt.Sprintf("%s, %s: %d MB %.0f MB/s", doing, what, done/1e6, rate/1e6)
	}
	left := time.Duration(float64(total-done) / max(rate, 1) * float64(time.Second))
	return fmt.Sprintf("%s, %s: %d%% %.0f MB/s, %s left", doing, what, 100*done/total, rate/1e6, left.Round(time.Second))
}
