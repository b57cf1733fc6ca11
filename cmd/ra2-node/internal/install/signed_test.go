package install

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

func quiet(string, ...any) {}

// TestWhoAmI: the NIC may come late; a machine without one of the table's ends
// with what it has.
func TestWhoAmI(t *testing.T) {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0x17, 0, 0x11}
	table := agent.FormatHosts([]agent.KernelLine{{
		Mode: agent.ModeInstall, Node: "a", Server: "https://10.17.0.1:8443", Pin: "sha256:ab", MAC: mac, Addresses: []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24")},
	}})
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		late := func() ([]net.HardwareAddr, error) {
			if time.Since(begun) < 20*time.Second {
				return nil, nil
			}
			return []net.HardwareAddr{mac}, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), linkDeadline)
		defer cancel()
		if line, err := whoAmI(ctx, table, late, quiet); err != nil || line.Node != "a" {
			t.Errorf("a late NIC: %v, %v", line, err)
		}
		other := func() ([]net.HardwareAddr, error) { return []net.HardwareAddr{{2, 0, 0, 0, 0, 1}}, nil }
		if _, err := whoAmI(ctx, table, other, quiet); err == nil || !strings.Contains(err.Error(), "02:00:00:00:00:01") {
			t.Errorf("a stranger: %v", err)
		}
	})
}

// TestTicket: asked for again while nobody answers, and not when it is gone.
func TestTicket(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked++; asked {
		case 1:
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		case 2:
			_, _ = w.Write([]byte("the ticket\n"))
		case 3:
			http.Error(w, "the ticket was taken", http.StatusGone)
		default:
			_, _ = w.Write(make([]byte, 2*maxTicket))
		}
	}))
	defer server.Close()
	sys := &pid1.System{Say: quiet, Line: agent.KernelLine{Ticket: server.URL}}
	if got, err := ticket(t.Context(), sys); err != nil || got != "the ticket" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := ticket(t.Context(), sys); err == nil || !strings.Contains(err.Error(), "served before") || asked != 3 {
		t.Errorf("a ticket that is gone: %v after %d", err, asked)
	}
	if _, err := fetchTicket(t.Context(), server.URL); err == nil {
		t.Error("a long one was taken")
	}
}
