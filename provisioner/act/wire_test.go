package act_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// bench is a host that speaks the real protocols: Redfish to its controller,
// the agent API over TLS to the provisioner.
type bench struct {
	act.Signals
	server *agent.Server
	url    string
	pin    string
	mu     sync.Mutex
	ticket string
	used   string // the ticket that the host claimed with
	bearer string // the session of the installed system
	orders int
	refuse error
	ways   []string      // to boot, instead of uefi-http
	image  string        // URL of the boot image for virtual media
	idle   chan struct{} // closed when the host runs what it was found with
}

func (b *bench) Open(node string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ticket = b.server.Ticket(node, "run", []netip.Addr{netip.MustParseAddr("127.0.0.1")}, time.Now().Add(time.Minute))
	return nil
}

func (b *bench) Close(node string) {
	b.server.Close(node)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ticket = ""
}

func (b *bench) Order(node string, w agent.Word) {
	if w.Install != nil {
		b.orders++
	}
	b.server.SetWord(node, w)
}

// newBench starts the agent API.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{idle: make(chan struct{})}
	b.server = agent.NewServer(agent.Config{
		Hold: time.Second,
		Accept: func(c agent.Claim) error {
			if b.refuse != nil {
				b.Tell(c.Node, act.Signal{Kind: act.KindRefused, Err: b.refuse})
				return b.refuse
			}
			b.Tell(c.Node, claim())
			return nil
		},
		Report: func(node string, r agent.Report) { b.Tell(node, reports(r)) },
		Hello:  func(node string, h agent.Hello) { b.Tell(node, hello(h)) },
	})
	key, err := agent.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if b.pin, err = agent.Pin(key.Public()); err != nil {
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
	b.url = "https://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.server.Serve(ctx, l, conf) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b
}

// run is one boot: from the network it installs, from the disk it says hello.
func (b *bench) run(t *testing.T) lab.RunnerFunc {
	return func(ctx context.Context, boot lab.Boot) lab.End {
		end, err := b.boot(ctx, boot)
		if err != nil && ctx.Err() == nil && b.refuse == nil {
			t.Errorf("the host: %v", err)
		}
		if err != nil || end == lab.Halted {
			<-ctx.Done() // it hangs until somebody looks
		}
		return end
	}
}

func (b *bench) boot(ctx context.Context, boot lab.Boot) (lab.End, error) {
	b.mu.Lock()
	ticket, bearer := b.ticket, b.bearer
	b.mu.Unlock()
	if ticket == "" && bearer == "" {
		close(b.idle) // it was on before, with a system that knows nothing of us
		return lab.Halted, nil
	}
	c, err := agent.NewClient(b.url, b.pin, bearer)
	if err != nil {
		return lab.Halted, err
	}
	if boot.Target == lab.TargetCd && boot.Media != "" {
		resp, err := http.Get(boot.Media)
		if err != nil {
			return lab.Halted, err
		}
		_ = resp.Body.Close()
	} else if boot.Target != "UefiHttp" || ticket == "" {
		_, err := c.Word(ctx, agent.Hello{Stage: agent.StageNode, Generation: "sha256:new"})
		return lab.Halted, err
	}
	b.Tell(node, dhcp())
	b.Tell(node, script())
	b.used = ticket
	if c, err = agent.NewClient(b.url, b.pin, ""); err != nil {
		return lab.Halted, err
	}
	if err := c.Claim(ctx, agent.Claim{Node: node, Ticket: ticket}); err != nil {
		return lab.Halted, err
	}
	for {
		w, err := c.Word(ctx, agent.Hello{Stage: agent.StageInstaller})
		if err != nil {
			return lab.Halted, err
		}
		if w.Install != nil {
			break
		}
	}
	b.mu.Lock()
	b.bearer = c.Bearer()
	b.mu.Unlock()
	return lab.Restarted, c.Report(ctx, agent.Report{Stage: agent.StageInstaller, Status: agent.StatusDone, Mark: step.MarkWritten, Note: "read back"})
}

// install runs the verb against an emulated controller.
func (b *bench) install(t *testing.T, faults lab.Faults) (*lab.Controller, redfishHost, error) {
	t.Helper()
	c, h := controller(t, lab.Config{On: true, POST: 20 * time.Millisecond, Faults: faults, Runner: b.run(t)})
	<-b.idle // before the end of its first POST the settings would come in force by that one
	v := installVerb()
	v.Firmware = map[string]any{"LogicalProc": "Enabled"}
	if err := h.SetBIOS(t.Context(), v.Firmware); err != nil {
		t.Fatal(err)
	}
	s := newStage()
	i := installer(s)
	i.Machine = func(string) (act.Machine, error) { return h, nil }
	i.Methods = func(string) []string { return []string{"uefi-http"} }
	if b.ways != nil {
		i.Methods, i.Image = func(string) []string { return b.ways }, func(string) string { return b.image }
	}
	i.Boots, i.Orders, i.Signals, i.POST, i.Lag = b, b, &b.Signals, 20*time.Second, 300*time.Millisecond
	return c, h, i.Do(t.Context(), step.Step{Host: node, Do: v}, v, s.report)
}

// TestInstallOverTheWire installs a host through Redfish and the agent API, and
// checks that its ticket is worth nothing afterwards.
func TestInstallOverTheWire(t *testing.T) {
	b := newBench(t)
	c, _, err := b.install(t, lab.Faults{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.BIOS()["LogicalProc"]; got != "Enabled" || b.orders != 1 {
		t.Errorf("LogicalProc is %v, %d orders", got, b.orders)
	}
	if b.used == "" || b.ticket != "" {
		t.Errorf("the host used ticket %q; open is %q", b.used, b.ticket)
	}
	thief, err := agent.NewClient(b.url, b.pin, "")
	if err != nil {
		t.Fatal(err)
	}
	err = thief.Claim(t.Context(), agent.Claim{Node: node, Ticket: b.used})
	if refused, ok := errors.AsType[*agent.Refused](err); !ok || refused.Status != http.StatusForbidden {
		t.Errorf("a second claim: %v", err)
	}
}

// TestMediaOverTheWire installs a host from the virtual CD of its controller,
// and leaves the drive empty; a controller that says that it inserted the image
// and has not is told before the host is switched on.
func TestMediaOverTheWire(t *testing.T) {
	for name, faults := range map[string]lab.Faults{"reads it": {}, "says so only": {StickMedia: "empty"}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.Tell(node, readImage()) }))
			defer web.Close()
			b.ways, b.image = []string{act.VirtualMedia}, web.URL+"/boot/52-54-00-17-00-11/ipxe.iso"
			c, h, err := b.install(t, faults)
			if faults.StickMedia != "" {
				wantWords(t, err, "for the image to be inserted; last seen: /redfish/v1/Managers/1/VirtualMedia/CD1 is empty")
				if state, _ := h.PowerState(t.Context()); state != "Off" || b.orders != 0 {
					t.Errorf("the host is %s, %d orders", state, b.orders)
				}
				return
			}
			if err != nil || c.Media() != "" || b.orders != 1 {
				t.Errorf("%v, the drive holds %q, %d orders", err, c.Media(), b.orders)
			}
		})
	}
}

// TestFirmwareOverTheWire: the controller accepts the setting, shows it as
// pending and drops it at POST. The host boots, claims, and is told nothing.
func TestFirmwareOverTheWire(t *testing.T) {
	b := newBench(t)
	_, _, err := b.install(t, lab.Faults{IgnoreBIOS: true})
	wantKind[*step.Hold](t, err, "written, restarted, and still: LogicalProc is Disabled and should be Enabled")
	if b.orders != 0 || b.ticket != "" {
		t.Errorf("%d orders, open ticket %q", b.orders, b.ticket)
	}
}

// TestRefusedOverTheWire: the machine that answers is another one.
func TestRefusedOverTheWire(t *testing.T) {
	b := newBench(t)
	b.refuse = errSerial
	_, _, err := b.install(t, lab.Faults{})
	wantKind[*step.Hold](t, err, "the host's claim was refused", errSerial.Error())
	if b.orders != 0 || b.ticket != "" {
		t.Errorf("%d orders, open ticket %q", b.orders, b.ticket)
	}
}
