package redfish_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// fault is one way in which a controller goes wrong.
type fault struct {
	with   func(w http.ResponseWriter, r *http.Request, next http.Handler)
	config func(*redfish.Config)
	beats  string // the operations that can't succeed, by their names; "all" is every one
}

// on makes a fault of those requests that match.
func on(match func(*http.Request) bool, do http.HandlerFunc) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if match(r) {
			do(w, r)
			return
		}
		next.ServeHTTP(w, r)
	}
}

func every(*http.Request) bool { return true }

func answers(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":{"@Message.ExtendedInfo":[{"MessageId":"Base.1.18.GeneralError","Message":"the controller says %d"}]}}`, code)
	}
}

// hangs never answers. A server sees that its client left only when it has read
// the body.
func hangs(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func resets(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func faults() map[string]fault {
	patching := func(r *http.Request) bool { return r.Method == http.MethodPatch }
	posting := func(what string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, what) }
	}
	return map[string]fault{
		"none": {},
		"slow": {with: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			time.Sleep(3 * time.Second)
			next.ServeHTTP(w, r)
		}},
		"hangs":                 {with: on(every, hangs), beats: "all"},
		"hangs at writes":       {with: on(writing, hangs), beats: "power boot order media bios"},
		"resets the connection": {with: on(every, resets), beats: "all"},
		"resets it at writes":   {with: on(writing, resets), beats: "power boot order media bios"},
		"503 for ever":          {with: on(every, answers(503, "Retry-After", "0")), beats: "all"},
		"503 for an hour":       {with: on(every, answers(503, "Retry-After", "3600")), beats: "all"},
		"500 for ever":          {with: on(every, answers(500)), beats: "all"},
		"412 at every PATCH":    {with: on(patching, answers(412)), beats: "boot order bios"},
		"409 at every write":    {with: on(writing, answers(409)), beats: "power boot order media bios"},
		"403 at every write":    {with: on(writing, answers(403)), beats: "power boot order media bios"},
		"no session left":       {with: on(posting("/Sessions"), answers(503))},
		"override not kept":     {with: on(func(r *http.Request) bool { return patching(r) && r.URL.Path == systemPath }, answers(204)), beats: "boot order"},
		"settings not kept":     {with: on(func(r *http.Request) bool { return patching(r) && strings.Contains(r.URL.Path, "/Bios") }, answers(202)), beats: "bios"},
		"power stuck":           {with: on(posting("ComputerSystem.Reset"), answers(204)), beats: "power"},
		"media stuck":           {with: on(posting("InsertMedia"), answers(200)), beats: "media"},
		"wrong password":        {config: func(c *redfish.Config) { c.Password = secret.New("wrong-wrong") }, beats: "all"},
		"clock off by years": {with: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
			next.ServeHTTP(w, r)
		}},
		"answers that aren't JSON": {with: on(func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path != "/redfish/v1/" }, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>busy</html>")) }), beats: "all"},
	}
}

// operations are all that the product asks of a controller.
func operations() map[string]func(context.Context, *redfish.Client) error {
	return map[string]func(context.Context, *redfish.Client) error{
		"facts": func(ctx context.Context, c *redfish.Client) error { _, err := c.Facts(ctx); return err },
		"power": func(ctx context.Context, c *redfish.Client) error { return c.Power(ctx, redfish.On) },
		"boot":  func(ctx context.Context, c *redfish.Client) error { return c.SetBoot(ctx, redfish.UEFIPXE) },
		"order": func(ctx context.Context, c *redfish.Client) error {
			_, err := c.NetworkFirst(ctx, "58:a2:e1:03:96:f2")
			return err
		},
		"media": func(ctx context.Context, c *redfish.Client) error { return c.InsertMedia(ctx, iso) },
		"bios": func(ctx context.Context, c *redfish.Client) error {
			_, err := c.SetBIOS(ctx, map[string]any{"LogicalProc": "Enabled"})
			return err
		},
	}
}

// TestFaults sends every operation into every fault, with the product's own
// patience. Each ends within its deadline, with success or with an error that
// names the host, the request or what was waited for, and what to do; no session
// is left open, the account isn't locked, and what stands already is not written
// again. Certificates have TestCertificate and TestUnreachable.
func TestFaults(t *testing.T) {
	for name, f := range faults() {
		for what, do := range operations() {
			t.Run(name+"/"+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newRig(t)
					g.fault = f.with
					c := inMemory(t, g, f.config)
					g.judge(t, what, do, c, f.beats == "all" || slices.Contains(strings.Fields(f.beats), what))
				})
			})
		}
	}
}

// TestEmulatorFaults is the same with the faults that the lab can switch on.
func TestEmulatorFaults(t *testing.T) {
	for name, f := range map[string]struct {
		faults lab.Faults
		config lab.Config
		wrong  bool // the password
		beats  string
	}{
		"slow":             {faults: lab.Faults{Slow: 3000}},
		"hangs":            {faults: lab.Faults{Hang: true}, beats: "all"},
		"drops":            {faults: lab.Faults{Drop: true}, beats: "all"},
		"503 five times":   {faults: lab.Faults{Unavailable: 5}},
		"503 for long":     {faults: lab.Faults{Unavailable: 1000}, beats: "all"},
		"strong tags":      {faults: lab.Faults{ETag: "strong"}},
		"no tag fits":      {faults: lab.Faults{ETag: "never"}},
		"no tag, and must": {faults: lab.Faults{ETag: "never"}, config: lab.Config{RequireMatch: true}, beats: "boot bios"},
		"two sessions":     {faults: lab.Faults{Sessions: 2}},
		"locks":            {faults: lab.Faults{LockAccount: true}, wrong: true, beats: "all"},
		"clock":            {faults: lab.Faults{Clock: "-87600h"}},
		"wrong serial":     {faults: lab.Faults{WrongSerial: "OTHER"}},
		"power 409":        {faults: lab.Faults{PowerConflict: true}},
		"power stuck":      {faults: lab.Faults{StickPower: true}, beats: "power"},
		"media not in":     {faults: lab.Faults{StickMedia: "empty"}, beats: "media"},
		"job stuck":        {faults: lab.Faults{StickJob: true}},
		"job purged":       {faults: lab.Faults{PurgeJob: true}},
	} {
		for what, do := range operations() {
			if what == "order" {
				continue // the lab's controller has none
			}
			t.Run(name+"/"+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f.config.Faults = f.faults
					g := &rig{Controller: machine(t, f.config), refused: map[string]int{}, bare: true}
					g.SetFaults(f.faults)
					c := inMemory(t, g, func(cfg *redfish.Config) {
						if f.wrong {
							cfg.Password = secret.New("wrong-wrong")
						}
					})
					g.judge(t, what, do, c, f.beats == "all" || slices.Contains(strings.Fields(f.beats), what))
					if n := g.Lockings(); n != 0 {
						t.Errorf("the account was locked %d times", n)
					}
				})
			})
		}
	}
}

// TestStaleMedia: a drive that says that it ejected and still holds the image of
// another is told, and nothing is inserted.
func TestStaleMedia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := machine(t, lab.Config{})
		c := inMemory(t, m, nil)
		if err := c.InsertMedia(t.Context(), stale); err != nil {
			t.Fatal(err)
		}
		m.SetFaults(lab.Faults{StickMedia: "inserted"})
		if err := c.InsertMedia(t.Context(), iso); !errors.Is(err, redfish.ErrNotKept) || !strings.Contains(err.Error(), `for "`+stale+`" to be ejected`) || m.Media() != stale {
			t.Errorf("%v, the drive holds %s", err, m.Media())
		}
		m.SetFaults(lab.Faults{})
		if err := c.InsertMedia(t.Context(), iso); err != nil || m.Media() != iso {
			t.Errorf("%v, the drive holds %s", err, m.Media())
		}
		if err := errors.Join(c.EjectMedia(t.Context(), iso), c.Close(t.Context())); err != nil || m.Media() != "" || m.Sessions() != 0 {
			t.Errorf("%v, the drive holds %q, %d sessions", err, m.Media(), m.Sessions())
		}
	})
}

// deadline is how long an operation may take: the power state has its own time,
// all else ends with the tries of one request, or with virtual media's.
func deadline(what string) time.Duration {
	switch what {
	case "power":
		return 5*time.Minute + time.Second
	case "media":
		return 3*time.Minute + time.Second
	}
	return 2*time.Minute + time.Second
}

// judge runs one operation twice.
func (g *rig) judge(t *testing.T, name string, do func(context.Context, *redfish.Client) error, c *redfish.Client, beaten bool) {
	began := time.Now()
	err := do(t.Context(), c)
	took := time.Since(began)
	switch {
	case took > deadline(name):
		t.Errorf("%s: it ended after %s: %v", name, took, err)
	case beaten != (err != nil):
		t.Errorf("%s: error = %v, an error is due: %t", name, err, beaten)
	case err != nil:
		g.explains(t, name, err)
	default:
		before := g.writes.Load()
		if err := do(t.Context(), c); err != nil || g.writes.Load() != before && name != "media" { // a medium that is there may be one of a run that died
			t.Errorf("%s: the second time: %v, %d writes though nothing differs", name, err, g.writes.Load()-before)
		}
	}
	time.Sleep(2 * time.Minute) // what was cut short has ended
	synctest.Wait()
	g.fault = nil // what follows is how it is left
	g.SetFaults(lab.Faults{})
	if err := c.Close(t.Context()); err != nil && !beaten {
		t.Errorf("%s: close: %v", name, err)
	}
	if n := g.Sessions(); n != 0 {
		t.Errorf("%s: %d sessions are left open", name, n)
	}
	if n := g.refused["admin"]; n > 2 {
		t.Errorf("%s: %d refused logins lock the account", name, n)
	}
}

// explains checks what an error has to say.
func (g *rig) explains(t *testing.T, name string, err error) {
	text := err.Error()
	what, next, _ := strings.Cut(text, "; ")
	if !strings.HasPrefix(text, "cp-a: BMC: ") || !strings.Contains(what, "/redfish/v1") && !strings.Contains(what, "waited for") || next == "" {
		t.Errorf("%s: %q names no host, no request or nothing to do", name, text)
	}
	if strings.Contains(text, password) || strings.Contains(text, "wrong-wrong") {
		t.Errorf("%s: %q holds a secret", name, text)
	}
}

// TestInterrupted ends each operation in its middle: it returns at once, and the
// session is ended.
func TestInterrupted(t *testing.T) {
	for what, do := range operations() {
		t.Run(what, func(t *testing.T) {
			g := newRig(t)
			ctx, interrupt := context.WithCancel(t.Context())
			busy := answers(409)
			match := writing
			if what == "facts" {
				busy, match = answers(503), func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/Processors") }
			}
			g.fault = on(match, func(w http.ResponseWriter, r *http.Request) { interrupt(); busy(w, r) })
			c, _ := open(t, g, nil)
			if err := do(ctx, c); !errors.Is(err, context.Canceled) && what != "facts" {
				t.Errorf("it ended with %v", err)
			}
			g.fault = nil
			if err := c.Close(ctx); err != nil || g.Sessions() != 0 {
				t.Errorf("close: %v, %d sessions", err, g.Sessions())
			}
		})
	}
}
