// Package serve is ra2-node as a service of the installed system: it asks the
// provisioner what to do, lays files and runs kubeadm's phases, and ends when
// the node is a member of the cluster.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/boot"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// StateFile remembers what was done, on the data partition.
const StateFile = boot.DataDir + "/ra2/state.json"

// pauseAfterFailure is how long a node waits before it takes up an order again
// that failed.
const pauseAfterFailure = 20 * time.Second

// Pauses after a request that failed: the first, which doubles; the longest,
// shorter than the provisioner waits for a host that runs; and the longest while
// there is no route. A system that starts has none at first, and a try that
// sends nothing burdens nobody.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 10 * time.Second
	routePause   = time.Second
)

// longer returns the pause that follows on a pause and a failure after it.
func longer(pause time.Duration, err error) time.Duration {
	if errors.Is(err, syscall.ENETUNREACH) {
		return min(2*pause, routePause)
	}
	return min(2*pause, longestPause)
}

// Words is what the service asks of the provisioner.
type Words interface {
	Word(ctx context.Context, h agent.Hello) (agent.Word, error)
	Report(ctx context.Context, r agent.Report) error
}

// Service is the node's side after the install.
type Service struct {
	Config  agent.NodeConfig
	Words   Words
	State   *State
	Say     func(string, ...any)
	Run     Runner
	Root    string // where files are laid, "/"
	Kubelet func(ctx context.Context) bool
	Boot    func() *facts.Root // what is known of the root file system; nil when nothing is
	// Interface names the NIC with this MAC.
	Interface func(mac string) (string, error)
	Pause     time.Duration // after a failure

	out *outbox
}

// Run is the whole service with the real system around it.
func Run(ctx context.Context, say func(string, ...any)) error {
	config, err := boot.ReadConfig()
	if err != nil {
		return err
	}
	state, err := OpenState(StateFile)
	if err != nil {
		return err
	}
	client, err := agent.NewClient(config.Server, config.Pin, config.Session)
	if err != nil {
		return err
	}
	clockSet := false
	client.Skew = func(d time.Duration) {
		if !clockSet && pid1.SetClock(d) {
			clockSet = true
			say("clock moved by %s to that of the provisioner", d.Round(time.Second))
		}
	}
	s := &Service{Config: config, Words: client, State: state, Say: say, Run: execute, Root: "/", Kubelet: kubeletAnswers, Boot: rootOf(say), Interface: interfaceOf, Pause: pauseAfterFailure}
	return s.Serve(ctx)
}

// rootOf reads what is known of the root each time: the watch may have found
// something since.
func rootOf(say func(string, ...any)) func() *facts.Root {
	return func() *facts.Root {
		root, err := boot.ReadRoot()
		if err != nil {
			say("%v", err)
		}
		return root
	}
}

// Serve asks for words until the last one, Done. A provisioner that doesn't
// answer is waited for: it may be started again tomorrow.
func (s *Service) Serve(ctx context.Context) error {
	if s.State.Done {
		s.Say("node %s is a member of its cluster; nothing to do", s.Config.Node)
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.out = newOutbox(s.Words, s.Say)
	go s.out.run(ctx)
	s.out.put(agent.Report{Status: agent.StatusNoted, Mark: step.MarkKernel, Note: "the installed system is up"})
	go s.watchKubelet(ctx)
	for {
		word, err := s.ask(ctx)
		if err != nil {
			return err
		}
		switch {
		case word.Done:
			s.out.drain(ctx)
			s.Say("node %s is a member of its cluster; ra2-node's work is done", s.Config.Node)
			return s.State.finish()
		case word.Join != nil:
			if err := s.join(ctx, *word.Join, word.Digest()); err != nil {
				s.failed(ctx, err)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// ask gets a word, and tries again for ever.
func (s *Service) ask(ctx context.Context) (agent.Word, error) {
	for pause := firstPause; ; {
		s.out.drain(ctx) // the provisioner hears of the end before the next hello
		word, err := s.Words.Word(ctx, agent.Hello{
			Stage: agent.StageNode, Image: s.Config.Image, Generation: s.Config.Generation,
			Phase: s.State.Last(), Have: s.State.Have, Root: s.Boot(), Clock: time.Now(),
		})
		if err == nil {
			return word, nil
		}
		if ctx.Err() != nil {
			return word, ctx.Err()
		}
		var refused *agent.Refused
		if errors.As(err, &refused) && !refused.Temporary() {
			s.Say("the provisioner doesn't know this node's session: %v; next: run ra2-deploy up", err)
		} else {
			s.Say("no word from %s: %v; asking again in %s", s.Config.Server, err, pause)
		}
		if !sleep(ctx, pause) {
			return word, ctx.Err()
		}
		pause = longer(pause, err)
	}
}

func (s *Service) failed(ctx context.Context, err error) {
	var phase *PhaseError
	report := agent.Report{Status: agent.StatusFailed, Note: err.Error(), Next: fmt.Sprintf("the node asks again in %s", s.Pause)}
	if errors.As(err, &phase) {
		report.Phase, report.Evidence = phase.Phase, phase.Output
	}
	var member *MemberError
	if errors.As(err, &member) {
		report.Held, report.Next = true, "rebuild the node"
	}
	s.Say("%v; asking again in %s", err, s.Pause)
	s.out.put(report)
	sleep(ctx, s.Pause)
}

// sleep reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// interfaceOf finds the name that the kernel, or udev, gave to a NIC. Pods'
// interfaces have MACs of their own.
func interfaceOf(mac string) (string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("list network interfaces: %w", err)
	}
	for _, i := range all {
		if strings.EqualFold(i.HardwareAddr.String(), mac) {
			return i.Name, nil
		}
	}
	return "", fmt.Errorf("no network interface has the MAC %s of the node's configuration", mac)
}
