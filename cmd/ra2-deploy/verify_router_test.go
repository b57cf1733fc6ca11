package main

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestRouters asks by commands: each finds the address and its family, and one that
// fails, hangs or prints a whole table tells why.
func TestRouters(t *testing.T) {
	ask := func(command, address string) (string, error) {
		r := routers([]string{command})[0]
		out, err := r.Ask(t.Context(), netip.MustParseAddr(address))
		return string(out), err
	}
	for address, want := range map[string]string{"192.0.2.1": "ipv4 192.0.2.1\n", "2001:db8::1": "ipv6 2001:db8::1\n"} {
		if got, err := ask(`echo "$FAMILY $ADDRESS"`, address); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	for command, want := range map[string]string{
		"echo no route to host >&2; exit 255": "exit status 255: no route to host",
		"exit 1":                              "it printed no error",
		"head -c 5000000 /dev/zero":           "ask for one address, $ADDRESS",
	} {
		if got, err := ask(command, "192.0.2.1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %.40q, %v; want %s", command, got, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := askRouter(ctx, "sleep 60", netip.MustParseAddr("192.0.2.1")); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("%v", err)
	}
}
