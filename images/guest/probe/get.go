package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Result is one line of the client.
type Result struct {
	URL    string  `json:"url"`
	OK     bool    `json:"ok"`
	Error  string  `json:"error,omitempty"`
	Millis int64   `json:"millis"` // of the last try
	Tries  int     `json:"tries"`
	Answer *Answer `json:"answer,omitempty"`
}

func get(ctx context.Context, args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("get", flag.ContinueOnError)
	flags.SetOutput(errs)
	timeout := flags.Duration("timeout", 5*time.Second, "for one try")
	tries := flags.Int("tries", 1, "tries for each URL, a second apart")
	host := flags.String("host", "", "name of the host that is asked for, instead of the URL's (RFC 9110, section 7.2)")
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(errs, "ra2-probe: get: no URL")
		return 2
	}
	code := 0
	for _, url := range flags.Args() {
		r := ask(ctx, question{url, *host, *timeout}, *tries)
		json.NewEncoder(out).Encode(r)
		if !r.OK {
			code = 1
		}
	}
	return code
}

// question is one URL, and how it is asked.
type question struct {
	url, host string
	timeout   time.Duration
}

func ask(ctx context.Context, q question, tries int) Result {
	r := Result{URL: q.url}
	for r.Tries = 1; ; r.Tries++ {
		start := time.Now()
		a, err := q.once(ctx)
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
func (q question) once(ctx context.Context) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	if address, ok := strings.CutPrefix(q.url, "udp://"); ok {
		return packet(ctx, address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.url, nil)
	if err != nil {
		return nil, err
	}
	req.Host = q.host // empty is the URL's
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
