package ipmi_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/ipmi"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

var update = flag.Bool("update", false, "write the expected files anew")

// Power goes on, off and through a cycle, and each is read back. What ends
// there already is not asked for.
func TestPower(t *testing.T) {
	r := newRig(t)
	c := r.client(nil)
	for _, step := range []struct {
		to    ipmi.Power
		ends  string
		order string // of the last orders, as the machine heard them
	}{
		{ipmi.On, "1", "set power 1"}, {ipmi.On, "1", ""}, {ipmi.Cycle, "1", "set power 0|set power 1"},
		{ipmi.Off, "0", "set power 0"}, {ipmi.Off, "0", ""}, {ipmi.Cycle, "1", "set power 1"},
	} {
		r.write("log", "")
		if err := c.Power(t.Context(), step.to); err != nil {
			t.Fatalf("%s: %v", step.to, err)
		}
		var orders []string
		for line := range strings.Lines(r.read("log")) {
			if strings.HasPrefix(line, "set ") {
				orders = append(orders, strings.TrimSpace(line))
			}
		}
		if got := strings.Join(orders, "|"); got != step.order || r.read("power") != step.ends {
			t.Errorf("%s: the machine heard %q and is %s; want %q and %s", step.to, got, r.read("power"), step.order, step.ends)
		}
	}
}

// A controller that takes the order and does nothing is found out: the power
// state is what counts.
func TestPowerThatDoesNotHappen(t *testing.T) {
	r := newRig(t)
	r.write("deaf", "")
	var waits []ipmi.Wait
	c := r.client(func(cfg *ipmi.Config) {
		cfg.PowerTimeout = time.Second
		cfg.Waiting = func(w ipmi.Wait) { waits = append(waits, w) }
	})
	err := c.Power(t.Context(), ipmi.On)
	const want = "host-a: waited for power state On by IPMI, last seen: power state Off"
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if len(waits) == 0 || waits[0].For != "power state On" || waits[0].Last != "power state Off" || waits[0].Deadline.IsZero() {
		t.Errorf("waits told: %+v", waits)
	}
	if n := strings.Count(r.read("log"), "set power 1"); n < 2 || n > 5 {
		t.Errorf("the order was given %d times in the time for four", n)
	}
}

// The next boot goes to the network, and that is read back; a controller that
// takes it and forgets is found out.
func TestSetBoot(t *testing.T) {
	r := newRig(t)
	c := r.client(nil)
	for _, method := range []string{ipmi.UEFIPXE, ipmi.BIOSPXE} {
		r.write("boot", "none")
		if err := c.SetBoot(t.Context(), method); err != nil || r.read("boot") != "pxe" {
			t.Errorf("%s: %v, boot device %s", method, err, r.read("boot"))
		}
	}
	r.write("boot", "none")
	r.write("deaf", "")
	err := c.SetBoot(t.Context(), ipmi.UEFIPXE)
	if err == nil || !strings.Contains(err.Error(), "accepted, and read back as flags 00h device 00h instead of A0h 04h") {
		t.Errorf("a boot device that was not kept: %v", err)
	}
	err = c.SetBoot(t.Context(), "uefi-http")
	if err == nil || !strings.Contains(err.Error(), "write boot.method uefi-pxe") {
		t.Errorf("uefi-http: %v", err)
	}
}

// TestFacts compares all facts with a reviewed file: what IPMI can't tell is
// not in it.
func TestFacts(t *testing.T) {
	r := newRig(t)
	got, err := r.client(nil).Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/ipmi_sim.json"
	if *update {
		if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)+"\n"); diff != "" {
		t.Errorf("-want +got; accept it with -update:\n%s", diff)
	}
}

// After the second refused login nothing more is sent, and no error tells the
// password.
func TestWrongPassword(t *testing.T) {
	for name, c := range map[string]struct{ user, password, want string }{
		"password": {user, "wrong-password", "the password is wrong"}, "user": {"nobody", "wrong-password", "the BMC knows no such user"},
		"long": {user, "wrong-password-of-20", "some BMCs keep only 16 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			way := newRelay(t, r.cfg.Addr, nil)
			client := client(t, way.addr, func(cfg *ipmi.Config) { cfg.Username, cfg.Password = c.user, secret.New(c.password) })
			for range 2 {
				_, err := client.Facts(t.Context())
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "correct the credentials") {
					t.Errorf("got %v, want %q", err, c.want)
				}
				if strings.Contains(err.Error(), "wrong-password") {
					t.Errorf("the error tells the password: %v", err)
				}
			}
			before := way.sent()
			err := client.Power(t.Context(), ipmi.On)
			if err == nil || !strings.Contains(err.Error(), "twice") || way.sent() != before {
				t.Errorf("third time: %v, and %d datagrams more", err, way.sent()-before)
			}
			if r.read("power") != "0" {
				t.Error("the power went on")
			}
		})
	}
}

// An address where nobody is costs the time for one answer, and the error
// says that it was silence.
func TestNobody(t *testing.T) {
	silent, err := freeSocket(t)
	if err != nil {
		t.Fatal(err)
	}
	for name, addr := range map[string]string{"closed port": "ipmi://" + freePort(t).String(), "silent port": "ipmi://" + silent} {
		t.Run(name, func(t *testing.T) {
			c := client(t, freePort(t), func(cfg *ipmi.Config) { cfg.URL, cfg.AnswerTimeout = addr, 1500*time.Millisecond })
			_, err := c.Facts(t.Context())
			var e *ipmi.Error
			if !errors.As(err, &e) || !e.Temporary() || !strings.Contains(err.Error(), "said nothing to 2 tries") || !strings.Contains(err.Error(), "port 623") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A controller that restarts in the middle forgets the session: it is opened
// anew, once.
func TestRestart(t *testing.T) {
	r := newRig(t)
	c := r.client(nil)
	if err := c.Power(t.Context(), ipmi.On); err != nil {
		t.Fatal(err)
	}
	if err := r.sim.Close(); err != nil {
		t.Fatal(err)
	}
	r.start()
	if err := c.Power(t.Context(), ipmi.Off); err != nil || r.read("power") != "0" {
		t.Errorf("after the restart: %v, power %s", err, r.read("power"))
	}
}

// Datagrams get lost: each of the first ones once, in both directions.
func TestLoss(t *testing.T) {
	r := newRig(t)
	way := newRelay(t, r.cfg.Addr, func(n int, _ []byte, _ bool) bool { return n%4 == 2 && n < 14 })
	c := client(t, way.addr, func(cfg *ipmi.Config) { cfg.AnswerTimeout, cfg.PowerTimeout = 8*time.Second, time.Minute })
	if err := c.Power(t.Context(), ipmi.On); err != nil {
		t.Error(err)
	}
	if state, err := c.PowerState(t.Context()); err != nil || state != "On" {
		t.Errorf("got %s, %v", state, err)
	}
}

// Sessions are few: ipmi_sim has ten for a user, and twenty clients come and go.
func TestNoSessionIsLeft(t *testing.T) {
	r := newRig(t)
	for i := range 20 {
		c := r.client(nil)
		if _, err := c.PowerState(t.Context()); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel() // as an interrupt does
		if err := c.Close(ended); err != nil {
			t.Fatalf("close %d: %v", i, err)
		}
	}
}

// The real ipmitool and we mean the same things.
func TestBesideIpmitool(t *testing.T) {
	if _, err := exec.LookPath("ipmitool"); err != nil {
		t.Skip("needs ipmitool: apt install ipmitool")
	}
	r := newRig(t)
	c := r.client(nil)
	ipmitool := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "ipmitool", append([]string{
			"-I", "lanplus", "-C", "3", "-H", r.cfg.Addr.Addr().String(), "-p", portOf(r.cfg.Addr), "-U", user, "-E"}, args...)...)
		cmd.Env = append(os.Environ(), "IPMITOOL_PASSWORD="+password)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("ipmitool %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	if err := c.Power(t.Context(), ipmi.On); err != nil {
		t.Fatal(err)
	}
	if out := ipmitool("chassis", "power", "status"); !strings.Contains(out, "is on") {
		t.Errorf("ipmitool sees %s", out)
	}
	ipmitool("chassis", "power", "off")
	if state, err := c.PowerState(t.Context()); err != nil || state != "Off" {
		t.Errorf("we see %s, %v", state, err)
	}
	if err := c.SetBoot(t.Context(), ipmi.UEFIPXE); err != nil {
		t.Fatal(err)
	}
	if out := ipmitool("chassis", "bootparam", "get", "5"); !strings.Contains(out, "Force PXE") {
		t.Errorf("ipmitool sees %s", out)
	}
	got, err := c.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{got.Serial, got.Model, got.Vendor, got.SKU, "RA2BOARD0011"} {
		if out := ipmitool("fru", "print", "0"); word == "" || !strings.Contains(out, word) {
			t.Errorf("ipmitool does not see %q: %s", word, out)
		}
	}
	if out := ipmitool("mc", "guid"); !strings.Contains(out, got.UUID) {
		t.Errorf("our UUID is %s, ipmitool says %s", got.UUID, out)
	}
	if out := ipmitool("mc", "info"); !strings.Contains(out, got.Firmware[0].Version) {
		t.Errorf("our firmware is %s, ipmitool says %s", got.Firmware[0].Version, out)
	}
}
