package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/provisioner"
)

// The ways in which a host gets files, all measured: kernel and initrd by plain
// HTTP, since firmware knows no more; the image by TLS with the pinned key; what a
// bundle holds by TLS as well.
const (
	plain  = "plain HTTP (netboot: kernel, initrd)"
	image  = "TLS 1.3 (agent API: the image)"
	layers = "TLS 1.3 (mirror: content of a bundle)"
)

// benchServe sends one file to many clients at once, by ra2-deploy's own
// servers and by nginx, each in a process of its own, with the same client.
func benchServe(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	file := flags.String("file", "", "file to send; default is the largest built image")
	cache := flags.String("cache", provisioner.DefaultCache, "directory of built images")
	clients := flags.Int("clients", 50, "clients at once, each of which gets the whole file")
	rounds := flags.Int("rounds", 3, "times that each server sends it to all; they take turns")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *file == "" {
		var err error
		if *file, err = largest(*cache); err != nil {
			return err
		}
	}
	info, err := os.Stat(*file)
	if err != nil {
		return err
	}
	fmt.Printf("%d clients get %s (%.0f MB) at once over loopback, %d rounds, median:\n", *clients, *file, float64(info.Size())/1e6, *rounds)
	for _, mode := range []string{plain, image, layers} {
		if err := compare(ctx, mode, *file, load{*clients, info.Size()}, *rounds); err != nil {
			return err
		}
	}
	return nil
}

// largest returns the largest image of a cache, compressed.
func largest(cache string) (string, error) {
	all, err := filepath.Glob(filepath.Join(cache, "images", "*", images.FileImage))
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", fmt.Errorf("%s holds no image: build one with `ra2-deploy image build`, or name a file with --file", cache)
	}
	return slices.MaxFunc(all, func(a, b string) int { return int(size(a) - size(b)) }), nil
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// server is a process that sends the file.
type server struct {
	name   string
	url    string
	header http.Header
	pids   func() ([]int, error)
	stop   func() error
}

// load is what all clients of one round get.
type load struct {
	clients int
	bytes   int64
}

// compare measures both servers in one mode and prints them.
func compare(ctx context.Context, mode, file string, l load, rounds int) (err error) {
	ours, err := startOurs(ctx, mode, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.stop()) }()
	theirs, err := startNginx(ctx, mode, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, theirs.stop()) }()
	fmt.Printf("\n%s\n%-12s %10s %14s %14s\n", mode, "", "MB/s", "RSS at start", "RSS at most")
	both := []server{ours, theirs}
	before, rates := make([]memory, len(both)), make([][]float64, len(both))
	for i, s := range both {
		if before[i], err = residents(s); err != nil {
			return err
		}
	}
	for range rounds {
		for i, s := range both {
			rate, err := l.run(ctx, s)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			rates[i] = append(rates[i], rate)
		}
	}
	for i, s := range both {
		after, err := residents(s)
		if err != nil {
			return err
		}
		fmt.Printf("%-12s %10.0f %11.1f MB %11.1f MB   (rounds: %.0f)\n", s.name, median(rates[i])/1e6, before[i].now, after.most, scaled(rates[i]))
	}
	fmt.Printf("%-12s %10.2f    (aim: at least 0.95)\n", "ours / nginx", median(rates[0])/median(rates[1]))
	return nil
}

// run lets all clients get the file at once and returns bytes per second.
func (l load) run(ctx context.Context, s server) (float64, error) {
	// Each client has a connection of its own, as each host has.
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // #nosec G402 -- what is measured is the transfer
	client := &http.Client{Transport: transport}
	var (
		all  sync.WaitGroup
		got  atomic.Int64
		errs = make([]error, l.clients)
	)
	began := time.Now()
	for i := range l.clients {
		all.Go(func() {
			n, err := fetch(ctx, client, s)
			got.Add(n)
			if err == nil && n != l.bytes {
				err = fmt.Errorf("a client got %d of %d bytes", n, l.bytes)
			}
			errs[i] = err
		})
	}
	all.Wait()
	return float64(got.Load()) / time.Since(began).Seconds(), errors.Join(errs...)
}

// fetch gets the file once and drops it.
func fetch(ctx context.Context, client *http.Client, s server) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return 0, err
	}
	r.Header = s.header
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %s", s.url, resp.Status)
	}
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 128<<10))
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

func scaled(all []float64) []float64 {
	out := make([]float64, len(all))
	for i, v := range all {
		out[i] = v / 1e6
	}
	return out
}
