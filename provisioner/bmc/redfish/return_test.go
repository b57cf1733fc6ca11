package redfish_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// silent accepts connections and says nothing, as a controller does that hangs
// below TLS. It counts connections.
func silent(t *testing.T) (url string, connections *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	connections = &atomic.Int32{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return "https://" + l.Addr().String(), connections
}

// TestUnreachable: a controller that makes no connection costs one
// ConnectTimeout, TCP and TLS together, and says so with what to do.
func TestUnreachable(t *testing.T) {
	url, connections := silent(t)
	c, err := redfish.New(redfish.Config{Host: "cp-a", URL: url, Username: "u", Password: secret.New("p"), ConnectTimeout: 100 * time.Millisecond, Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Facts(t.Context())
	if err == nil || !strings.Contains(err.Error(), "cp-a: BMC: GET /redfish/v1/") || !strings.Contains(err.Error(), "within 100ms") || !strings.Contains(err.Error(), "whether the BMC has power") {
		t.Error(err)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections were tried", n)
	}
}

// TestRetryAfter: what the controller asks for is waited for where the budget
// has room for it; where it has none the answer comes at once.
func TestRetryAfter(t *testing.T) {
	for after, want := range map[string]string{"0": "", "3600": "503 Service Unavailable", "Wed, 21 Oct 2099 07:28:00 GMT": "503 Service Unavailable"} {
		first := true
		c, _ := open(t, front(machine(t, lab.Config{}), func(w http.ResponseWriter, r *http.Request) bool {
			if !first || r.URL.Path != "/redfish/v1/Systems/1" {
				return false
			}
			first = false
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}), func(cfg *redfish.Config) { cfg.RetryBudget = time.Hour / 2 })
		_, err := c.PowerState(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Retry-After %s: %v", after, err)
		}
	}
}

// renamed is a controller whose system has another path than the lab's: the one
// of a newer firmware.
func renamed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/redfish/v1/Systems/1") {
			http.NotFound(w, r)
			return
		}
		r.URL.Path = strings.Replace(r.URL.Path, "/Systems/Self", "/Systems/1", 1)
		next.ServeHTTP(swap{w}, r)
	})
}

// swap writes the new path wherever the old one stands.
type swap struct{ http.ResponseWriter }

func (s swap) Write(p []byte) (int, error) {
	_, err := s.ResponseWriter.Write([]byte(strings.ReplaceAll(string(p), "/Systems/1", "/Systems/Self")))
	return len(p), err
}

// TestAnotherFirmware: the controller dies and comes back with another firmware,
// under which its paths are others: the next step finds system and manager anew,
// and it has to be the same system.
func TestAnotherFirmware(t *testing.T) {
	old := machine(t, lab.Config{})
	other := lab.New(lab.Config{Username: "admin", Password: password, Serial: "S2"})
	t.Cleanup(other.Close)
	var now atomic.Value
	now.Store(http.Handler(old).ServeHTTP)
	c, _ := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now.Load().(func(http.ResponseWriter, *http.Request))(w, r)
	}), func(cfg *redfish.Config) { cfg.RetryBudget = 200 * time.Millisecond })
	if err := c.SetBoot(t.Context(), redfish.UEFIPXE); err != nil {
		t.Fatal(err)
	}
	dead := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	now.Store(dead)
	if _, err := c.PowerState(t.Context()); err == nil {
		t.Fatal("a dead controller answered")
	}
	now.Store(renamed(old).ServeHTTP)
	if err := c.Power(t.Context(), redfish.On); err != nil {
		t.Errorf("after the update: %v", err)
	}
	// It restarts so fast that no answer is lost: the old path is gone.
	now.Store(http.Handler(old).ServeHTTP)
	if state, err := c.PowerState(t.Context()); err != nil || state != "On" {
		t.Errorf("back again: %s %v", state, err)
	}
	now.Store(http.Handler(other).ServeHTTP)
	err := c.Power(t.Context(), redfish.Off)
	var e *redfish.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), `the system's serial number was "S1" and is "S2"`) || other.Power() != lab.Off {
		t.Errorf("another machine at the address: %v", err)
	}
}

// TestEmptyETag: a tag of nothing is refused by the controller that gave it
// (sushy release note ignore-empty-string).
func TestEmptyETag(t *testing.T) {
	r := readShelf(t, "asrockrack-whole-boot")
	c, seen := open(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("ETag", `""`)
		if req.Header.Get("If-Match") != "" {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		r.ServeHTTP(w, req)
	}), nil)
	if err := c.SetBoot(t.Context(), redfish.UEFIPXE); err != nil || seen.count("PATCH") != 2 {
		t.Error(err, seen.seen)
	}
}

// TestBootSettings: the override is written to the settings resource where that
// holds it, or where the system says so, else to the system itself.
func TestBootSettings(t *testing.T) {
	const system, pending = "/redfish/v1/Systems/1", "/redfish/v1/Systems/1/Pending"
	for name, c := range map[string]struct {
		pending map[string]any // nil: named, and not there
		refuse  string
		want    string
	}{
		"holds the override":     {map[string]any{"Boot": map[string]any{"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"}}, "", pending},
		"holds the order alone":  {map[string]any{"Boot": map[string]any{"BootOrder": []any{"Boot0003"}}}, "", system},
		"is named and not there": {nil, "", system},
		"in future state":        {map[string]any{"@odata.etag": "x"}, "Ami.1.0.OperationSupportedInFutureStateURI", pending},
	} {
		t.Run(name, func(t *testing.T) {
			r := readShelf(t, "idrac-5-gap")
			r.docs[system]["@Redfish.Settings"] = map[string]any{"SettingsObject": map[string]any{"@odata.id": pending}}
			if c.pending != nil {
				r.docs[pending] = c.pending
			}
			r.rule = func(at string, _, doc map[string]any) string {
				if at == system {
					return c.refuse
				}
				if doc["Boot"] == nil {
					doc["Boot"] = map[string]any{}
				}
				return ""
			}
			client, _ := open(t, r, nil)
			if err := client.SetBoot(t.Context(), redfish.UEFIPXE); err != nil {
				t.Fatal(err)
			}
			if last := r.wrote[len(r.wrote)-1]; !strings.HasPrefix(last, c.want+" ") {
				t.Errorf("wrote %q", r.wrote)
			}
		})
	}
}
