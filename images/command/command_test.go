package command

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestRunGivesStandardOutputOnly(t *testing.T) {
	out, err := Run(t.Context(), Command{Args: []string{"sh", "-c", "echo asked; echo noise >&2"}})
	if err != nil || string(out) != "asked\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestFailureTellsCommandAndOutput(t *testing.T) {
	_, err := Run(t.Context(), Command{Env: []string{"WHY=no space"}, Args: []string{"sh", "-c", "echo $WHY >&2; exit 7"}})
	var failed *Failed
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "it said: no space") {
		t.Errorf("got %v", err)
	}
}

func TestLongOutputKeepsTheEnd(t *testing.T) {
	_, err := Run(t.Context(), Command{Args: []string{"sh", "-c", "seq 1 5000; echo the reason; exit 1"}})
	if err == nil || !strings.Contains(err.Error(), "the reason") || len(err.Error()) > 2*keep {
		t.Errorf("the end of the output is not in %d bytes of error", len(err.Error()))
	}
}

func TestEndOfContextIsTold(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, Command{Args: []string{"sleep", "30"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestMissing(t *testing.T) {
	got := Missing([]string{"sh", "ra2-no-such-program"})
	if len(got) != 1 || got[0] != "ra2-no-such-program" {
		t.Errorf("got %v", got)
	}
	if _, err := Run(t.Context(), Command{Args: []string{"ra2-no-such-program"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// What a program says on standard output alone is in the error, every time.
func TestFailedTellsStandardOutput(t *testing.T) {
	for range 50 {
		_, err := Run(t.Context(), Command{Args: []string{"sh", "-c", "echo why; exit 3"}})
		if err == nil || !strings.HasSuffix(err.Error(), "it said: why") {
			t.Fatalf("got %v", err)
		}
	}
}
