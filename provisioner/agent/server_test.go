package agent_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// site is a provisioner on loopback.
type site struct {
	*agent.Server
	url, pin string
	mu       sync.Mutex
	notices  []string
	reports  []agent.Report
	saved    []agent.SavedSession
}

func (s *site) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.notices, "\n")
}

var errSerial = errors.New("the serial is X and should be Y")

func open(t *testing.T, change func(*agent.Config)) *site {
	t.Helper()
	s := &site{}
	conf := agent.Config{
		Hold:         50 * time.Millisecond,
		Report:       func(_ string, r agent.Report) { s.mu.Lock(); s.reports = append(s.reports, r); s.mu.Unlock() },
		Notice:       func(node, text string) { s.mu.Lock(); s.notices = append(s.notices, node+": "+text); s.mu.Unlock() },
		SaveSessions: func(all []agent.SavedSession) { s.mu.Lock(); s.saved = all; s.mu.Unlock() },
	}
	if change != nil {
		change(&conf)
	}
	s.Server = agent.NewServer(conf)
	s.url, s.pin = listen(t, s.Server)
	return s
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := agent.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func listen(t *testing.T, s *agent.Server) (url, pin string) {
	t.Helper()
	key := newKey(t)
	pin, err := agent.Pin(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	conf, err := agent.ServerTLS(key, time.Now(), []netip.Addr{netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l, conf) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "https://" + l.Addr().String(), pin
}

func client(t *testing.T, url, pin, bearer string) *agent.Client {
	t.Helper()
	c, err := agent.NewClient(url, pin, bearer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func loopback() []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} }

// status is that of a refusal, 0 when there was none.
func status(t *testing.T, err error) int {
	t.Helper()
	var refused *agent.Refused
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("not an answer of the server: %v", err)
	}
	if err == nil {
		return 0
	}
	return refused.Status
}

// TestClaimedHardware checks that what a host says of itself stays known while
// it asks for words.
func TestClaimedHardware(t *testing.T) {
	s, ctx := open(t, func(c *agent.Config) { c.Hold = time.Millisecond }), t.Context()
	ticket := s.Ticket("cp-a", "run1", loopback(), time.Now().Add(time.Minute))
	host := client(t, s.url, s.pin, "")
	seen := facts.Hardware{MemoryGiB: new(64.0), From: map[string]string{"memoryGiB": "SMBIOS type 17"}}
	if err := host.Claim(ctx, agent.Claim{Node: "cp-a", Ticket: ticket, Facts: agent.InBand{Serial: "S1", UUID: "U1", Hardware: &seen}}); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Word(ctx, agent.Hello{Stage: agent.StageInstaller}); err != nil {
		t.Fatal(err)
	}
	a := s.Heard("cp-a")
	if a.Hardware == nil || *a.Hardware.MemoryGiB != 64 || a.Serial != "S1" || a.UUID != "U1" || a.Told.IsZero() || a.Stage != agent.StageInstaller {
		t.Errorf("the host is known as %+v", a)
	}
}

func TestTicketIsGoodOnce(t *testing.T) {
	s, ctx := open(t, nil), t.Context()
	ticket := s.Ticket("cp-a", "run1", loopback(), time.Now().Add(time.Minute))
	first, second := client(t, s.url, s.pin, ""), client(t, s.url, s.pin, "")
	claim := agent.Claim{Node: "cp-a", Ticket: ticket, Facts: agent.InBand{Serial: "S1"}}
	if err := first.Claim(ctx, claim); err != nil {
		t.Fatal(err)
	}
	if in, ok := s.InBand("cp-a"); !ok || in.Serial != "S1" {
		t.Errorf("in-band facts are %+v, %v", in, ok)
	}
	if got := status(t, second.Claim(ctx, claim)); got != http.StatusForbidden {
		t.Errorf("the second claim got %d", got)
	}
	if want := "cp-a: ticket used twice: another machine answers on this network?"; !strings.Contains(s.said(), want) {
		t.Errorf("notices are %q and should hold %q", s.said(), want)
	}
	if second.Bearer() != "" {
		t.Error("the second machine got a session")
	}
	if _, err := first.Word(ctx, agent.Hello{Stage: agent.StageInstaller}); err != nil {
		t.Errorf("the first machine lost its session: %v", err)
	}
	if strings.Contains(s.said(), ticket) {
		t.Error("a notice tells the ticket")
	}
}

func TestTicketIsBound(t *testing.T) {
	later := func() time.Time { return time.Now().Add(2 * time.Hour) }
	for name, c := range map[string]struct {
		node      string
		addresses []netip.Addr
		now       func() time.Time
		accept    func(agent.Claim) error
		says      string
	}{
		"other node":    {node: "cp-b", addresses: loopback(), says: "not that of"},
		"other address": {node: "cp-a", addresses: []netip.Addr{netip.MustParseAddr("10.17.0.11")}, says: "not for the address 127.0.0.1"},
		"expired":       {node: "cp-a", addresses: loopback(), now: later, says: "expired"},
		"other machine": {node: "cp-a", addresses: loopback(), accept: func(agent.Claim) error { return errSerial }, says: errSerial.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, func(conf *agent.Config) { conf.Now, conf.Accept = c.now, c.accept })
			ticket := s.Ticket("cp-a", "run1", c.addresses, time.Now().Add(time.Hour))
			err := client(t, s.url, s.pin, "").Claim(t.Context(), agent.Claim{Node: c.node, Ticket: ticket})
			if status(t, err) != http.StatusForbidden || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v and want 403 with %q", err, c.says)
			}
		})
	}
}

func TestUnknownTicket(t *testing.T) {
	s := open(t, nil)
	old := s.Ticket("cp-a", "run1", loopback(), time.Now().Add(time.Hour))
	s.Ticket("cp-a", "run1", loopback(), time.Now().Add(time.Hour)) // a new try: the old one is void
	for _, ticket := range []string{"", "guess", old} {
		if got := status(t, client(t, s.url, s.pin, "").Claim(t.Context(), agent.Claim{Node: "cp-a", Ticket: ticket})); got != http.StatusForbidden {
			t.Errorf("ticket %q got %d", ticket, got)
		}
	}
}

func claimed(t *testing.T, s *site, node string) *agent.Client {
	t.Helper()
	c := client(t, s.url, s.pin, "")
	ticket := s.Ticket(node, "run1", loopback(), time.Now().Add(time.Minute))
	if err := c.Claim(t.Context(), agent.Claim{Node: node, Ticket: ticket}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWords(t *testing.T) {
	s, ctx := open(t, nil), t.Context()
	c := claimed(t, s, "cp-a")
	installer, nodeStage := agent.Hello{Stage: agent.StageInstaller}, agent.Hello{Stage: agent.StageNode, Image: "sha256:1"}
	ask := func(h agent.Hello) agent.Word {
		t.Helper()
		w, err := c.Word(ctx, h)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	if w := ask(installer); !w.Empty() {
		t.Errorf("before any word: %+v", w)
	}
	s.SetWord("cp-a", agent.Word{Install: &agent.Install{Config: agent.NodeConfig{Node: "cp-a"}}})
	if w := ask(installer); w.Install == nil || w.Install.Config.Node != "cp-a" {
		t.Errorf("the installer got %+v", w)
	}
	if w := ask(nodeStage); !w.Empty() {
		t.Errorf("an installed system got %+v", w)
	}
	join := agent.Word{Join: &agent.Join{Phases: []agent.Phase{{Name: "preflight"}}}}
	s.SetWord("cp-a", join)
	if w := ask(nodeStage); w.Join == nil {
		t.Errorf("the node got %+v", w)
	}
	nodeStage.Have = join.Digest()
	if w := ask(nodeStage); !w.Empty() {
		t.Errorf("a node that is done got %+v", w)
	}
	if h := s.Heard("cp-a"); h.Stage != agent.StageNode || h.Image != "sha256:1" || h.Heard.IsZero() {
		t.Errorf("heard %+v", h)
	}
	if h := s.Heard("cp-b"); !h.Heard.IsZero() {
		t.Errorf("heard of cp-b: %+v", h)
	}
}

// TestStarted: a system that speaks for the first time, or after it was silent for
// longer than one that runs would be, has started then.
func TestStarted(t *testing.T) {
	var now atomic.Pointer[time.Time]
	began := time.Now()
	at := func(after time.Duration) time.Time {
		then := began.Add(after)
		now.Store(&then)
		return then
	}
	first := at(0)
	s := open(t, func(c *agent.Config) { c.Hold, c.Now = time.Millisecond, func() time.Time { return *now.Load() } })
	c := claimed(t, s, "cp-a")
	says := func(stage string) time.Time {
		t.Helper()
		if _, err := c.Word(t.Context(), agent.Hello{Stage: stage}); err != nil {
			t.Fatal(err)
		}
		return s.Heard("cp-a").Started
	}
	if got := says(agent.StageInstaller); !got.IsZero() {
		t.Errorf("the installer started at %v", got)
	}
	if got := says(agent.StageNode); !got.Equal(first) {
		t.Errorf("started at %v, want %v", got, first)
	}
	at(2 * time.Millisecond)
	if got := says(agent.StageNode); !got.Equal(first) {
		t.Errorf("it asks on, and started at %v, want %v", got, first)
	}
	again := at(time.Minute)
	if got := says(agent.StageNode); !got.Equal(again) {
		t.Errorf("after a silence it started at %v, want %v", got, again)
	}
}

// A word that is set while the host waits reaches it at once.
func TestLongPoll(t *testing.T) {
	s := open(t, func(c *agent.Config) { c.Hold = time.Minute })
	c := claimed(t, s, "cp-a")
	got := make(chan agent.Word, 1)
	go func() {
		w, err := c.Word(t.Context(), agent.Hello{Stage: agent.StageNode})
		if err != nil {
			t.Error(err)
		}
		got <- w
	}()
	s.SetWord("cp-b", agent.Word{Done: true})
	s.SetWord("cp-a", agent.Word{Done: true})
	select {
	case w := <-got:
		if !w.Done {
			t.Errorf("got %+v", w)
		}
	case <-time.After(10 * time.Second):
		t.Error("the word did not come")
	}
}

func TestReport(t *testing.T) {
	s := open(t, nil)
	c := claimed(t, s, "cp-a")
	r := agent.Report{Stage: agent.StageNode, Phase: "init certs all", Status: agent.StatusDone}
	if err := c.Report(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if h := s.Heard("cp-a"); h.Stage != agent.StageInstaller || h.Phase != "" {
		t.Errorf("a report before the hello made it %+v", h)
	}
	if _, err := c.Word(t.Context(), agent.Hello{Stage: agent.StageNode, Image: "sha256:1"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Report(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if len(s.reports) != 2 || s.Heard("cp-a").Image != "sha256:1" || s.reports[0].Phase != r.Phase || s.Heard("cp-a").Phase != r.Phase {
		t.Errorf("reports %+v, heard %+v", s.reports, s.Heard("cp-a"))
	}
	r.Evidence = strings.Repeat("x", 1<<20)
	if got := status(t, c.Report(t.Context(), r)); got != http.StatusBadRequest {
		t.Errorf("a report of 1 MiB got %d", got)
	}
}

// A provisioner that was killed and started again knows its hosts.
func TestSessionsSurvive(t *testing.T) {
	s := open(t, nil)
	c := claimed(t, s, "cp-a")
	next := open(t, nil)
	if err := next.Restore(s.saved); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, next.url, next.pin, c.Bearer()).Word(t.Context(), agent.Hello{Stage: agent.StageNode}); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	for _, saved := range s.saved {
		if strings.Contains(saved.Hash, c.Bearer()) {
			t.Error("the bearer is kept in clear")
		}
	}
	next.Forget("cp-a")
	_, err := client(t, next.url, next.pin, c.Bearer()).Word(t.Context(), agent.Hello{Stage: agent.StageNode})
	if status(t, err) != http.StatusUnauthorized {
		t.Errorf("a forgotten session got %v", err)
	}
}

func TestOtherKeyIsRefused(t *testing.T) {
	s := open(t, nil)
	other, err := agent.Pin(newKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	ticket := s.Ticket("cp-a", "run1", loopback(), time.Now().Add(time.Minute))
	err = client(t, s.url, other, "").Claim(t.Context(), agent.Claim{Node: "cp-a", Ticket: ticket})
	var pin *agent.PinError
	if !errors.As(err, &pin) || pin.Got != s.pin {
		t.Errorf("got %v", err)
	}
}

func TestFiles(t *testing.T) {
	dir, digest := t.TempDir(), strings.Repeat("ab", 32)
	content := bytes.Repeat([]byte("0123456789"), 1000)
	if err := os.WriteFile(filepath.Join(dir, agent.FileImage), content, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, func(c *agent.Config) {
		c.File = func(got, name string) (string, error) {
			if got != digest {
				return "", errors.New("no such image")
			}
			return filepath.Join(dir, name), nil
		}
	})
	c := claimed(t, s, "cp-a")
	body, size, err := c.Open(t.Context(), agent.ImagePath("sha256:"+digest), 9990)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	rest, err := io.ReadAll(body)
	if err != nil || string(rest) != "0123456789" || size != int64(len(content)) {
		t.Errorf("from 9990 on: %q of %d, %v", rest, size, err)
	}
	if err := os.WriteFile(filepath.Join(dir, agent.FileAddon), []byte("signed"), 0o600); err != nil {
		t.Fatal(err)
	}
	addon, size, err := c.Open(t.Context(), agent.AddonPath("sha256:"+digest), 0)
	if err != nil || size != 6 {
		t.Fatalf("the add-on: %d bytes, %v", size, err)
	}
	defer addon.Close()
	for _, ref := range []string{
		agent.AddonPath(strings.Repeat("cd", 32)), agent.PathAddon + "..%2faddon", agent.PathBoot + digest + "/addon",
		agent.ImagePath(strings.Repeat("cd", 32)), agent.PathImage + "..%2f..%2fetc%2fpasswd.raw.zst",
		agent.KernelPath(digest), agent.PathBoot + digest + "/image.raw.zst",
	} {
		if _, _, err := c.Open(t.Context(), ref, 0); status(t, err) != http.StatusNotFound {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, _, err := client(t, s.url, s.pin, "").Open(t.Context(), agent.ImagePath(digest), 0); status(t, err) != http.StatusUnauthorized {
		t.Errorf("without a session: %v", err)
	}
}

func TestKeyKeepsItsPin(t *testing.T) {
	key := newKey(t)
	text, err := agent.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := agent.DecodeKey(text)
	if err != nil || !again.Equal(key) {
		t.Errorf("the key changed: %v", err)
	}
}
