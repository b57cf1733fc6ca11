package redfish_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

func TestSessionLimit(t *testing.T) {
	m := machine(t, lab.Config{MaxSessions: 1})
	first, _ := open(t, m, nil)
	if _, err := first.PowerState(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, seen := open(t, m, nil)
	if state, err := second.PowerState(t.Context()); err != nil || state != "Off" {
		t.Fatal(state, err)
	}
	if err := second.Power(t.Context(), redfish.On); err != nil {
		t.Fatal(err)
	}
	if n := seen.count("POST /redfish/v1/SessionService/Sessions"); n != 1 {
		t.Errorf("%d logins though none is free", n)
	}
}

// TestSessionsTaken: where basic authentication is refused, and others hold
// all sessions, that is what is told; the password isn't suspected.
func TestSessionsTaken(t *testing.T) {
	m := machine(t, lab.Config{Vendor: "openbmc", MaxSessions: 1})
	first, _ := open(t, m, nil)
	if _, err := first.PowerState(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, seen := open(t, m, nil)
	_, err := second.PowerState(t.Context())
	if err == nil || !strings.Contains(err.Error(), "/Sessions: 503 ") || !strings.Contains(err.Error(), "others hold all sessions") {
		t.Error(err)
	}
	if n := seen.count("GET /redfish/v1/Systems"); n != 1 {
		t.Errorf("basic authentication was tried %d times", n)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state, err := second.PowerState(t.Context()); err != nil || state != "Off" {
		t.Error(state, err)
	}
}

// TestInterruptedLogin: a run that ends while the controller still answers a
// login ends that session too.
func TestInterruptedLogin(t *testing.T) {
	m := machine(t, lab.Config{})
	asked, goOn := make(chan struct{}), make(chan struct{})
	c, _ := open(t, front(m, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Sessions") {
			close(asked)
			<-goOn
		}
		return false
	}), nil)
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Power(ctx, redfish.On) }()
	<-asked
	interrupt()
	close(goOn)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the interrupted work ended with %v", err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := m.Sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// TestLockout: after the second 401 nothing is sent.
func TestLockout(t *testing.T) {
	c, seen := open(t, machine(t, lab.Config{}), func(cfg *redfish.Config) { cfg.Password = secret.New("wrong-wrong") })
	for range 5 {
		_, err := c.Facts(t.Context())
		if err == nil || strings.Contains(err.Error(), "wrong-wrong") {
			t.Fatal(err)
		}
	}
	refused := 0
	for _, line := range seen.seen {
		if strings.HasSuffix(line, " 401") {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d refused logins: %v", refused, seen.seen)
	}
	n := len(seen.seen)
	_, err := c.PowerState(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no further request is sent") || len(seen.seen) != n {
		t.Error(err)
	}
}

// TestLockoutBasic is the same on a controller that has no sessions.
func TestLockoutBasic(t *testing.T) {
	c, seen := open(t, front(machine(t, lab.Config{}), func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	}), func(cfg *redfish.Config) { cfg.Password = secret.New("wrong-wrong") })
	for range 5 {
		if _, err := c.PowerState(t.Context()); err == nil {
			t.Fatal("accepted")
		}
	}
	if n := seen.count("GET /redfish/v1/Systems 401"); n != 2 {
		t.Errorf("%d refused requests: %v", n, seen.seen)
	}
}

// TestSessionVanished: the controller forgot the session, as after its own
// restart.
func TestSessionVanished(t *testing.T) {
	m := machine(t, lab.Config{})
	forget := false
	c, seen := open(t, front(m, func(w http.ResponseWriter, r *http.Request) bool {
		if !forget || r.Method == http.MethodPost {
			return false
		}
		forget = false
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}), nil)
	for range 3 {
		forget = len(seen.seen) > 0
		if _, err := c.PowerState(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// The second answer 401 is to the session that followed the refused look.
	if n := seen.count("POST /redfish/v1/SessionService/Sessions 201"); n != 2 {
		t.Errorf("%d logins", n)
	}
}

// TestBusy: 503 with Retry-After, 500 and a dropped connection are tried
// again; the classes are told.
func TestBusy(t *testing.T) {
	var n atomic.Int32
	var waits []string
	c, _ := open(t, front(machine(t, lab.Config{}), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/redfish/v1/Systems/1" {
			return false
		}
		switch n.Add(1) {
		case 1:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.WriteHeader(http.StatusInternalServerError)
		case 3, 4: // net/http itself repeats a GET on a connection that was used before
			panic(http.ErrAbortHandler)
		default:
			return false
		}
		return true
	}), func(cfg *redfish.Config) { cfg.Waiting = func(w redfish.Wait) { waits = append(waits, w.Last) } })
	if _, err := c.PowerState(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(waits, "; ")
	for _, want := range []string{"the BMC is busy", "the BMC has an error", "connection dropped"} {
		if !strings.Contains(got, want) {
			t.Errorf("waits %q lack %q", got, want)
		}
	}
}

// TestInPOST: settings are refused while the host is in POST, and taken after.
func TestInPOST(t *testing.T) {
	left := 2
	m := machine(t, lab.Config{})
	c, _ := open(t, front(m, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch || left == 0 {
			return false
		}
		left--
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"@Message.ExtendedInfo":[{"MessageId":"iLO.2.14.UnableToModifyDuringSystemPOST"}]}}`)
		return true
	}), nil)
	if err := c.SetBoot(t.Context(), redfish.UEFIPXE); err != nil || left != 0 {
		t.Error(left, err)
	}
}

// TestBudget: a controller that is busy for ever ends with its own words.
func TestBudget(t *testing.T) {
	c, _ := open(t, front(machine(t, lab.Config{}), func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"@Message.ExtendedInfo":[{"Message":"the service is starting, `+password+`"}]}}`)
		return true
	}), func(cfg *redfish.Config) { cfg.RetryBudget = 100 * time.Millisecond })
	began := time.Now()
	_, err := c.PowerState(t.Context())
	if err == nil || time.Since(began) > 2*time.Second || strings.Contains(err.Error(), password) {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	var e *redfish.Error
	if !errors.As(err, &e) || !e.Temporary() || e.Status != http.StatusServiceUnavailable || !strings.Contains(e.Message, "the service is starting, [redacted]") {
		t.Errorf("not its own words: %v", err)
	}
}

// TestHang: an answer that never comes is tried twice.
func TestHang(t *testing.T) {
	stop := make(chan struct{})
	var n atomic.Int32
	c, _ := open(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n.Add(1)
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}), func(cfg *redfish.Config) { cfg.RequestTimeout = 50 * time.Millisecond })
	defer close(stop)
	if _, err := c.PowerState(t.Context()); err == nil || n.Load() != 2 || !strings.Contains(err.Error(), "/redfish/v1/: no whole answer within ") || strings.Contains(err.Error(), "context") {
		t.Errorf("%d tries, %v", n.Load(), err)
	}
}

// TestVanished: nothing answers at the address.
func TestVanished(t *testing.T) {
	server := tls(machine(t, lab.Config{}))
	seen := &trail{}
	c, err := redfish.New(config(server, seen))
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	_, err = c.PowerState(t.Context())
	if err == nil || !strings.Contains(err.Error(), "cp-a: BMC: GET /redfish/v1/") || !strings.Contains(err.Error(), "whether this machine reaches its network") || len(seen.seen) != 2 {
		t.Error(len(seen.seen), err)
	}
}

// TestETags: a weak tag, a strong one, no tag at all; what worked is remembered.
func TestETags(t *testing.T) {
	for name, want := range map[string]string{"as given": `W/"1"`, "strong": `"1"`, "none": ""} {
		t.Run(name, func(t *testing.T) {
			var tries []string
			m := machine(t, lab.Config{})
			c, _ := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept-Encoding") != "identity" {
					t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
				}
				if r.Method == http.MethodPatch {
					match := r.Header.Get("If-Match")
					tries = append(tries, match)
					if match != want {
						w.WriteHeader(http.StatusPreconditionFailed)
						return
					}
					r.Header.Del("If-Match")
				}
				m.ServeHTTP(weak{w}, r)
			}), nil)
			if err := c.SetBoot(t.Context(), redfish.UEFIPXE); err != nil {
				t.Fatal(err)
			}
			n := len(tries)
			if err := c.SetBoot(t.Context(), redfish.UEFIHTTP); err != nil || len(tries) != n+1 {
				t.Errorf("the ladder was climbed again: %q %v", tries, err)
			}
		})
	}
}

// weak makes every ETag the same weak one.
type weak struct{ http.ResponseWriter }

func (w weak) WriteHeader(status int) {
	w.Header().Set("ETag", `W/"1"`)
	w.ResponseWriter.WriteHeader(status)
}

func TestCertificate(t *testing.T) {
	server := tls(machine(t, lab.Config{}))
	defer server.Close()
	for name, c := range map[string]struct{ pin, want string }{
		"unknown": {"", `write into the inventory: bmc: {fingerprint: "` + fingerprint(server) + `"}`},
		"changed": {"sha256:" + strings.Repeat("0", 64), "the certificate has the fingerprint " + fingerprint(server)},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &trail{}
			cfg := config(server, seen)
			cfg.Fingerprint = c.pin
			client, err := redfish.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = client.PowerState(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) || len(seen.seen) != 1 {
				t.Error(len(seen.seen), err)
			}
		})
	}
}

// TestRedirect: a session never goes to another machine.
func TestRedirect(t *testing.T) {
	other := tls(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other machine was asked") }))
	defer other.Close()
	c, _ := open(t, front(machine(t, lab.Config{}), func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/redfish/v1/Systems/1" {
			http.Redirect(w, r, other.URL, http.StatusFound)
			return true
		}
		return false
	}), nil)
	if _, err := c.PowerState(t.Context()); err == nil || !strings.Contains(err.Error(), "the BMC redirects to") {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	cfg := redfish.Config{Host: "cp-a", URL: "https://10.17.1.11", Password: secret.New("no-colon-here")}
	if _, err := redfish.New(cfg); err == nil || strings.Contains(err.Error(), "no-colon-here") {
		t.Error(err)
	}
	c, _ := open(t, machine(t, lab.Config{}), func(cfg *redfish.Config) { cfg.Username, cfg.Password = "", secret.New("admin:"+password) })
	if _, err := c.PowerState(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNoBasic: where basic authentication is off, a look opens the session.
func TestNoBasic(t *testing.T) {
	m := machine(t, lab.Config{})
	c, seen := open(t, front(m, func(w http.ResponseWriter, r *http.Request) bool {
		if _, _, basic := r.BasicAuth(); basic {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	}), nil)
	for range 3 {
		if _, err := c.PowerState(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := seen.count("POST /redfish/v1/SessionService/Sessions 201"); n != 1 {
		t.Errorf("%d logins: %v", n, seen.seen)
	}
}
