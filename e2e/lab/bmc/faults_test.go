package bmc_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

const (
	settings = system + "/Bios/Settings"
	reset    = system + "/Actions/ComputerSystem.Reset"
	cd       = "/redfish/v1/Managers/1/VirtualMedia/CD1"
)

// get sends one request that may get no answer.
func (b bench) get(limit time.Duration) (*http.Response, error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.server.URL+"/redfish/v1/", nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

func TestNoAnswer(t *testing.T) {
	b := open(t, bmc.Config{Faults: bmc.Faults{Hang: true}})
	if _, err := b.get(50 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging controller: %v", err)
	}
	b.SetFaults(bmc.Faults{Drop: true})
	if _, err := b.get(5 * time.Second); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a reset connection: %v", err)
	}
	b.SetFaults(bmc.Faults{Unavailable: 2})
	for range 2 {
		resp, err := b.get(5 * time.Second)
		if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("unavailable: %v, %v", resp, err)
		}
	}
	if resp, err := b.get(5 * time.Second); err != nil || resp.StatusCode != 200 {
		t.Errorf("available again: %v, %v", resp, err)
	}
}

func TestWeakTags(t *testing.T) {
	b := open(t, bmc.Config{Faults: bmc.Faults{ETag: "strong"}})
	const pxe = `{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"Pxe"}}`
	resp, _ := b.do("GET", system, "")
	tag := resp.Header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) {
		t.Fatalf("tag %s", tag)
	}
	b.want(412, "PATCH", system, pxe, "If-Match: "+tag)
	b.want(200, "PATCH", system, pxe, "If-Match: "+strings.TrimPrefix(tag, "W/"))
	b.SetFaults(bmc.Faults{ETag: "never"})
	b.want(412, "PATCH", system, pxe, "If-Match: *")
	b.want(200, "PATCH", system, pxe)
}

// Three bad passwords lock the account, and then the right one is refused too.
func TestLockedAccount(t *testing.T) {
	b := open(t, bmc.Config{Faults: bmc.Faults{LockAccount: true}})
	wrong := `{"UserName":"admin","Password":"no"}`
	for range 2 {
		b.want(401, "POST", "/redfish/v1/SessionService/Sessions", wrong)
	}
	b.want(200, "GET", system, "") // the right one in between: the count begins anew
	for range 3 {
		if b.Lockings() != 0 {
			t.Fatal("locked too early")
		}
		b.want(401, "POST", "/redfish/v1/SessionService/Sessions", wrong)
	}
	b.want(401, "GET", system, "")
	if b.Lockings() != 1 {
		t.Errorf("locked %d times", b.Lockings())
	}
}

func TestFewSessions(t *testing.T) {
	b := open(t, bmc.Config{Faults: bmc.Faults{Sessions: 2}})
	for _, status := range []int{201, 201, 503} {
		b.want(status, "POST", "/redfish/v1/SessionService/Sessions", `{"UserName":"admin","Password":"s3cret"}`)
	}
}

func TestWrongClock(t *testing.T) {
	b := open(t, bmc.Config{Faults: bmc.Faults{Clock: "-87600h"}})
	text, _ := b.want(200, "GET", "/redfish/v1/Managers/1", "")["DateTime"].(string)
	at, err := time.Parse(time.RFC3339, text)
	if off := time.Since(at); err != nil || off < 87599*time.Hour || off > 87601*time.Hour {
		t.Errorf("its clock says %s: %v", text, err)
	}
}

// A job that sticks is shown as running, and one that is purged can't be asked
// any more although its change is in force.
func TestJobs(t *testing.T) {
	seen := make(boots, 8)
	b := open(t, bmc.Config{Runner: seen, Faults: bmc.Faults{StickJob: true}})
	patch := func() string {
		t.Helper()
		resp, out := b.do("PATCH", settings, `{"Attributes":{"LogicalProc":"Enabled"}}`)
		if resp.StatusCode != 202 || out["TaskState"] == "Completed" {
			t.Fatalf("%s %v", resp.Status, out)
		}
		return resp.Header.Get("Location")
	}
	at := patch()
	b.want(204, "POST", reset, `{"ResetType":"On"}`)
	if boot := <-seen; boot.SMT || b.want(200, "GET", at, "")["TaskState"] != "Running" {
		t.Errorf("the job did not stick: SMT %v", boot.SMT)
	}
	b.SetFaults(bmc.Faults{PurgeJob: true})
	b.until(bmc.On)
	b.want(204, "POST", reset, `{"ResetType":"ForceRestart"}`)
	if boot := <-seen; !boot.SMT {
		t.Error("the change did not come in force")
	}
	b.want(404, "GET", at, "")
	if at2 := patch(); at2 == at {
		t.Error("the next job has the number of the last")
	}
}

func TestPowerFaults(t *testing.T) {
	b := open(t, bmc.Config{Faults: bmc.Faults{StickPower: true}})
	b.want(204, "POST", reset, `{"ResetType":"On"}`)
	if b.want(200, "GET", system, "")["PowerState"] != "Off" {
		t.Error("the power moved")
	}
	b.SetFaults(bmc.Faults{PowerConflict: true})
	b.want(204, "POST", reset, `{"ResetType":"On"}`)
	b.until(bmc.On)
	b.want(204, "POST", reset, `{"ResetType":"ForceOff"}`)
	b.until(bmc.Off)
	for _, status := range []int{409, 409, 204} {
		b.want(status, "POST", reset, `{"ResetType":"On"}`)
	}
}

func TestVirtualMedia(t *testing.T) {
	seen := make(boots, 8)
	b := open(t, bmc.Config{Runner: seen})
	insert, eject := cd+"/Actions/VirtualMedia.InsertMedia", cd+"/Actions/VirtualMedia.EjectMedia"
	b.want(400, "POST", insert, `{"Image":"http://10.17.0.1/a.iso?x=1"}`)
	b.want(204, "POST", insert, `{"Image":"http://10.17.0.1/a.iso"}`)
	b.want(409, "POST", insert, `{"Image":"http://10.17.0.1/b.iso"}`)
	if o := b.want(200, "GET", cd, ""); o["Image"] != "http://10.17.0.1/a.iso" || o["Inserted"] != true || o["ImageName"] != "a.iso" {
		t.Errorf("inserted: %v", o)
	}
	b.want(200, "PATCH", system, `{"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"Cd"}}`)
	b.want(204, "POST", reset, `{"ResetType":"On"}`)
	if boot := <-seen; boot.Target != bmc.TargetCd || boot.Media != "http://10.17.0.1/a.iso" {
		t.Errorf("booted %+v", boot)
	}
	b.SetFaults(bmc.Faults{StickMedia: "inserted"})
	b.want(204, "POST", eject, `{}`)
	if b.Media() == "" {
		t.Error("ejected in spite of the fault")
	}
	b.SetFaults(bmc.Faults{StickMedia: "empty"})
	b.want(204, "POST", eject, `{}`)
	b.want(204, "POST", insert, `{"Image":"http://10.17.0.1/a.iso"}`)
	if o := b.want(200, "GET", cd, ""); o["Inserted"] != false {
		t.Errorf("inserted in spite of the fault: %v", o)
	}
}

// A client that trusts the first certificate is shown another, or an expired one.
func TestCertificates(t *testing.T) {
	c := bmc.New(bmc.Config{Username: "admin", Password: "s3cret"})
	t.Cleanup(c.Close)
	conf, print, err := c.TLS(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(c)
	s.Listener = tls.NewListener(s.Listener, conf)
	s.Start()
	t.Cleanup(s.Close)
	shown := func() *x509.Certificate {
		t.Helper()
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() // the server sees a client that came to look
		return conn.ConnectionState().PeerCertificates[0]
	}
	if got := bmc.Fingerprint(shown().Raw); got != print {
		t.Errorf("shown %s, told %s", got, print)
	}
	c.SetFaults(bmc.Faults{Certificate: "changed"})
	if _, known, err := c.TLS(netip.MustParseAddr("127.0.0.1")); err != nil || known == bmc.Fingerprint(shown().Raw) {
		t.Errorf("what an inventory knows is the changed one: %v", err)
	}
	if got := shown(); bmc.Fingerprint(got.Raw) == print || time.Until(got.NotAfter) < 0 {
		t.Errorf("the certificate did not change: until %v", got.NotAfter)
	}
	c.SetFaults(bmc.Faults{Certificate: "expired"})
	if got := shown(); time.Until(got.NotAfter) > 0 {
		t.Errorf("the certificate is good until %v", got.NotAfter)
	}
}

func TestFaultsCheck(t *testing.T) {
	if wrong := (bmc.Faults{ETag: "strong", Certificate: "expired", StickMedia: "empty", Clock: "3h", Slow: 5}).Check(); len(wrong) > 0 {
		t.Errorf("good faults: %q", wrong)
	}
	if wrong := (bmc.Faults{ETag: "x", Certificate: "x", StickMedia: "x", Clock: "x", Slow: -1}).Check(); len(wrong) != 5 {
		t.Errorf("five are wrong: %q", wrong)
	}
}
