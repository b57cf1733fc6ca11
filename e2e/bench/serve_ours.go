package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/bundle/mirror"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot"
)

// bearer is the session of every client; digest is how they name the file. What
// is measured is the transfer.
const bearer = "bench"

func digest() string { return strings.Repeat("0", 64) }

// startOurs starts this program as ra2-deploy's servers.
func startOurs(ctx context.Context, mode, file string) (server, error) {
	self, err := os.Executable()
	if err != nil {
		return server{}, err
	}
	cmd := exec.CommandContext(ctx, self, "served", "-mode", mode, "-file", file)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return server{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return server{}, err
	}
	if err := cmd.Start(); err != nil {
		return server{}, err
	}
	s := server{
		name: "ra2-deploy", header: http.Header{"Authorization": {"Bearer " + bearer}},
		pids: func() ([]int, error) { return []int{cmd.Process.Pid}, nil },
		stop: func() error { return errors.Join(in.Close(), cmd.Wait()) },
	}
	if err := json.NewDecoder(out).Decode(&s.url); err != nil {
		return s, errors.Join(fmt.Errorf("start ra2-deploy's server: %w", err), s.stop())
	}
	return s, nil
}

// serveFile is the other process: it tells its URL and serves until its input
// ends.
func serveFile(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("served", flag.ContinueOnError)
	mode := flags.String("mode", plain, "")
	file := flags.String("file", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	start := map[string]func(context.Context, string) (string, <-chan error, error){plain: serveNetboot, image: serveAgent, layers: serveMirror}
	url, ended, err := start[*mode](ctx, *file)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(url); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	stop()
	return errors.Join(err, <-ended)
}

// serveNetboot serves the file as the initrd of an open boot.
func serveNetboot(ctx context.Context, file string) (string, <-chan error, error) {
	tftp, web, err := freePorts()
	if err != nil {
		return "", nil, err
	}
	table, own := &netboot.Table{}, netip.MustParseAddr("127.0.0.1")
	mac := netboot.MAC{0x52, 0x54, 0, 0x17, 0, 0x11}
	if err := table.Open(netboot.Boot{Node: "cp-a", MAC: mac, Addrs: []netip.Prefix{netip.PrefixFrom(own, 8)}, Kernel: file, Initrd: file}); err != nil {
		return "", nil, err
	}
	s, err := netboot.Listen(netboot.Config{
		Interface: "lo", Addr: own, Mode: netboot.Off, Ports: netboot.Ports{TFTP: tftp, HTTP: web}, Book: table,
		Report: func(netboot.Event) {}, // a run tells them all
	})
	if err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	return fmt.Sprintf("http://%s:%d/boot/%s/initrd", own, web, mac.Dashes()), ended, nil
}

// freePorts returns a UDP and a TCP port that nobody has now.
func freePorts() (udp, tcp uint16, err error) {
	u, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer u.Close()
	t, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer t.Close()
	return netip.MustParseAddrPort(u.LocalAddr().String()).Port(), netip.MustParseAddrPort(t.Addr().String()).Port(), nil
}

// serveAgent serves the file as the image of a run.
func serveAgent(ctx context.Context, file string) (string, <-chan error, error) {
	s := agent.NewServer(agent.Config{File: func(string, string) (string, error) { return file, nil }})
	hash := sha256.Sum256([]byte(bearer))
	if err := s.Restore([]agent.SavedSession{{Node: "cp-a", Hash: hex.EncodeToString(hash[:]), Since: time.Now()}}); err != nil {
		return "", nil, err
	}
	l, conf, err := listenTLS()
	if err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, conf) }()
	return "https://" + l.Addr().String() + agent.ImagePath(digest()), ended, nil
}

// listenTLS opens a socket on the loopback and makes a certificate for it, as a
// run does.
func listenTLS() (net.Listener, *tls.Config, error) {
	key, err := agent.NewKey()
	if err != nil {
		return nil, nil, err
	}
	conf, err := agent.ServerTLS(key, time.Now(), []netip.Addr{netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	return l, conf, err
}

// serveMirror serves the file as content of a bundle. The first client waits until
// it was compared with its digest.
func serveMirror(ctx context.Context, file string) (url string, ended <-chan error, err error) {
	dir, err := os.MkdirTemp("", "ra2-bench-bundle-")
	if err != nil {
		return "", nil, err
	}
	done := make(chan error, 1)
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	b, err := bundleOf(filepath.Join(dir, "bundle"), file)
	if err != nil {
		return "", nil, err
	}
	s, err := mirror.New(b, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return "", nil, err
	}
	l, conf, err := listenTLS()
	if err != nil {
		return "", nil, err
	}
	go func() { done <- errors.Join(s.Serve(ctx, l, conf), os.RemoveAll(dir)) }()
	return "https://" + l.Addr().String() + "/file/image", done, nil
}

// bundleOf makes a bundle that holds a file.
func bundleOf(dir, file string) (b bundle.Bundle, err error) {
	f, err := os.Open(file)
	if err != nil {
		return b, err
	}
	defer f.Close()
	w, err := bundle.Create(dir)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if _, err := w.AddFile(bundle.Item{Kind: bundle.File, Name: "image", Source: "file:image"}, f); err != nil {
		return b, err
	}
	return w.Commit(nil)
}
