package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
)

// rack is three servers that are off, each with its controller.
type rack struct{ servers []*server }

// server is one controller as an HTTPS server. The machine behind it can be
// exchanged; the log of requests stays.
type server struct {
	name   string
	number int // 11 for the first
	pin    string
	http   *httptest.Server
	called chan struct{} // holds something once a request came
	wrote  chan struct{} // holds something once a request changed the machine
	opened chan struct{} // holds something once a session was opened

	mu   sync.Mutex
	cfg  bmc.Config
	ctl  *bmc.Controller
	cert tls.Certificate
	only bool // sessions are the only way in: basic authentication is refused
	log  bytes.Buffer
}

func newRack() (*rack, error) {
	r := &rack{}
	for i, name := range []string{"cp-a", "cp-b", "cp-c"} {
		s := &server{name: name, number: 11 + i, called: make(chan struct{}, 1), wrote: make(chan struct{}, 1), opened: make(chan struct{}, 1)}
		cert, pin, err := bmc.SelfSigned(netip.MustParseAddr("127.0.0.1"))
		if err != nil {
			return nil, err
		}
		s.pin, s.cert = pin, cert
		h := bmc.DefaultHardware()
		h.Drives[0].Serial = fmt.Sprintf("DISK%d", s.number)
		h.NICs[0].Ports[0].MAC = fmt.Sprintf("52:54:00:17:00:%d", s.number)
		s.set(bmc.Config{Username: "admin", Password: password, Serial: fmt.Sprintf("CHASSIS%d", s.number), Hardware: h, Log: s})
		s.http = httptest.NewUnstartedServer(s)
		s.http.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, GetConfigForClient: s.tls}
		s.http.Config.ErrorLog = log.New(io.Discard, "", 0) // refused certificates are what some scripts want
		s.http.StartTLS()
		r.servers = append(r.servers, s)
	}
	return r, nil
}

func (r *rack) close() {
	for _, s := range r.servers {
		s.http.Close()
		s.controller().Close()
	}
}

func (r *rack) find(name string) (*server, error) {
	for _, s := range r.servers {
		if s.name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("the rack has no server %q", name)
}

// secureBoot is a firmware with the keys of a vendor: "on", "off", or "fixed",
// which its controller only shows; or "setup", without any key.
func (s *server) secureBoot(kind string) (*bmc.SecureBoot, error) {
	vendor, err := x509.ParseCertificate(s.cert.Certificate[0])
	if err != nil || kind == "setup" {
		return &bmc.SecureBoot{}, err
	}
	list := secureboot.List(vendor)
	return &bmc.SecureBoot{Enabled: kind != "off", PK: list, KEK: list, DB: list, Fixed: kind == "fixed"}, nil
}

// change puts another machine behind a controller.
func (r *rack) change(name string, settings []string) error {
	s, err := r.find(name)
	if err != nil {
		return err
	}
	cfg := s.cfg
	for _, text := range settings {
		key, value, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(value)
		switch key {
		case "serial":
			cfg.Serial = value
		case "disk":
			cfg.Hardware.Drives = []bmc.Drive{cfg.Hardware.Drives[0]}
			cfg.Hardware.Drives[0].Serial = value
		case "password":
			cfg.Password = value
		case "secureboot":
			if cfg.SecureBoot, err = s.secureBoot(value); err != nil {
				return err
			}
		case "slow":
			cfg.Faults.Slow = n
		case "lag":
			cfg.Lag = time.Duration(n) * time.Millisecond
		case "basic":
			s.onlySessions(value == "no")
		case "certificate":
			if err := s.certify(value); err != nil {
				return err
			}
		case "on":
			cfg.On = value == "yes"
		case "sockets":
			cfg.Hardware.Sockets = n
		case "cores":
			cfg.Hardware.CoresPerSocket = n
		case "slots":
			cfg.Hardware.Slots = cfg.Hardware.Slots[:n]
		case "untold":
			cfg.Hardware.Slots = make([]bmc.Slot, n) // slots of which the controller tells no more than that they are there
		default:
			return fmt.Errorf("a server has no %q", key)
		}
		if err != nil && (key == "sockets" || key == "cores" || key == "slots" || key == "untold" || key == "slow" || key == "lag") {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	s.controller().Close()
	s.set(cfg)
	return nil
}

func (s *server) set(cfg bmc.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg, s.ctl = cfg, bmc.New(cfg)
}

func (s *server) controller() *bmc.Controller {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctl
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mark(s.called)
	s.mu.Lock()
	only := s.only
	s.mu.Unlock()
	if _, _, basic := r.BasicAuth(); basic && only {
		// OpenBMC answers so when the owner switched basic authentication off
		// (its Oem AuthMethods), also to the right password.
		fmt.Fprintf(s, `{"method":%q,"path":%q,"status":401}`+"\n", r.Method, r.URL.Path)
		http.Error(w, `{"error":{"message":"basic authentication is disabled"}}`, http.StatusUnauthorized)
		return
	}
	s.controller().ServeHTTP(w, r)
}

func (s *server) onlySessions(only bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.only = only
}

func mark(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it holds one already
	}
}

// Write implements io.Writer for the controller's log: a line is one request.
func (s *server) Write(line []byte) (int, error) {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return 0, err
	}
	if !r.reads() {
		mark(s.wrote)
	}
	if r.Method == http.MethodPost && r.Status == http.StatusCreated {
		mark(s.opened)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(line)
}

func (s *server) url() string { return s.http.URL }

// request is one line of a controller's log.
type request struct {
	Method, Path string
	Status       int
}

func (r request) String() string { return fmt.Sprintf("%s %s %d", r.Method, r.Path, r.Status) }

// reads reports whether a request leaves the machine as it is: all that looks,
// and opening and ending a session.
func (r request) reads() bool {
	const sessions = "/redfish/v1/SessionService/Sessions"
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodPost:
		return r.Path == sessions
	case http.MethodDelete:
		return strings.HasPrefix(r.Path, sessions+"/")
	}
	return false
}

func (s *server) requests() ([]request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []request
	dec := json.NewDecoder(bytes.NewReader(s.log.Bytes()))
	for dec.More() {
		var r request
		if err := dec.Decode(&r); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// inventory is what a user would write of the rack.
func (r *rack) inventory() string {
	var b strings.Builder
	b.WriteString(`apiVersion: ra2-deploy/v1alpha1
kind: Cluster
metadata: {name: site}
spec:
  kubernetes:
    endpoint: {vips: [10.17.0.10, "fd00:17::10"]}
  provisioning:
    interface: ra2-nosuch
    cidrs: [10.17.0.1/24, "fd00:17::1/64"]
  classes:
    server: {bios: {smt: enabled}}
  zones: [a, b, c]
  nodes:
`)
	for _, s := range r.servers {
		fmt.Fprintf(&b, `    - name: %s
      zone: %s
      roles: [control-plane, worker]
      class: server
      serial: CHASSIS%d
      bmc:
        url: redfish+%s
        credentials: {username: admin, password: {env: BMC_PASSWORD}}
        fingerprint: "%s"
      boot: {mac: "52:54:00:17:00:%d"}
      disk: {serial: DISK%d}
      addresses: [10.17.0.%d/24, "fd00:17::%d/64"]
`, s.name, strings.TrimPrefix(s.name, "cp-"), s.number, s.url(), s.pin, s.number, s.number, s.number, s.number)
	}
	return b.String()
}

// builtImage puts into a cache what a build would leave there: a manifest and
// its files. They are not an image that could boot; no script gets that far.
func builtImage(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "image DIR")
	sum := sha256.Sum256([]byte("an image"))
	m := images.Manifest{
		Digest: hex.EncodeToString(sum[:]), RawBytes: 1 << 30, CompressedBytes: 1 << 20, KernelDigest: "k", InitrdDigest: "i",
		Distribution: "debian-13", Kernel: "generic", KubernetesVersion: "v1.37.2",
	}
	if len(args) >= 2 {
		m.KubernetesVersion = args[1]
	}
	if len(args) == 3 {
		certificate, err := secureboot.ParseCertificate([]byte(ts.ReadFile(args[2])))
		ts.Check(err)
		m.SignedBy = secureboot.Fingerprint(certificate)
	}
	dir := filepath.Join(ts.MkAbs(args[0]), "images", m.Digest)
	ts.Check(os.MkdirAll(dir, 0o755))
	text, err := json.Marshal(m)
	ts.Check(err)
	for name, data := range map[string][]byte{images.FileManifest: text, images.FileImage: nil, images.FileKernel: nil, images.FileInitrd: nil} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	ts.Setenv("IMAGE", "sha256:"+m.Digest)
}
