// Command ra2-probe tells whether pods reach each other: a small web server
// that says who answers, and a client that says who was reached.
//
//	ra2-probe serve [-listen :8080]           answer every GET, and every UDP packet to the same port, with an Answer
//	ra2-probe get [-timeout 5s] [-tries 1] URL...   ask, print one JSON line each; udp://HOST:PORT asks by UDP
//	ra2-probe sleep                           do nothing until told to end
//
// Exit status of get: 0 when every URL answered 200, 1 when one didn't, 2 for
// wrong usage.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Answer is what the server says.
type Answer struct {
	Host      string   `json:"host"`      // host name: the pod's name
	Node      string   `json:"node"`      // environment NODE_NAME, laid by the manifest
	Addresses []string `json:"addresses"` // all but loopback
	From      string   `json:"from"`      // address of the asking side, as the server sees it
}

// Result is one line of the client.
type Result struct {
	URL    string  `json:"url"`
	OK     bool    `json:"ok"`
	Error  string  `json:"error,omitempty"`
	Millis int64   `json:"millis"` // of the last try
	Tries  int     `json:"tries"`
	Answer *Answer `json:"answer,omitempty"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	if len(args) == 0 {
		args = []string{"serve"}
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], errs)
	case "get":
		return get(ctx, args[1:], out, errs)
	case "sleep":
		<-ctx.Done()
		return 0
	}
	fmt.Fprintf(errs, "ra2-probe: %q is no command: use serve, get or sleep\n", args[0])
	return 2
}

func serve(ctx context.Context, args []string, errs io.Writer) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(errs)
	listen := flags.String("listen", ":8080", "address to listen on")
	if flags.Parse(args) != nil {
		return 2
	}
	s := &http.Server{Addr: *listen, Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 5 * time.Second}
	packets, err := net.ListenPacket("udp", *listen)
	if err != nil {
		fmt.Fprintf(errs, "ra2-probe: serve on %s: %v\n", *listen, err)
		return 1
	}
	go echo(packets)
	go func() {
		<-ctx.Done()
		packets.Close()
		s.Close()
	}()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintf(errs, "ra2-probe: serve on %s: %v\n", *listen, err)
		return 1
	}
	return 0
}

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answerTo(r.RemoteAddr))
}

// echo answers packets until they can't be read any more.
func echo(packets net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		_, from, err := packets.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if data, err := json.Marshal(answerTo(from.String())); err == nil {
			packets.WriteTo(data, from)
		}
	}
}

func answerTo(from string) Answer {
	a := Answer{Node: os.Getenv("NODE_NAME"), From: from}
	a.Host, _ = os.Hostname()
	addresses, _ := net.InterfaceAddrs()
	for _, address := range addresses {
		if ip, ok := address.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			a.Addresses = append(a.Addresses, ip.IP.String())
		}
	}
	return a
}

func get(ctx context.Context, args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("get", flag.ContinueOnError)
	flags.SetOutput(errs)
	timeout := flags.Duration("timeout", 5*time.Second, "for one try")
	tries := flags.Int("tries", 1, "tries for each URL, a second apart")
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(errs, "ra2-probe: get: no URL")
		return 2
	}
	code := 0
	for _, url := range flags.Args() {
		r := ask(ctx, url, *timeout, *tries)
		json.NewEncoder(out).Encode(r)
		if !r.OK {
			code = 1
		}
	}
	return code
}

func ask(ctx context.Context, url string, timeout time.Duration, tries int) Result {
	r := Result{URL: url}
	for r.Tries = 1; ; r.Tries++ {
		start := time.Now()
		a, err := once(ctx, url, timeout)
		r.Millis = time.Since(start).Milliseconds()
		if err == nil {
			r.OK, r.Error, r.Answer = true, "", a
			return r
		}
		r.Error = err.Error()
		if r.Tries >= tries {
			return r
		}
		select {
		case <-ctx.Done():
			return r
		case <-time.After(time.Second):
		}
	}
}

// once asks on a connection of its own, so that each try goes through the
// service's balancing anew.
func once(ctx context.Context, url string, timeout time.Duration) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if address, ok := strings.CutPrefix(url, "udp://"); ok {
		return packet(ctx, address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %.200s", resp.Status, body)
	}
	return read(body)
}

// packet asks by one UDP packet, from a port of its own.
func packet(ctx context.Context, address string) (*Answer, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if _, err := conn.Write([]byte("who?")); err != nil {
		return nil, err
	}
	buf := make([]byte, 64<<10)
	n, err := conn.Read(buf)
	if err != nil {
		return nil, err
	}
	return read(buf[:n])
}

func read(body []byte) (*Answer, error) {
	var a Answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("not an answer of ra2-probe: %.200s", body)
	}
	return &a, nil
}
