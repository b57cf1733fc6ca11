package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// A node whose reading of the root meets a wrong block is halted once, and says
// so until it is gone, also to a provisioner that comes an hour later.
func TestWrongBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		var bad atomic.Bool
		var halted []string
		var hellos []agent.Hello
		listens := time.Now().Add(2 * time.Hour)
		w := &Watch{
			Config: agent.NodeConfig{Generation: "sha256:g"},
			Say:    func(string, ...any) {},
			Look:   func() (bool, error) { return bad.Load(), nil },
			Found:  func() string { return "data block 7 is corrupted" },
			Read:   func(context.Context) error { bad.Store(true); return errors.New("input/output error") },
			Tell:   func(context.Context, string) error { return errors.New("the cluster is gone") },
			Halt:   func(why string) error { halted = append(halted, why); return nil },
			Word: func(_ context.Context, h agent.Hello) (agent.Word, error) {
				if time.Now().Before(listens) {
					return agent.Word{}, errors.New("connection refused")
				}
				hellos = append(hellos, h)
				return agent.Word{}, nil
			},
		}
		if err := w.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended: %v", err)
		}
		if len(halted) != 1 || halted[0] != "data block 7 is corrupted" {
			t.Errorf("halted %q", halted)
		}
		if len(hellos) < 300 {
			t.Fatalf("%d hellos in an hour", len(hellos))
		}
		h := hellos[0]
		if h.Stage != agent.StageNode || h.Generation != "sha256:g" || h.Root == nil || h.Root.Verity != facts.RootCorrupt || h.Root.Why != halted[0] {
			t.Errorf("hello %+v", h)
		}
	})
}

// A whole root is read after a minute and then once a day; a disk that fails to
// answer is told and is not called corrupt.
func TestWholeRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Hour)
		defer cancel()
		var reads int
		var said strings.Builder
		w := &Watch{
			Say:  func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) },
			Look: func() (bool, error) { return false, nil },
			Read: func(context.Context) error {
				reads++
				if reads == 2 {
					return errors.New("the disk is busy")
				}
				return nil
			},
			Halt: func(string) error { t.Error("a whole node was halted"); return nil },
			Word: func(context.Context, agent.Hello) (agent.Word, error) {
				t.Error("a whole node speaks")
				return agent.Word{}, nil
			},
		}
		if err := w.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended: %v", err)
		}
		if reads != 3 || !strings.Contains(said.String(), "the disk is busy") || strings.Count(said.String(), "each block is what the image had") != 2 {
			t.Errorf("%d reads; said:\n%s", reads, said.String())
		}
	})
}

// Device mapper that doesn't answer is unknown, never whole.
func TestUnknown(t *testing.T) {
	w := &Watch{Say: func(string, ...any) {}, Look: func() (bool, error) { return false, errors.New("no such device") }, Read: func(context.Context) error { return nil }}
	if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Error(err)
	}
}
