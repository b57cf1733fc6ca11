package observe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/observe"
)

// bmc answers after a while.
type bmc struct {
	takes     time.Duration
	facts     facts.BMC
	err       error
	now, most *atomic.Int32
}

func (b bmc) Facts(ctx context.Context) (facts.BMC, error) {
	if b.most != nil {
		b.most.Store(max(b.most.Load(), b.now.Add(1)))
		defer b.now.Add(-1)
	}
	select {
	case <-time.After(b.takes):
		return b.facts, b.err
	case <-ctx.Done():
		return facts.BMC{}, ctx.Err()
	}
}

type cluster struct {
	takes   time.Duration
	facts   facts.Cluster
	members map[string]facts.Member
}

func (c cluster) Facts(context.Context) (facts.Cluster, map[string]facts.Member) {
	time.Sleep(c.takes)
	return c.facts, c.members
}

// agents speak after a while.
type agents struct {
	began time.Time
	after map[string]time.Duration
}

func (a agents) Heard(node string) facts.Agent {
	if at, ok := a.after[node]; ok && time.Since(a.began) >= at {
		return facts.Agent{Heard: a.began.Add(at), Started: a.began.Add(at), Generation: "sha256:1"}
	}
	return facts.Agent{}
}

func everyone(string) bool { return true }

// TestLimit checks that controllers are asked at once, but not more than the
// limit allows, and the cluster meanwhile.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		o := &observe.Observer{Controllers: map[string]observe.Controller{}, Limit: 4, Cluster: cluster{takes: 10 * time.Second}}
		for i := range 12 {
			o.Controllers[fmt.Sprint("n", i)] = bmc{takes: 5 * time.Second, now: &now, most: &most}
		}
		began := time.Now()
		seen, err := o.Seen(t.Context(), everyone)
		if err != nil || len(seen.Hosts) != 12 {
			t.Errorf("%d hosts, %v", len(seen.Hosts), err)
		}
		if took := time.Since(began); most.Load() != 4 || took != 15*time.Second {
			t.Errorf("%d at once, it took %v", most.Load(), took)
		}
	})
}

// TestUnreached checks that a controller that fails is a fact and ends nothing.
func TestUnreached(t *testing.T) {
	o := &observe.Observer{Controllers: map[string]observe.Controller{
		"a": bmc{facts: facts.BMC{Reached: true, Power: "On"}},
		"b": bmc{facts: facts.BMC{Reached: true, Serial: "S1"}, err: errors.New("GET /redfish/v1/Systems/1/Bios: 503")},
	}}
	seen, err := o.Seen(t.Context(), everyone)
	if err != nil || seen.Hosts["a"].BMC.Power != "On" || seen.Hosts["a"].BMC.Err != "" {
		t.Errorf("%+v, %v", seen, err)
	}
	if b := seen.Hosts["b"].BMC; b.Serial != "S1" || b.Err != "GET /redfish/v1/Systems/1/Bios: 503" {
		t.Errorf("what was read before the failure is lost: %+v", b)
	}
}

// TestReadyFromBefore checks that what a kubelet said before its system started
// is not taken for what it says now.
func TestReadyFromBefore(t *testing.T) {
	began := time.Now()
	c := cluster{facts: facts.Cluster{Answers: true}, members: map[string]facts.Member{
		"a": {Exists: true, Ready: true, Renewed: began.Add(-50 * time.Second)},
		"b": {Exists: true, Ready: true, Renewed: began.Add(time.Minute)},
		"c": {Exists: true, Ready: true, Renewed: began.Add(-50 * time.Second)}, // silent: it may have run all the time
	}}
	o := &observe.Observer{Controllers: map[string]observe.Controller{"a": bmc{}, "b": bmc{}, "c": bmc{}}, Cluster: c,
		Agents: agents{began, map[string]time.Duration{"a": 0, "b": 0}}}
	seen, err := o.Seen(t.Context(), everyone)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a": false, "b": true, "c": true} {
		if m := seen.Hosts[name].Member; m.Ready != want {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// TestMembers checks that nothing is known of a node when nobody answered.
func TestMembers(t *testing.T) {
	for _, answers := range []bool{true, false} {
		c := cluster{facts: facts.Cluster{Answers: answers}}
		if answers {
			c.members = map[string]facts.Member{"a": {Exists: true, Ready: true}}
		}
		o := &observe.Observer{Controllers: map[string]observe.Controller{"a": bmc{}, "b": bmc{}}, Cluster: c}
		seen, err := o.Seen(t.Context(), everyone)
		if err != nil || seen.Hosts["a"].Member.Exists != answers || seen.Hosts["b"].Member.Exists {
			t.Errorf("%+v, %v", seen, err)
		}
		for name, h := range seen.Hosts {
			if h.Member.Known != answers {
				t.Errorf("answers %t: known of %s: %t", answers, name, h.Member.Known)
			}
		}
	}
}

// TestListen checks who is waited for: only hosts that run, should speak and
// haven't, and none longer than the patience.
func TestListen(t *testing.T) {
	on, off := bmc{facts: facts.BMC{Power: "On"}}, bmc{facts: facts.BMC{Power: "Off"}}
	for name, c := range map[string]struct {
		host     bmc
		member   facts.Member
		expected bool
		after    map[string]time.Duration
		took     time.Duration
		heard    bool
	}{
		"speaks soon":  {on, facts.Member{}, true, map[string]time.Duration{"a": 3 * time.Second}, 3 * time.Second, true},
		"never speaks": {on, facts.Member{}, true, nil, 15 * time.Second, false},
		"is off":       {off, facts.Member{}, true, nil, 0, false},
		"is empty":     {on, facts.Member{}, false, nil, 0, false},
		"is Ready":     {on, facts.Member{Exists: true, Ready: true}, true, nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				o := &observe.Observer{
					Controllers: map[string]observe.Controller{"a": c.host}, Patience: 15 * time.Second, Agents: agents{began, c.after},
					Cluster: cluster{members: map[string]facts.Member{"a": c.member}},
				}
				seen, err := o.Seen(t.Context(), func(string) bool { return c.expected })
				if took := time.Since(began); err != nil || took != c.took {
					t.Errorf("it took %v, want %v; %v", took, c.took, err)
				}
				if got := !seen.Hosts["a"].Agent.Heard.IsZero(); got != c.heard {
					t.Errorf("heard: %t", got)
				}
			})
		})
	}
}

// TestCut checks that a look that is cut short is an error, not a fact.
func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &observe.Observer{Controllers: map[string]observe.Controller{"a": bmc{takes: time.Hour}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := o.Seen(ctx, everyone); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
	})
}

// TestWithin checks that a controller that takes too long is given up, with
// words that say so, and holds up no other.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &observe.Observer{Limit: 8, Within: time.Minute, Controllers: map[string]observe.Controller{
			"hangs": bmc{takes: time.Hour}, "slow": bmc{takes: 59 * time.Second, facts: facts.BMC{Reached: true}},
		}}
		began := time.Now()
		seen, err := o.Seen(t.Context(), everyone)
		if took := time.Since(began); err != nil || took != time.Minute {
			t.Errorf("it took %v, %v", took, err)
		}
		if text := seen.Hosts["hangs"].BMC.Err; !strings.Contains(text, "deadline exceeded") || !strings.Contains(text, "did not tell all within 1m0s and was given up") {
			t.Errorf("it says %q", text)
		}
		if b := seen.Hosts["slow"].BMC; !b.Reached || b.Err != "" {
			t.Errorf("slow: %+v", b)
		}
	})
}

// TestTell checks that who is waited for is told every second, with the time
// when they are given up, and at last that nobody is.
func TestTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var told []string
		o := &observe.Observer{Limit: 3, Within: time.Minute, Tell: func(a observe.Asking) {
			told = append(told, fmt.Sprint(time.Since(began).Seconds(), " ", len(a.Waiting), " of ", a.Total, ", ", a.Waiting, ", until ", a.Deadline.Sub(began)))
		}, Controllers: map[string]observe.Controller{
			"b": bmc{takes: 1500 * time.Millisecond}, "a": bmc{takes: 2500 * time.Millisecond}, "c": bmc{takes: 10 * time.Millisecond},
		}}
		if _, err := o.Seen(t.Context(), everyone); err != nil {
			t.Error(err)
		}
		want := []string{"1 2 of 3, [a b], until 1m0s", "2 1 of 3, [a], until 1m0s", "2.5 0 of 3, [], until 1m0s"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		told, o.Controllers = nil, map[string]observe.Controller{"a": bmc{takes: 900 * time.Millisecond}}
		if _, err := o.Seen(t.Context(), everyone); err != nil || told != nil {
			t.Errorf("a look of less than a second told %q, %v", told, err)
		}
	})
}
