package act_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

func order() agent.Join {
	return agent.Join{ID: "join sha256:new", Phases: []agent.Phase{{Name: "preflight"}, {Name: "kubelet-start"}}}
}

func joiner(s *stage, m *members) act.Join {
	kubeadm := func(context.Context, string, bool, bool) (agent.Join, error) { return order(), nil }
	return act.Join{Members: m, Kubeadm: kubeadm, Orders: s, Signals: &s.Signals}
}

func join(ctx context.Context, s *stage, m *members, v step.Join) error {
	return joiner(s, m).Join(ctx, step.Step{ID: "cp-a/member", Host: node, Do: v}, v, s.report)
}

// done is the hello of a host that has done the order.
func done() act.Signal {
	j := order()
	return hello(agent.Hello{Stage: agent.StageNode, Have: agent.Word{Join: &j}.Digest()})
}

// TestJoin checks that a join ends when the node is Ready, and that of a
// control plane votes in etcd as well; only then the agent's work is done.
func TestJoin(t *testing.T) {
	for name, v := range map[string]step.Join{"worker": {}, "control plane": {ControlPlane: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, m := newStage(), &members{}
				s.ordered = func(w agent.Word) {
					if w.Join == nil {
						return
					}
					s.signals(time.Minute,
						hello(agent.Hello{Stage: agent.StageNode, Have: "sha256:of another word"}),
						reports(agent.Report{Status: agent.StatusDone, Phase: "preflight", Note: "preflight: done in 0.4 s"}), done())
					time.Sleep(time.Minute)
					m.set(func(m *members) { m.node = facts.Member{Exists: true, NotReady: "cni plugin not initialized"} })
					time.Sleep(time.Minute)
					m.set(func(m *members) { m.node = facts.Member{Exists: true, Ready: true} })
					time.Sleep(time.Minute)
					m.set(func(m *members) { m.node.EtcdVoter = true })
				}
				began := time.Now()
				if err := join(limited(t, v), s, m, v); err != nil {
					t.Fatal(err)
				}
				want := 5 * time.Minute
				if v.ControlPlane {
					want = 6 * time.Minute
				}
				if took := time.Since(began).Truncate(10 * time.Second); took != want {
					t.Errorf("it took %v, want %v", took, want)
				}
				if got := s.did(); got != "order join | order done" {
					t.Errorf("it did %s", got)
				}
				if waits := s.waits(t); len(waits) != 2 || waits[0] != "waiting for kubeadm's 2 phases" {
					t.Errorf("waits %q", waits)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

// TestForm checks that forming ends with kubeadm's phases: no node is Ready
// before the cluster has a network.
func TestForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.ordered = func(agent.Word) { s.signals(time.Minute, done()) }
		if err := joiner(s, nil).Form(limited(t, step.Form{}), step.Step{Host: node}, step.Form{}, s.report); err != nil {
			t.Fatal(err)
		}
		if got := s.did(); got != "order join" {
			t.Errorf("it did %s", got)
		}
	})
}

func TestJoinFails(t *testing.T) {
	failed := agent.Report{Stage: agent.StageNode, Status: agent.StatusFailed, Phase: "preflight", Evidence: "[ERROR Port-10250]: Port 10250 is in use"}
	held := failed
	held.Held, held.Next = true, "look at the host's console"
	for name, c := range map[string]struct {
		says  []act.Signal
		check func(*testing.T, error, ...string)
		words []string
	}{
		"a phase failed": {[]act.Signal{reports(failed)}, wantKind[*step.Retry], []string{"the host tries again: preflight failed", failed.Evidence}},
		"a phase holds":  {[]act.Signal{reports(held)}, wantKind[*step.Hold], []string{"the host stopped: preflight failed", failed.Evidence}},
		"silence":        {nil, wantKind[*act.Silence], []string{"waited 35m0s for kubeadm's 2 phases; last seen: nothing yet; look at the host's console"}},
		"never ready":    {[]act.Signal{done()}, wantKind[*act.Silence], []string{"waited 15m0s for the node to be Ready; last seen: the cluster has no such node yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				s.ordered = func(agent.Word) { s.signals(time.Second, c.says...) }
				err := join(limited(t, step.Join{}), s, &members{}, step.Join{})
				c.check(t, err, c.words...)
				_, again := errors.AsType[*step.Retry](err)
				if _, hold := errors.AsType[*step.Hold](err); hold && again {
					t.Error("what needs a person is tried again")
				}
			})
		})
	}
	s := newStage()
	err := join(t.Context(), s, &members{admit: errEtcd}, step.Join{})
	wantKind[*step.Retry](t, err, "the cluster could not admit the node", errEtcd.Error())
	if s.did() != "" {
		t.Errorf("a node that was not admitted was told %s", s.did())
	}
}

func settle(ctx context.Context, s *stage, m *members, what string) error {
	v := step.Settle{For: what}
	t := act.Settle{Members: m, Answering: m, Orders: s, IsControl: func(string) bool { return true }}
	return t.Do(ctx, step.Step{Host: node, Do: v}, v, s.report)
}

// TestSettle checks each wait of the verb: its name, that it ends when what it
// waits for is seen, and that a deadline is a failure that says what is missing.
func TestSettle(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.17.0.10"), netip.MustParseAddr("fd00:17::10")
	for what, c := range map[string]struct {
		comes func(*members)
		wait  string
		last  string
	}{
		step.SettleAPI: {
			func(m *members) { m.api = nil }, "waiting for an API server that is ready",
			"waited 15m0s for an API server that is ready; last seen: connect: connection refused",
		},
		step.SettleAddress: {
			func(m *members) { m.vips = map[netip.Addr]bool{v4: true, v6: true} },
			"waiting for the virtual addresses to lead to a ready API server",
			"last seen: 10.17.0.10 answers: true, fd00:17::10 answers: false",
		},
		step.SettleMember: {
			func(m *members) { m.node = facts.Member{Exists: true, Ready: true, EtcdVoter: true} },
			"waiting for the node to be Ready and its etcd member to vote",
			"last seen: node Ready: false (cni plugin not initialized), etcd member votes: false",
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				silent := func() *members {
					return &members{
						api: errors.New("connect: connection refused"), vips: map[netip.Addr]bool{v4: true, v6: false},
						node: facts.Member{Exists: true, NotReady: "cni plugin not initialized"},
					}
				}
				s, m := newStage(), silent()
				time.AfterFunc(5*time.Minute, func() { m.set(c.comes) })
				if err := settle(limited(t, step.Settle{}), s, m, what); err != nil {
					t.Fatal(err)
				}
				if waits := s.waits(t); len(waits) != 1 || waits[0] != c.wait {
					t.Errorf("waits %q, want %q", waits, c.wait)
				}
				if n := len(s.told); n > 2 {
					t.Errorf("the same evidence was told %d times: %v", n, s.told)
				}
				wantKind[*act.Silence](t, settle(limited(t, step.Settle{}), newStage(), silent(), what), c.last)
			})
		})
	}
	wantWords(t, settle(t.Context(), newStage(), &members{}, "godot"), `nothing is known of "godot"`)
}
