package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

// password of every controller of a rack.
const password = "bench"

// place is where one controller of a rack answers.
type place struct{ URL, Fingerprint string }

// rack is many controllers in a process of their own, so that what is measured
// does not share a heap with what it is measured against.
type rack struct {
	places  []place
	process *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

// openRack starts so many controllers, each of which takes so long for every
// answer.
func openRack(ctx context.Context, hosts int, delay time.Duration) (*rack, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &rack{process: exec.CommandContext(ctx, self, "rack", "-hosts", fmt.Sprint(hosts), "-delay", delay.String())}
	r.process.Stderr = os.Stderr
	if r.in, err = r.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.process.Start(); err != nil {
		return nil, fmt.Errorf("start %d controllers: %w", hosts, err)
	}
	r.out = json.NewDecoder(out)
	if err := r.out.Decode(&r.places); err != nil {
		return nil, errors.Join(fmt.Errorf("start %d controllers: %w", hosts, err), r.close())
	}
	return r, nil
}

// counts is what a rack got since it was asked last.
type counts struct {
	Requests int64 // by all its controllers together
	Sessions int   // that are open now
}

func (r *rack) counts() (c counts, err error) {
	if _, err := io.WriteString(r.in, "\n"); err != nil {
		return c, err
	}
	return c, r.out.Decode(&c)
}

// close ends the process: it ends with its input.
func (r *rack) close() error { return errors.Join(r.in.Close(), r.process.Wait()) }

// serveRack is the other process: it tells its places, and its counts after
// each line.
func serveRack(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("rack", flag.ContinueOnError)
	hosts := flags.Int("hosts", 1, "controllers")
	delay := flags.Duration("delay", 0, "before each answer")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var (
		requests atomic.Int64
		places   []place
		all      []*bmc.Controller
		out      = json.NewEncoder(os.Stdout)
	)
	for i := range *hosts {
		c, p, err := serveOne(ctx, i, *delay, &requests)
		if err != nil {
			return err
		}
		places, all = append(places, p), append(all, c)
	}
	if err := out.Encode(places); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		c := counts{Requests: requests.Swap(0)}
		for _, one := range all {
			c.Sessions += one.Sessions()
		}
		if err := out.Encode(c); err != nil {
			return err
		}
	}
	return nil
}

// serveOne starts one controller on the loopback.
func serveOne(ctx context.Context, i int, delay time.Duration, requests *atomic.Int64) (*bmc.Controller, place, error) {
	cert, pin, err := bmc.SelfSigned(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		return nil, place{}, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, place{}, err
	}
	h := bmc.DefaultHardware()
	h.Drives[0].Serial = fmt.Sprintf("DISK%04d", i)
	h.NICs[0].Ports[0].MAC = macOf(i)
	c := bmc.New(bmc.Config{
		Username: "admin", Password: password, Serial: fmt.Sprintf("CHASSIS%04d", i), Hardware: h,
		Faults: bmc.Faults{Slow: int(delay.Milliseconds())},
	})
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			c.ServeHTTP(w, r)
		}),
		// No controller knows ML-KEM yet.
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}},
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = s.ServeTLS(l, "", "") }() // until the process ends
	return c, place{"https://" + l.Addr().String(), pin}, nil
}

func macOf(i int) string { return fmt.Sprintf("52:54:00:17:%02x:%02x", i/256, i%256) }
