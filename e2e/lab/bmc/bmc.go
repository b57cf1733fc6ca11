// Package bmc is a management controller that speaks Redfish (DSP0266) as an
// http.Handler. Behind it runs a Runner: nothing at all in unit tests, a
// container machine or QEMU in the lab. Like a real controller it has moments
// in which something looks done and isn't: settings wait for the next POST,
// power lags behind the answer, and faults can be switched on.
package bmc

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Config is a controller at the moment of its making. The zero value of each
// field but Username and Password is usable.
type Config struct {
	Username, Password string        // the only account
	Serial             string        // of chassis and system
	UUID               string        // of the system (SMBIOS)
	Vendor             string        // one of Vendors; empty is a controller by the book
	Model              string        // default "Container", or what the vendor has
	Hardware           Hardware      // default DefaultHardware
	BIOS               Attributes    // attributes in force at first; default is the factory's
	BootMode           string        // "UEFI" (default) or "Legacy"
	On                 bool          // powered on from the beginning
	Lag                time.Duration // between an accepted reset and the change of PowerState
	POST               time.Duration // firmware's self test, before Runner.Run
	MaxSessions        int           // default 8, or what the vendor has; the next one gets 503
	RequireMatch       bool          // a PATCH without If-Match gets 428
	Log                io.Writer     // one JSON line for each request, without bodies; nil is none
	Runner             Runner        // nil is a machine that idles until it is switched off
	Faults             Faults
	SecureBoot         *SecureBoot // what the firmware knows at first; nil is a firmware whose Secure Boot is off and has no keys to show
}

// A Controller is one BMC. It is an http.Handler; close it to switch the
// machine off.
type Controller struct {
	mu       sync.Mutex
	cfg      Config
	kind     personality
	bios     Attributes // in force
	pending  Attributes // waiting for POST; nil when nothing waits
	applied  time.Time  // of the last pending attributes
	override override
	power    power
	sessions []session
	next     int // number of the next session
	trouble  trouble
	job      *job // of the last change of BIOS attributes; nil when there was none, or it is forgotten
	jobs     int  // that there were
	secure   *secure
	media    string // URL of the image in the virtual drive; empty is none
	logMu    sync.Mutex
	fixed    map[string]func() object
}

// New returns the controller of one machine.
func New(cfg Config) *Controller {
	if cfg.Hardware.Sockets == 0 {
		cfg.Hardware = DefaultHardware()
	}
	kind := personalityOf(cfg.Vendor)
	if cfg.BIOS == nil {
		cfg.BIOS = kind.factory()
	}
	if cfg.BootMode == "" {
		cfg.BootMode = ModeUEFI
	}
	if kind.model == "" {
		kind.model = cfg.Model
	}
	if kind.model == "" {
		kind.model = "Container"
	}
	if cfg.MaxSessions == 0 {
		cfg.MaxSessions = kind.sessions
	}
	if cfg.Runner == nil {
		cfg.Runner = RunnerFunc(idle)
	}
	c := &Controller{cfg: cfg, kind: kind, bios: cfg.BIOS.clone(), next: 1, trouble: trouble{unavailable: cfg.Faults.Unavailable}}
	c.override = override{Enabled: Disabled, Target: TargetNone, Mode: cfg.BootMode}
	c.power.state = Off
	if cfg.SecureBoot != nil {
		c.secure = &secure{set: *cfg.SecureBoot}
		c.secureBoot() // it was started in the factory
	}
	c.fixed = c.inventory()
	if cfg.On {
		c.mu.Lock()
		c.start()
		c.power.state = On
		c.mu.Unlock()
	}
	return c
}

// BIOS returns the attributes in force.
func (c *Controller) BIOS() Attributes {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bios.clone()
}

// Sessions returns the number of open sessions.
func (c *Controller) Sessions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	return len(c.sessions)
}

// logLine is one request, as the log keeps it. Bodies and headers hold
// secrets and stay out.
type logLine struct {
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Status int       `json:"status"`
	Remote string    `json:"remote,omitempty"`
}

// ServeHTTP answers one request and logs it.
func (c *Controller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rw := &recorder{ResponseWriter: w, status: http.StatusOK}
	began := time.Now()
	if c.hinder(rw, r) {
		c.answer(rw, r)
	}
	if c.cfg.Log == nil {
		return
	}
	line, err := json.Marshal(logLine{began.UTC(), r.Method, r.URL.Path, rw.status, r.RemoteAddr})
	if err != nil {
		return
	}
	c.logMu.Lock()
	defer c.logMu.Unlock()
	_, _ = c.cfg.Log.Write(append(line, '\n'))
}

type recorder struct {
	http.ResponseWriter
	status int
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// maxBody bounds what a client can send.
const maxBody = 1 << 20

func (c *Controller) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("OData-Version", "4.0")
	w.Header().Set("Cache-Control", "no-cache")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	p := path.Clean("/" + strings.TrimPrefix(r.URL.Path, "/"))
	p, here := c.kind.inside(p)
	open := p == "/redfish" || p == root || p == root+"/odata" || p == root+"/$metadata"
	login := r.Method == http.MethodPost && (p == sessionsPath || p == sessionsPath+"/Members")
	if !open && !login && !c.authorized(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="ra2-deploy lab"`)
		fail(w, http.StatusUnauthorized, "Base.1.18.NoValidSession", "there is no valid session or account in the request")
		return
	}
	switch {
	case !here:
		fail(w, http.StatusNotFound, "Base.1.18.ResourceMissingAtURI", "the resource at the URI "+p+" was not found")
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		c.get(w, r, p)
	case login:
		c.login(w, r)
	case r.Method == http.MethodDelete && strings.HasPrefix(p, sessionsPath+"/"):
		c.logout(w, strings.TrimPrefix(p, sessionsPath+"/"))
	case r.Method == http.MethodPost && p == resetPath:
		c.reset(w, r)
	case r.Method == http.MethodPost && p == insertPath:
		c.insert(w, r)
	case r.Method == http.MethodPost && p == ejectPath:
		c.eject(w)
	case r.Method == http.MethodPatch && p == secureBootPath:
		c.patchSecureBoot(w, r)
	case r.Method == http.MethodPost && strings.HasPrefix(p, databasesPath+"/") && strings.HasSuffix(p, "/Certificates"):
		c.addCertificate(w, r, p)
	case r.Method == http.MethodPatch && (p == systemPath || p == settingsPath):
		c.patch(w, r, p)
	default:
		c.refuse(w, r, p)
	}
}

func (c *Controller) refuse(w http.ResponseWriter, r *http.Request, p string) {
	if _, ok := c.lookup(p); !ok && p != resetPath && p != insertPath && p != ejectPath {
		fail(w, http.StatusNotFound, "Base.1.18.ResourceMissingAtURI", fmt.Sprintf("the resource at the URI %s was not found", p))
		return
	}
	w.Header().Set("Allow", "GET, HEAD")
	fail(w, http.StatusMethodNotAllowed, "Base.1.18.OperationNotAllowed", fmt.Sprintf("%s is not allowed on %s", r.Method, p))
}
