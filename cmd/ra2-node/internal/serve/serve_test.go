package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// site is a provisioner: it gives a word until the node has it, then the next.
type site struct {
	mu      sync.Mutex
	words   []agent.Word
	hellos  []agent.Hello
	reports []agent.Report
	down    int // answers that fail first
}

func (s *site) Word(ctx context.Context, h agent.Hello) (agent.Word, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hellos = append(s.hellos, h)
	if s.down > 0 {
		s.down--
		return agent.Word{}, errors.New("connection refused")
	}
	for len(s.words) > 0 && s.words[0].Digest() == h.Have {
		s.words = s.words[1:]
	}
	if len(s.words) == 0 {
		return agent.Word{}, errors.New("the test has no more words")
	}
	return s.words[0], nil
}

func (s *site) Report(_ context.Context, r agent.Report) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, r)
	return nil
}

func (s *site) has(match func(agent.Report) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.reports, match)
}

// programs is what runs on the node.
type programs struct {
	ran  []string
	fail map[string]int // tries of a command that fail
	die  string         // a command during which the node dies
	kill context.CancelFunc
}

func (p *programs) run(ctx context.Context, command []string, _ time.Duration) ([]byte, error) {
	text := strings.Join(command, " ")
	p.ran = append(p.ran, text)
	if text == p.die {
		p.die = ""
		p.kill()
		return nil, ctx.Err()
	}
	if p.fail[text] > 0 {
		p.fail[text]--
		return []byte("token abcdef.0123456789abcdef\nthe end\n"), errors.New("exit status 1")
	}
	return nil, nil
}

type node struct {
	*site
	*programs
	dir string
}

func newNode(t *testing.T, words ...agent.Word) *node {
	return &node{site: &site{words: words}, programs: &programs{fail: map[string]int{}}, dir: t.TempDir()}
}

// boot runs the service until it ends, as after each start of the node.
func (n *node) boot(t *testing.T) error {
	t.Helper()
	state, err := OpenState(filepath.Join(n.dir, "data/state.json"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	n.kill = cancel
	s := &Service{
		Config: agent.NodeConfig{Node: "cp-a", Image: "sha256:i", Generation: "sha256:g"}, Words: n.site, State: state, Run: n.run, Root: n.dir,
		Say: func(string, ...any) {}, Kubelet: func(context.Context) bool { return true }, Boot: func() *facts.Root { return &facts.Root{Verity: facts.RootVerified} }, Pause: 20 * time.Second,
		Interface: func(string) (string, error) { return "eno1", nil },
	}
	return s.Serve(ctx)
}

func order(id string, phases ...string) agent.Word {
	j := agent.Join{ID: id, Files: []agent.File{{Path: "/etc/kubernetes/ra2/kubeadm.yaml", Mode: 0o600, Data: []byte("config " + id + " on " + agent.InterfacePlaceholder)}}}
	for _, p := range phases {
		j.Phases = append(j.Phases, agent.Phase{Name: p, Command: []string{"kubeadm", p}, Tries: 3, Timeout: 60})
	}
	return agent.Word{Join: &j}
}

func done() agent.Word { return agent.Word{Done: true} }

func TestPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, order("1", "a", "b"), done())
		n.fail["kubeadm b"] = 2
		n.down = 3
		if err := n.boot(t); err != nil {
			t.Fatal(err)
		}
		if want := []string{"kubeadm a", "kubeadm b", "kubeadm b", "kubeadm b"}; !slices.Equal(n.ran, want) {
			t.Errorf("ran %q", n.ran)
		}
		info, err := os.Stat(filepath.Join(n.dir, "etc/kubernetes/ra2/kubeadm.yaml"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("file: %v, %v", info, err)
		}
		if text, err := os.ReadFile(filepath.Join(n.dir, "etc/kubernetes/ra2/kubeadm.yaml")); string(text) != "config 1 on eno1" {
			t.Errorf("the file is %q, %v", text, err)
		}
		for _, mark := range []string{step.MarkKernel, step.MarkKubelet} {
			if !n.has(func(r agent.Report) bool { return r.Mark == mark }) {
				t.Errorf("mark %q was not reported", mark)
			}
		}
		if !n.has(func(r agent.Report) bool { return r.Phase == "b" && r.Status == agent.StatusDone }) {
			t.Error("the end of b was not reported")
		}
		for _, r := range n.reports {
			if strings.Contains(fmt.Sprint(r), "abcdef.0123456789abcdef") {
				t.Errorf("a report tells the token: %+v", r)
			}
		}
		last := n.hellos[len(n.hellos)-1]
		if last.Phase != "b" || last.Image != "sha256:i" || last.Generation != "sha256:g" || last.Root == nil || last.Root.Verity != facts.RootVerified {
			t.Errorf("hello %+v", last)
		}
		asked := len(n.hellos)
		if err := n.boot(t); err != nil || len(n.hellos) != asked {
			t.Errorf("a member asked again: %v", err)
		}
	})
}

func TestFailedPhaseIsTakenUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, order("1", "a", "b"), done())
		n.fail["kubeadm b"] = 4
		if err := n.boot(t); err != nil {
			t.Fatal(err)
		}
		if want := "kubeadm a|kubeadm b|kubeadm b|kubeadm b|kubeadm b|kubeadm b"; strings.Join(n.ran, "|") != want {
			t.Errorf("ran %q", n.ran)
		}
		failed := func(r agent.Report) bool {
			return r.Status == agent.StatusFailed && r.Phase == "b" && strings.Contains(r.Evidence, "the end")
		}
		if !n.has(failed) {
			t.Errorf("the failure was not reported: %+v", n.reports)
		}
	})
}

// A node that restarts goes on with the phase that was cut short.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, order("1", "a", "b", "c"), done())
		n.die = "kubeadm b"
		if err := n.boot(t); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := n.boot(t); err != nil {
			t.Fatal(err)
		}
		if want := "kubeadm a|kubeadm b|kubeadm b|kubeadm c"; strings.Join(n.ran, "|") != want {
			t.Errorf("ran %q", n.ran)
		}
	})
}

func TestChangedOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, order("1", "a", "b"), done())
		n.die = "kubeadm b"
		if err := n.boot(t); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		n.words = []agent.Word{order("2", "a", "c"), done()}
		if err := n.boot(t); err != nil {
			t.Fatal(err)
		}
		if want := "kubeadm a|kubeadm b|kubeadm reset --force|kubeadm a|kubeadm c"; strings.Join(n.ran, "|") != want {
			t.Errorf("ran %q", n.ran)
		}
	})
}

// Fresh files under the same ID are laid, and the phases go on.
func TestFreshFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, order("1", "a", "b"), done())
		n.die = "kubeadm b"
		if err := n.boot(t); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		fresh := order("1", "a", "b")
		fresh.Join.Files[0].Data = []byte("a new token")
		n.words = []agent.Word{fresh, done()}
		if err := n.boot(t); err != nil {
			t.Fatal(err)
		}
		if want := "kubeadm a|kubeadm b|kubeadm b"; strings.Join(n.ran, "|") != want {
			t.Errorf("ran %q", n.ran)
		}
		if text, err := os.ReadFile(filepath.Join(n.dir, "etc/kubernetes/ra2/kubeadm.yaml")); string(text) != "a new token" {
			t.Errorf("file %q, %v", text, err)
		}
	})
}

// A member is not changed: it is told to be rebuilt.
func TestMemberKeepsItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, order("1", "a"), order("2", "b"))
		n.site.words = append(n.site.words, done())
		err := make(chan error, 1)
		go func() { err <- n.boot(t) }()
		time.Sleep(time.Minute)
		held := func(r agent.Report) bool { return r.Status == agent.StatusFailed && r.Held }
		if !n.has(held) {
			t.Errorf("reports %+v", n.reports)
		}
		n.mu.Lock()
		n.words = []agent.Word{done()}
		n.mu.Unlock()
		if err := <-err; err != nil {
			t.Error(err)
		}
		if strings.Join(n.ran, "|") != "kubeadm a" {
			t.Errorf("ran %q", n.ran)
		}
	})
}

func TestAllowedPrograms(t *testing.T) {
	for command, ok := range map[string]bool{
		"kubeadm init": true, "/usr/bin/systemctl restart x": true, "mkdir -p /x": true, "ctr images ls": true,
		"sh -c true": false, "/tmp/kubeadm init": false, "./kubeadm": false, "../usr/bin/kubeadm": false, "": false,
	} {
		if _, err := program(strings.Fields(command)); (err == nil) != ok {
			t.Errorf("%q: %v", command, err)
		}
	}
}

func TestPathsAreClean(t *testing.T) {
	for _, path := range []string{"etc/x", "/etc/../x", "/etc//x", ""} {
		if err := layFiles(t.TempDir(), "eno1", []agent.File{{Path: path}}); err == nil {
			t.Errorf("%q was laid", path)
		}
	}
}

func TestTail(t *testing.T) {
	out := strings.Repeat("x", 5000) + " kubeadm join --token abcdef.0123456789abcdef --certificate-key " + strings.Repeat("a1", 32) +
		" sha256:" + strings.Repeat("b2", 32) + "\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----\nthe end\n"
	got := tail([]byte(out))
	if len(got) > 4<<10+3 || !strings.HasSuffix(got, "the end\n") || !strings.Contains(got, strings.Repeat("b2", 32)) {
		t.Errorf("%d bytes: %s", len(got), got[len(got)-300:])
	}
	for _, secret := range []string{"abcdef.0123456789abcdef", strings.Repeat("a1", 32), "MHcCAQ"} {
		if strings.Contains(got, secret) {
			t.Errorf("it tells %q", secret)
		}
	}
}

// A host without a route tries often, since nothing is sent; one that a
// provisioner doesn't answer tries less and less, but before the provisioner
// gives a running host up.
func TestPauses(t *testing.T) {
	noRoute := fmt.Errorf("post: %w", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)})
	for name, c := range map[string]struct {
		err  error
		want time.Duration
	}{"no route": {noRoute, time.Second}, "nobody": {io.EOF, 10 * time.Second}} {
		pause := firstPause
		for range 20 {
			pause = longer(pause, c.err)
		}
		if pause != c.want {
			t.Errorf("%s: the longest pause is %s and should be %s", name, pause, c.want)
		}
	}
	if pause := longer(firstPause, io.EOF); pause != 2*firstPause {
		t.Errorf("the second pause is %s", pause)
	}
}
