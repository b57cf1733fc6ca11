package redfish_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

const password = "hunter2-hunter2"

func fingerprint(s *httptest.Server) string {
	sum := sha256.Sum256(s.Certificate().Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// tls starts a server that doesn't log refused handshakes.
func tls(h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	return s
}

// trail remembers all exchanges.
type trail struct {
	mu   sync.Mutex
	seen []string
}

func (t *trail) add(e redfish.Exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = append(t.seen, fmt.Sprintf("%s %s %d", e.Method, e.Path, e.Status))
}

// count returns the number of exchanges that begin with a prefix.
func (t *trail) count(prefix string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, s := range t.seen {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

func (t *trail) writes() int {
	return t.count("PATCH") + t.count("POST") + t.count("DELETE") - t.count("POST /redfish/v1/SessionService/Sessions") - t.count("DELETE /redfish/v1/SessionService/Sessions")
}

// config is a client of a server with short patience.
func config(s *httptest.Server, t *trail) redfish.Config {
	return redfish.Config{
		Host: "cp-a", URL: s.URL, Username: "admin", Password: secret.New(password), Fingerprint: fingerprint(s),
		RequestTimeout: 2 * time.Second, RetryBudget: 3 * time.Second, PowerTimeout: 5 * time.Second, Poll: 5 * time.Millisecond,
		Observe: t.add,
	}
}

// open returns a client of a handler; both end with the test.
func open(t *testing.T, h http.Handler, change func(*redfish.Config)) (*redfish.Client, *trail) {
	t.Helper()
	server := tls(h)
	t.Cleanup(server.Close)
	seen := &trail{}
	cfg := config(server, seen)
	if change != nil {
		change(&cfg)
	}
	c, err := redfish.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(t.Context()) })
	return c, seen
}

// machine is a lab controller for the account of config.
func machine(t *testing.T, cfg lab.Config) *lab.Controller {
	cfg.Username, cfg.Password = "admin", password
	cfg.Serial = "S1"
	m := lab.New(cfg)
	t.Cleanup(m.Close)
	return m
}

// front lets a test answer some requests itself; the rest reach the machine.
func front(next http.Handler, special func(w http.ResponseWriter, r *http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !special(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}
