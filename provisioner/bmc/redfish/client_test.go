package redfish_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
)

func TestFacts(t *testing.T) {
	c, seen := open(t, machine(t, lab.Config{}), nil)
	got, err := c.Facts(t.Context())
	if err != nil || got.Err != "" {
		t.Fatal(err, got.Err)
	}
	if !got.Reached || got.Serial != "S1" || got.Power != "Off" || got.MemoryGiB == nil || *got.MemoryGiB != 64 ||
		len(got.Processors) != 2 || got.Processors[0].Cores != 20 || len(got.Slots) != 8 || got.Slots[0].Generation != 4 {
		t.Errorf("%+v", got)
	}
	if len(got.Ports) != 4 || got.Ports[0].MAC != "52:54:00:17:f0:00" || got.Ports[0].SpeedGbps == nil || *got.Ports[0].SpeedGbps != 25 || got.Ports[0].SRIOV == nil || !*got.Ports[0].SRIOV {
		t.Errorf("ports %+v", got.Ports)
	}
	if len(got.Drives) != 1 || got.Drives[0].Serial != "RA2LAB0" || got.Drives[0].WWN != "5000c500a1b2c3d4" || got.Drives[0].Bytes != 480e9 {
		t.Errorf("drives %+v", got.Drives)
	}
	if got.BIOS["LogicalProc"] != "Disabled" || got.PendingBIOS == nil || len(got.PendingBIOS) > 0 {
		t.Errorf("BIOS %v, pending %v", got.BIOS, got.PendingBIOS)
	}
	if seen.writes() != 0 {
		t.Errorf("looking wrote: %v", seen.seen)
	}
	if n := len(seen.seen); n > 14 {
		t.Errorf("%d requests: %v", n, seen.seen)
	}
}

// TestOneSession uses one client from many goroutines: one request at a time,
// no session and no write while it only looks, one login with the first change,
// and a logout.
func TestOneSession(t *testing.T) {
	m := machine(t, lab.Config{})
	var now, most atomic.Int32
	c, seen := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		m.ServeHTTP(w, r)
	}), nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := c.Facts(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d requests at a time", most.Load())
	}
	for _, line := range seen.seen {
		if !strings.HasPrefix(line, "GET ") {
			t.Errorf("a look sent %s", line)
		}
	}
	if err := c.SetBoot(t.Context(), redfish.UEFIHTTP); err != nil {
		t.Fatal(err)
	}
	if n := seen.count("POST /redfish/v1/SessionService/Sessions"); n != 1 || m.Sessions() != 1 {
		t.Errorf("%d logins, %d sessions", n, m.Sessions())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Close(ended); err != nil {
		t.Fatal(err)
	}
	if m.Sessions() != 0 {
		t.Error("the session outlives the client")
	}
}

func TestPower(t *testing.T) {
	var waits []redfish.Wait
	m := machine(t, lab.Config{Lag: 30 * time.Millisecond})
	c, seen := open(t, m, func(cfg *redfish.Config) { cfg.Waiting = func(w redfish.Wait) { waits = append(waits, w) } })
	for _, step := range []struct {
		to    redfish.Power
		want  string
		posts int
	}{
		{redfish.Off, "Off", 0}, {redfish.On, "On", 1}, {redfish.On, "On", 0}, {redfish.Cycle, "On", 2}, {redfish.Off, "Off", 1}, {redfish.Cycle, "On", 1},
	} {
		before := seen.count("POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset 204")
		if err := c.Power(t.Context(), step.to); err != nil {
			t.Fatalf("%s: %v", step.to, err)
		}
		if got := m.Power(); got != step.want {
			t.Errorf("after %s the host is %s", step.to, got)
		}
		if n := seen.count("POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset 204") - before; n != step.posts {
			t.Errorf("%s took %d resets, want %d", step.to, n, step.posts)
		}
	}
	if len(waits) == 0 || waits[0].For == "" || waits[0].Last == "" || waits[0].Deadline.IsZero() || waits[0].Next == "" {
		t.Errorf("waits %+v", waits)
	}
	if n := seen.count("POST /redfish/v1/SessionService/Sessions"); n != 1 {
		t.Errorf("%d logins", n)
	}
}

// TestPowerStuck: the reset is accepted and nothing happens.
func TestPowerStuck(t *testing.T) {
	resets := 0
	c, _ := open(t, front(machine(t, lab.Config{}), func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "ComputerSystem.Reset") {
			return false
		}
		resets++
		w.WriteHeader(http.StatusNoContent)
		return true
	}), func(cfg *redfish.Config) { cfg.PowerTimeout = 300 * time.Millisecond })
	err := c.Power(t.Context(), redfish.On)
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cp-a: BMC: waited for power state On, last seen: power state Off") {
		t.Error(err)
	}
	if resets < 1 || resets > 5 {
		t.Errorf("%d resets in four quarters of the time", resets)
	}
}

// TestPowerConflict: some controllers answer 409 to On just after Off. The
// transport never repeats the POST; the state is read in between.
func TestPowerConflict(t *testing.T) {
	var order []string
	left := 3
	m := machine(t, lab.Config{})
	c, _ := open(t, front(m, func(w http.ResponseWriter, r *http.Request) bool {
		reset := strings.HasSuffix(r.URL.Path, "ComputerSystem.Reset")
		if reset || r.URL.Path == "/redfish/v1/Systems/1" {
			order = append(order, r.Method)
		}
		if !reset || left == 0 {
			return false
		}
		left--
		w.WriteHeader(http.StatusConflict)
		return true
	}), nil)
	if err := c.Power(t.Context(), redfish.On); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.Join(order, " "), "POST POST") {
		t.Errorf("a reset was repeated without a look: %v", order)
	}
}

// TestPowerLostAnswer: the reset is done and the answer is lost.
func TestPowerLostAnswer(t *testing.T) {
	m := machine(t, lab.Config{})
	lose := true
	c, seen := open(t, front(m, func(w http.ResponseWriter, r *http.Request) bool {
		if !lose || !strings.HasSuffix(r.URL.Path, "ComputerSystem.Reset") {
			return false
		}
		lose = false
		m.ServeHTTP(discard{}, r)
		panic(http.ErrAbortHandler)
	}), nil)
	if err := c.Power(t.Context(), redfish.On); err != nil {
		t.Fatal(err)
	}
	if n := seen.count("POST /redfish/v1/Systems/1/Actions"); n != 1 {
		t.Errorf("%d resets were sent", n)
	}
}

// discard swallows an answer.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return io.Discard.Write(p) }
func (discard) WriteHeader(int)             {}

func TestSetBoot(t *testing.T) {
	for _, c := range []struct{ method, mode, target, wantMode string }{
		{redfish.UEFIHTTP, lab.ModeUEFI, lab.TargetUefiHttp, lab.ModeUEFI},
		{redfish.UEFIPXE, lab.ModeUEFI, lab.TargetPxe, lab.ModeUEFI},
		{redfish.BIOSPXE, lab.ModeLegacy, lab.TargetPxe, lab.ModeLegacy},
		{redfish.BIOSPXE, lab.ModeUEFI, lab.TargetPxe, lab.ModeLegacy},
	} {
		t.Run(c.method+" on "+c.mode, func(t *testing.T) {
			m := machine(t, lab.Config{BootMode: c.mode, RequireMatch: true})
			var bodies []string
			client, seen := open(t, front(m, func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPatch {
					data, _ := io.ReadAll(r.Body)
					bodies = append(bodies, string(data))
					r.Body = io.NopCloser(strings.NewReader(string(data)))
				}
				return false
			}), nil)
			for range 2 { // the second time nothing differs
				if err := client.SetBoot(t.Context(), c.method); err != nil {
					t.Fatal(err)
				}
			}
			if enabled, target, mode := m.Override(); enabled != lab.Once || target != c.target || mode != c.wantMode {
				t.Errorf("override %s %s %s", enabled, target, mode)
			}
			if seen.writes() != 1 || len(bodies) != 1 || strings.Contains(bodies[0], "Mode") != (c.mode != c.wantMode) || strings.Contains(bodies[0], "BootOrder") {
				t.Errorf("wrote %v", bodies)
			}
		})
	}
}

func TestSetBootUnsupported(t *testing.T) {
	c, seen := open(t, machine(t, lab.Config{BootMode: lab.ModeLegacy}), nil)
	if err := c.SetBoot(t.Context(), redfish.UEFIHTTP); err == nil || !strings.Contains(err.Error(), "offers no boot target UefiHttp") || seen.writes() != 0 {
		t.Error(err, seen.seen)
	}
}

// TestSetBootForgotten: the write is accepted and not shown.
func TestSetBootForgotten(t *testing.T) {
	c, _ := open(t, front(machine(t, lab.Config{}), func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		w.WriteHeader(http.StatusNoContent)
		return true
	}), nil)
	if err := c.SetBoot(t.Context(), redfish.UEFIPXE); err == nil || !strings.Contains(err.Error(), "accepted, and read back as Disabled None UEFI instead of Once Pxe UEFI") {
		t.Error(err)
	}
}

func TestSetBIOS(t *testing.T) {
	m := machine(t, lab.Config{RequireMatch: true})
	c, seen := open(t, m, nil)
	want := map[string]any{"LogicalProc": "Enabled", "ProcVirtualization": "Enabled", "AcPwrRcvryUserDelay": 60}
	wrote, err := c.SetBIOS(t.Context(), want)
	if err != nil || len(wrote) != 1 || wrote["LogicalProc"] != "Enabled" {
		t.Fatal(wrote, err)
	}
	if wrote, err = c.SetBIOS(t.Context(), want); err != nil || wrote != nil || seen.writes() != 1 {
		t.Errorf("what is pending was written again: %v %v", wrote, err)
	}
	if now, err := c.BIOS(t.Context()); err != nil || now["LogicalProc"] != "Disabled" {
		t.Errorf("before POST: %v %v", now["LogicalProc"], err)
	}
	if err := c.Power(t.Context(), redfish.On); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); m.BIOS()["LogicalProc"] != "Enabled"; {
		if time.Now().After(deadline) {
			t.Fatal("POST didn't apply what was pending within 5 s")
		}
	}
	if now, err := c.BIOS(t.Context()); err != nil || now["LogicalProc"] != "Enabled" {
		t.Errorf("after POST: %v %v", now["LogicalProc"], err)
	}
	if _, err := c.SetBIOS(t.Context(), map[string]any{"NoSuch": 1}); err == nil || !strings.Contains(err.Error(), "no attribute NoSuch") {
		t.Error(err)
	}
	if _, err := c.SetBIOS(t.Context(), map[string]any{"SystemBiosVersion": "9"}); err == nil || !strings.Contains(err.Error(), "400 Bad Request: the attribute SystemBiosVersion is read only") {
		t.Error(err)
	}
}

// TestSetBIOSDeaf: the write is accepted and nothing is pending.
func TestSetBIOSDeaf(t *testing.T) {
	c, _ := open(t, front(machine(t, lab.Config{}), func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		w.WriteHeader(http.StatusAccepted)
		return true
	}), nil)
	_, err := c.SetBIOS(t.Context(), map[string]any{"LogicalProc": "Enabled"})
	if err == nil || !strings.Contains(err.Error(), "accepted, and still not pending: LogicalProc is Disabled and should be Enabled") {
		t.Error(err)
	}
}

// TestSetBIOSCommitted: the write is refused, and what is wanted is pending:
// a job was made before.
func TestSetBIOSCommitted(t *testing.T) {
	m := machine(t, lab.Config{})
	c, _ := open(t, front(m, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		m.ServeHTTP(discard{}, r)
		w.WriteHeader(http.StatusBadRequest)
		return true
	}), nil)
	if _, err := c.SetBIOS(t.Context(), map[string]any{"LogicalProc": "Enabled"}); err != nil {
		t.Error(err)
	}
}
