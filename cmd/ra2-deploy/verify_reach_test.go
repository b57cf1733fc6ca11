package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/verify"
)

// TestReach asks servers that can't be asked, each in its own way, and wants the
// next step to be about that.
func TestReach(t *testing.T) {
	answer := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte(body))
		})
	}
	plain, unknown := httptest.NewServer(answer(200, "<html>")), httptest.NewServer(answer(401, `{"kind":"Status","message":"Unauthorized"}`))
	secure, gone := httptest.NewTLSServer(answer(200, "{}")), httptest.NewServer(answer(200, "{}"))
	gone.Close()
	for _, s := range []*httptest.Server{plain, unknown, secure} {
		t.Cleanup(s.Close)
	}
	for _, c := range []struct {
		name   string
		config rest.Config
		next   string
	}{
		{"no API server", rest.Config{Host: plain.URL}, "what answers there is no API server"},
		{"no such user", rest.Config{Host: unknown.URL}, "the server knows no such user"},
		{"another authority", rest.Config{Host: secure.URL}, "the server isn't the one whose certificate authority"},
		{"nobody listens", rest.Config{Host: gone.URL}, "nothing listens there"},
		{"no such name", rest.Config{Host: "https://nosuch.invalid"}, "see the server's name"},
	} {
		cluster, err := verify.OpenConfig(&c.config, 1000)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		_, err = cluster.Snapshot(t.Context())
		var step nextStep
		if !errors.As(reach(err), &step) || !strings.HasPrefix(step.next, c.next) {
			t.Errorf("%s: %v, next: %s", c.name, err, step.next)
		}
		if strings.Count(err.Error(), c.config.Host) != 1 {
			t.Errorf("%s: the address isn't there once: %v", c.name, err)
		}
	}
}
