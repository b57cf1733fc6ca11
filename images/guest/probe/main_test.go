package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGetReachesServer(t *testing.T) {
	t.Setenv("NODE_NAME", "worker-a")
	s := httptest.NewServer(http.HandlerFunc(answer))
	defer s.Close()
	var out bytes.Buffer
	if code := run(t.Context(), []string{"get", s.URL}, &out, &out); code != 0 {
		t.Fatalf("exit status %d: %s", code, &out)
	}
	var r Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || !r.OK || r.Answer.Node != "worker-a" || !strings.HasPrefix(r.Answer.From, "127.0.0.1:") {
		t.Errorf("got %s, %v", &out, err)
	}
}

// TestHost asks for another host than the URL's.
func TestHost(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "served.example" {
			answer(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	defer s.Close()
	for host, want := range map[string]int{"served.example": 0, "stranger.example": 1} {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"get", "-host", host, s.URL}, &out, &out); code != want {
			t.Errorf("%s: exit status %d: %s", host, code, &out)
		}
	}
}

func TestGetTellsWhatFailed(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	var out bytes.Buffer
	if code := run(t.Context(), []string{"get", s.URL, "http://127.0.0.1:1/"}, &out, &out); code != 1 {
		t.Errorf("exit status %d", code)
	}
	if lines := out.String(); !strings.Contains(lines, "404 Not Found") || !strings.Contains(lines, "connection refused") {
		t.Errorf("got %s", lines)
	}
}

// TestPackets asks by UDP: an answer says who was reached and who asked.
func TestPackets(t *testing.T) {
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	go echo(packets)
	var out bytes.Buffer
	code := run(t.Context(), []string{"get", "-timeout", "2s", "udp://" + packets.LocalAddr().String()}, &out, &out)
	var r Result
	if err := json.Unmarshal(out.Bytes(), &r); code != 0 || err != nil || !r.OK || !strings.HasPrefix(r.Answer.From, "127.0.0.1:") {
		t.Errorf("exit status %d: %s, %v", code, &out, err)
	}
	if code := run(t.Context(), []string{"get", "-timeout", "200ms", "udp://127.0.0.1:1"}, &out, &out); code != 1 {
		t.Errorf("nobody there: exit status %d", code)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"get"}, {"dance"}, {"get", "-no"}, {"read"}, {"write", "x"}, {"fill"}, {"map", "x"}} {
		var out bytes.Buffer
		if code := run(t.Context(), args, &out, &out); code != 2 || out.Len() == 0 {
			t.Errorf("%v: exit status %d, %q", args, code, &out)
		}
	}
}
