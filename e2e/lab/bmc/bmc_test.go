package bmc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stmcginnis/gofish"
	"github.com/stmcginnis/gofish/redfish"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

const system = "/redfish/v1/Systems/1"

// bench is one controller behind a real HTTP server.
type bench struct {
	*testing.T
	*bmc.Controller
	server *httptest.Server
}

func open(t *testing.T, cfg bmc.Config) bench {
	t.Helper()
	cfg.Username, cfg.Password = "admin", "s3cret"
	if cfg.Serial == "" {
		cfg.Serial = "RA2LAB01"
	}
	c := bmc.New(cfg)
	s := httptest.NewServer(c)
	t.Cleanup(func() { s.Close(); c.Close() })
	return bench{t, c, s}
}

// do sends one request with basic authentication and headers "Name: value".
func (b bench) do(method, path, body string, headers ...string) (*http.Response, map[string]any) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.SetBasicAuth("admin", "s3cret")
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Set(k, v)
		if k == "X-Auth-Token" {
			r.Header.Del("Authorization")
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	var out map[string]any
	if len(raw) > 0 && json.Unmarshal(raw, &out) != nil {
		b.Fatalf("%s %s: not JSON: %s", method, path, raw)
	}
	return resp, out
}

func (b bench) want(status int, method, path, body string, headers ...string) map[string]any {
	b.Helper()
	resp, out := b.do(method, path, body, headers...)
	if resp.StatusCode != status {
		b.Fatalf("%s %s: %s, want %d: %v", method, path, resp.Status, status, out)
	}
	return out
}

func (b bench) until(state string) {
	b.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for b.Power() != state {
		if time.Now().After(deadline) {
			b.Fatalf("the power is %s and should become %s", b.Power(), state)
		}
		time.Sleep(time.Millisecond)
	}
}

// boots records what the firmware of a pretend machine was told.
type boots chan bmc.Boot

func (c boots) Run(ctx context.Context, b bmc.Boot) bmc.End {
	c <- b
	<-ctx.Done()
	return bmc.Halted
}

// DSP0266 "Sessions": the token works until the session is deleted.
func TestSession(t *testing.T) {
	b := open(t, bmc.Config{MaxSessions: 2})
	b.want(401, "GET", system, "", "Authorization: none")
	b.want(401, "POST", "/redfish/v1/SessionService/Sessions", `{"UserName":"admin","Password":"wrong"}`)
	login := func() *http.Response {
		r, _ := b.do("POST", "/redfish/v1/SessionService/Sessions", `{"UserName":"admin","Password":"s3cret"}`)
		return r
	}
	first := login()
	token := "X-Auth-Token: " + first.Header.Get("X-Auth-Token")
	b.want(200, "GET", system, "", token)
	login()
	if r := login(); r.StatusCode != 503 {
		t.Errorf("a session above the limit: %s, want 503", r.Status)
	}
	b.want(204, "DELETE", first.Header.Get("Location"), "", token)
	b.want(401, "GET", system, "", token)
	if n := b.Sessions(); n != 1 {
		t.Errorf("%d sessions are open, want 1", n)
	}
}

// DSP0266: the service root needs no authentication.
func TestOpenPaths(t *testing.T) {
	b := open(t, bmc.Config{})
	for _, p := range []string{"/redfish", "/redfish/v1", "/redfish/v1/", "/redfish/v1/odata"} {
		b.want(200, "GET", p, "", "Authorization: none")
	}
	b.want(404, "GET", "/redfish/v1/Nothing", "")
	b.want(405, "POST", "/redfish/v1/Systems", "{}")
}

// RFC 9110 section 13.1.1: a stale If-Match is 412.
func TestETag(t *testing.T) {
	b := open(t, bmc.Config{})
	resp, _ := b.do("GET", system, "")
	tag := resp.Header.Get("ETag")
	b.want(304, "GET", system, "", "If-None-Match: "+tag)
	once := `{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"UefiHttp"}}`
	b.want(200, "PATCH", system, once, "If-Match: "+tag)
	b.want(412, "PATCH", system, once, "If-Match: "+tag)
	strict := open(t, bmc.Config{RequireMatch: true})
	strict.want(428, "PATCH", system, once)
}

// Attributes that were answered with 200 are in force after POST, not before.
func TestPendingBIOS(t *testing.T) {
	seen := make(boots, 8)
	b := open(t, bmc.Config{Runner: seen})
	b.want(200, "PATCH", system+"/Bios/Settings", `{"Attributes":{"LogicalProc":"Enabled"}}`)
	smt := func(path string) any {
		return b.want(200, "GET", path, "")["Attributes"].(map[string]any)["LogicalProc"]
	}
	if smt(system+"/Bios") != "Disabled" || smt(system+"/Bios/Settings") != "Enabled" {
		t.Error("the attribute should be pending and not in force")
	}
	b.want(204, "POST", system+"/Actions/ComputerSystem.Reset", `{"ResetType":"On"}`)
	if boot := <-seen; !boot.SMT {
		t.Error("firmware does not know of SMT")
	}
	if smt(system+"/Bios") != "Enabled" {
		t.Error("the attribute is not in force after POST")
	}
	cpu := b.want(200, "GET", system+"/Processors/CPU.1", "")
	if cpu["TotalThreads"] != 40.0 || cpu["TotalCores"] != 20.0 {
		t.Errorf("threads %v, cores %v; want 40 and 20", cpu["TotalThreads"], cpu["TotalCores"])
	}
}

func TestRefusedAttributes(t *testing.T) {
	b := open(t, bmc.Config{})
	for body, id := range map[string]string{
		`{"Attributes":{"Nope":"1"}}`:                "PropertyUnknown",
		`{"Attributes":{"LogicalProc":"On"}}`:        "PropertyValueNotInList",
		`{"Attributes":{"LogicalProc":true}}`:        "PropertyValueTypeError",
		`{"Attributes":{"SystemBiosVersion":"2"}}`:   "PropertyNotWritable",
		`{"Attributes":{"AcPwrRcvryUserDelay":"9"}}`: "PropertyValueTypeError",
		`{`: "MalformedJSON",
	} {
		out := b.want(400, "PATCH", system+"/Bios/Settings", body)
		if code, _ := out["error"].(map[string]any)["code"].(string); !strings.HasSuffix(code, id) {
			t.Errorf("%s: %s, want %s", body, code, id)
		}
	}
	b.want(200, "PATCH", system+"/Bios/Settings", `{"Attributes":{"AcPwrRcvryUserDelay":90}}`)
}

// The override is used once; the second boot has none.
func TestBootOnce(t *testing.T) {
	seen := make(boots, 8)
	b := open(t, bmc.Config{Runner: seen})
	b.want(200, "PATCH", system, `{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"Pxe"}}`)
	b.want(204, "POST", system+"/Actions/ComputerSystem.Reset", `{"ResetType":"On"}`)
	if boot := <-seen; boot.Target != bmc.TargetPxe {
		t.Errorf("first boot from %s, want Pxe", boot.Target)
	}
	b.want(204, "POST", system+"/Actions/ComputerSystem.Reset", `{"ResetType":"ForceRestart"}`)
	if boot := <-seen; boot.Target != bmc.TargetNone {
		t.Errorf("second boot from %s, want None", boot.Target)
	}
}

func TestFaults(t *testing.T) {
	seen := make(boots, 8)
	b := open(t, bmc.Config{Runner: seen, Faults: bmc.Faults{WrongSerial: "OTHER", ForgetOverride: true, IgnoreBIOS: true}})
	if s := b.want(200, "GET", system, "")["SerialNumber"]; s != "OTHER" {
		t.Errorf("serial %v", s)
	}
	b.want(200, "PATCH", system, `{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"Pxe"}}`)
	b.want(200, "PATCH", system+"/Bios/Settings", `{"Attributes":{"LogicalProc":"Enabled"}}`)
	b.want(204, "POST", system+"/Actions/ComputerSystem.Reset", `{"ResetType":"On"}`)
	if boot := <-seen; boot.Target != bmc.TargetNone || boot.SMT {
		t.Errorf("faults did not hide the settings: %+v", boot)
	}
	b.SetFaults(bmc.Faults{})
	if s := b.want(200, "GET", system, "")["SerialNumber"]; s != "RA2LAB01" {
		t.Errorf("serial %v after the fault is gone", s)
	}
}

// A reset in the middle of another is 409, and power lags behind the answer.
func TestPowerLags(t *testing.T) {
	b := open(t, bmc.Config{Lag: 200 * time.Millisecond})
	reset := system + "/Actions/ComputerSystem.Reset"
	b.want(409, "POST", reset, `{"ResetType":"ForceOff"}`)
	b.want(204, "POST", reset, `{"ResetType":"On"}`)
	if p := b.want(200, "GET", system, "")["PowerState"]; p != "PoweringOn" {
		t.Errorf("power %v right after the answer, want PoweringOn", p)
	}
	b.want(409, "POST", reset, `{"ResetType":"ForceOff"}`)
	b.until(bmc.On)
	b.want(204, "POST", reset, `{"ResetType":"ForceOff"}`)
	b.until(bmc.Off)
	b.want(400, "POST", reset, `{"ResetType":"Explode"}`)
}

// A machine that restarts itself goes through firmware again; one that halts
// is off.
func TestMachineEnds(t *testing.T) {
	ends := make(chan bmc.End)
	runs := make(chan bmc.Boot, 8)
	b := open(t, bmc.Config{Runner: bmc.RunnerFunc(func(ctx context.Context, boot bmc.Boot) bmc.End {
		runs <- boot
		select {
		case e := <-ends:
			return e
		case <-ctx.Done():
			return bmc.Halted
		}
	})})
	b.want(204, "POST", system+"/Actions/ComputerSystem.Reset", `{"ResetType":"On"}`)
	<-runs
	ends <- bmc.Restarted
	<-runs
	if b.Power() != bmc.On {
		t.Errorf("power %s after a restart", b.Power())
	}
	ends <- bmc.Halted
	b.until(bmc.Off)
}

// The log holds what was asked and nothing of what was said.
func TestLog(t *testing.T) {
	var log lockedBuffer
	b := open(t, bmc.Config{Log: &log})
	b.do("POST", "/redfish/v1/SessionService/Sessions", `{"UserName":"admin","Password":"s3cret"}`)
	b.do("GET", system+"?$expand=.", "")
	if strings.Contains(log.String(), "s3cret") {
		t.Error("the log holds the password")
	}
	var line struct {
		Method, Path string
		Status       int
	}
	if err := json.NewDecoder(strings.NewReader(log.String())).Decode(&line); err != nil {
		t.Fatal(err)
	}
	if line.Method != "POST" || line.Status != 201 {
		t.Errorf("first line %+v", line)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Every link of the tree leads to a resource, whose path is the one that it
// gives itself.
func TestLinks(t *testing.T) {
	for _, vendor := range append(bmc.Vendors(), "") {
		t.Run(vendor, func(t *testing.T) {
			b := open(t, bmc.Config{Vendor: vendor})
			token := b.token()
			seen := map[string]bool{}
			var walk func(string)
			walk = func(p string) {
				p, _, _ = strings.Cut(p, "#")
				if seen[p] {
					return
				}
				seen[p] = true
				o := b.want(200, "GET", p, "", "X-Auth-Token: "+token)
				if own, _ := o["@odata.id"].(string); strings.TrimSuffix(own, "/") != strings.TrimSuffix(p, "/") {
					t.Errorf("%s says that it is %s", p, own)
				}
				follow(o, walk)
			}
			walk("/redfish/v1/")
			if len(seen) < 30 {
				t.Errorf("only %d resources", len(seen))
			}
		})
	}
}

// token opens a session.
func (b bench) token() string {
	b.Helper()
	resp, _ := b.do("POST", "/redfish/v1/SessionService/Sessions", `{"UserName":"admin","Password":"s3cret"}`)
	if resp.StatusCode != 201 {
		b.Fatal(resp.Status)
	}
	return resp.Header.Get("X-Auth-Token")
}

func follow(v any, walk func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if p, ok := inner.(string); ok && k == "@odata.id" {
				walk(p)
			}
			follow(inner, walk)
		}
	case []any:
		for _, inner := range v {
			follow(inner, walk)
		}
	}
}

// A client that others wrote understands the controller.
func TestGofish(t *testing.T) {
	b := open(t, bmc.Config{})
	c, err := gofish.Connect(gofish.ClientConfig{Endpoint: b.server.URL, Username: "admin", Password: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	systems, err := c.Service.Systems()
	if err != nil || len(systems) != 1 {
		t.Fatalf("%d systems, %v", len(systems), err)
	}
	s := systems[0]
	if err := s.SetBoot(redfish.Boot{BootSourceOverrideEnabled: redfish.OnceBootSourceOverrideEnabled, BootSourceOverrideTarget: redfish.UefiHTTPBootSourceOverrideTarget}); err != nil {
		t.Error(err)
	}
	if _, target, _ := b.Override(); target != bmc.TargetUefiHttp {
		t.Errorf("override %s", target)
	}
	bios, err := s.Bios()
	if err != nil {
		t.Fatal(err)
	}
	if err := bios.UpdateBiosAttributes(redfish.SettingsAttributes{"SriovGlobalEnable": "Enabled"}); err != nil {
		t.Error(err)
	}
	if err := s.Reset(redfish.OnResetType); err != nil {
		t.Error(err)
	}
	storage, err := s.Storage()
	if err != nil || len(storage) != 1 {
		t.Fatalf("%d storages, %v", len(storage), err)
	}
	drives, err := storage[0].Drives()
	if err != nil || len(drives) != 1 || drives[0].SerialNumber != "RA2LAB0" {
		t.Errorf("drives %+v, %v", drives, err)
	}
	c.Logout()
	if b.Sessions() != 0 {
		t.Error("the session is still open after the logout")
	}
}

// FuzzPatch: whatever a client sends gets an answer that is JSON.
func FuzzPatch(f *testing.F) {
	for _, s := range []string{`{}`, `{"Boot":{}}`, `{"Boot":{"BootSourceOverrideTarget":1}}`, `{"Attributes":{"LogicalProc":{}}}`, `[`, `null`} {
		f.Add(s)
	}
	c := bmc.New(bmc.Config{Username: "a", Password: "b"})
	f.Fuzz(func(t *testing.T, body string) {
		for _, p := range []string{system, system + "/Bios/Settings"} {
			r := httptest.NewRequest("PATCH", p, strings.NewReader(body))
			r.SetBasicAuth("a", "b")
			w := httptest.NewRecorder()
			c.ServeHTTP(w, r)
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s: not JSON: %q", p, w.Body)
			}
		}
	})
}
