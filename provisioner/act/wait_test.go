package act

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

var errEnough = errors.New("the user has had enough")

// deaf hears no event.
func deaf(step.Event) {}

// TestUntil checks what is told of a wait: its name, its deadline to the
// second, what follows, and each thing that was seen on the way.
func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		in := make(chan Signal, 4)
		time.AfterFunc(time.Second, func() { in <- Signal{Kind: KindLoader, Note: "kernel 10 %"} })
		time.AfterFunc(2*time.Second, func() { in <- Signal{Kind: KindHello} }) // no news
		time.AfterFunc(3*time.Second, func() { in <- Signal{Kind: KindClaim, Note: "claimed"} })
		var told []step.Event
		w := Wait{For: "the claim", Long: time.Minute, Next: "the image is written"}
		if err := until(t.Context(), w, in, func(e step.Event) { told = append(told, e) }, first(KindClaim)); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) != 3*time.Second || len(told) != 3 {
			t.Errorf("after %v: %v", time.Since(began), told)
		}
		for i, note := range []string{"waiting for the claim", "kernel 10 %", "claimed"} {
			if told[i].Note != note || !told[i].Deadline.Equal(began.Add(time.Minute)) || told[i].Next != w.Next {
				t.Errorf("event %d: %+v, want %q", i, told[i], note)
			}
		}
	})
}

func TestUntilEnds(t *testing.T) {
	w := Wait{For: "the claim", Long: time.Minute, Hint: "look at the console"}
	for name, c := range map[string]struct {
		cut  time.Duration
		want string
		took time.Duration
	}{
		"silence": {time.Hour, "waited 1m0s for the claim; last seen: kernel 10 %; look at the console", time.Minute},
		"cut":     {20 * time.Second, "waiting for the claim (last seen: kernel 10 %): the user has had enough", 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeoutCause(t.Context(), c.cut, errEnough)
				defer cancel()
				in := make(chan Signal, 1)
				in <- Signal{Kind: KindLoader, Note: "kernel 10 %"}
				err := until(ctx, w, in, deaf, first(KindClaim))
				if err == nil || err.Error() != c.want || time.Since(began) != c.took {
					t.Errorf("after %v: %v, want %q after %v", time.Since(began), err, c.want, c.took)
				}
			})
		})
	}
}

// TestPoll checks that each evidence is told once, that the deadline is exact,
// and that the words of a look that was cut short are no evidence.
func TestPoll(t *testing.T) {
	w := Wait{For: "the node", Long: time.Minute, Next: "done"}
	for name, c := range map[string]struct {
		cut  time.Duration
		want string
		took time.Duration
	}{
		"seen":    {time.Hour, "", 40 * time.Second},
		"silence": {time.Hour, "waited 1m0s for the node; last seen: 2 of 3", time.Minute},
		"cut":     {30 * time.Second, "waiting for the node (last seen: 2 of 3): the user has had enough", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeoutCause(t.Context(), c.cut, errEnough)
				defer cancel()
				var told []string
				report := func(e step.Event) {
					if e.Note != "waiting for the node" || !e.Deadline.Equal(began.Add(time.Minute)) || e.Next != "done" {
						t.Errorf("told %+v", e)
					}
					told = append(told, e.Evidence)
				}
				err := poll(ctx, w, 2*time.Second, report, func(ctx context.Context) (bool, string) {
					switch since := time.Since(began); {
					case since < 4*time.Second:
						return false, ""
					case since < 10*time.Second:
						return false, "1 of 3"
					case c.want == "" && since >= 40*time.Second:
						return true, ""
					case since >= 20*time.Second && c.want != "":
						<-ctx.Done() // a request that hangs
						return false, fmt.Sprint("GET /api/v1/nodes: ", ctx.Err())
					}
					return false, "2 of 3"
				})
				if got := fmt.Sprint(err); got != c.want && (c.want != "" || err != nil) || time.Since(began) != c.took {
					t.Errorf("after %v: %v, want %q after %v", time.Since(began), err, c.want, c.took)
				}
				if want := []string{"nothing yet", "1 of 3", "2 of 3"}; !slices.Equal(told, want) {
					t.Errorf("told %q, want %q", told, want)
				}
			})
		})
	}
}

// TestSignals checks that a watcher that doesn't keep up keeps the newest, that
// nobody hears what is another's, and that a watcher that stopped is forgotten.
func TestSignals(t *testing.T) {
	var g Signals
	g.Tell("a", Signal{Note: "nobody watches"})
	in, stop := g.Watch("a")
	for i := range 1000 {
		g.Tell("b", Signal{Note: "of another"})
		g.Tell("a", Signal{Note: fmt.Sprint(i)})
	}
	var got []string
	for len(in) > 0 {
		got = append(got, (<-in).Note)
	}
	if len(got) != cap(in) || got[0] != fmt.Sprint(1000-cap(in)) || got[len(got)-1] != "999" {
		t.Errorf("%d signals from %s to %s", len(got), got[0], got[len(got)-1])
	}
	stop()
	stop()
	g.Tell("a", Signal{Note: "after the end"})
	if len(in) != 0 {
		t.Errorf("heard %q", (<-in).Note)
	}
}

// TestText checks that values of JSON and of an inventory are compared as what
// they mean.
func TestText(t *testing.T) {
	got := map[string]any{"Delay": float64(4000000), "Half": 0.5, "On": true, "Mode": "Uefi"}
	if bad := unkept(got, map[string]any{"Delay": 4000000, "Half": 0.5, "On": true, "Mode": "Uefi"}); bad != "" {
		t.Error(bad)
	}
	want := "Gone is unknown and should be 1, Mode is Uefi and should be Bios"
	if bad := unkept(got, map[string]any{"Mode": "Bios", "Gone": 1}); bad != want {
		t.Errorf("%s, want %s", bad, want)
	}
}
