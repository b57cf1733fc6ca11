package redfish_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
)

const secureBootPath = systemPath + "/SecureBoot"

func bootCertificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEnroll: the certificate comes beside the vendor's, Secure Boot is switched
// on, and both come in force at the next start, not before.
func TestEnroll(t *testing.T) {
	vendor, ours := bootCertificate(t, "vendor"), bootCertificate(t, "ours")
	list := secureboot.List(vendor)
	m := machine(t, lab.Config{On: true, SecureBoot: &lab.SecureBoot{PK: list, KEK: list, DB: list}})
	c, seen := open(t, m, func(cfg *redfish.Config) { cfg.Keys = true })
	for range 2 { // the second finds all done
		if err := c.EnrollKeys(t.Context(), redfish.BootKeys{DB: ours}); err != nil {
			t.Fatal(err)
		}
	}
	if writes := seen.writes(); writes != 2 {
		t.Errorf("%d changes were sent, wanted one certificate and one switch", writes)
	}
	f, err := c.Facts(t.Context())
	want := []string{secureboot.Fingerprint(vendor), secureboot.Fingerprint(ours)}
	if err != nil || f.Keys == nil || !slices.Equal(f.Keys.DB, want) || f.Keys.Enabled == nil || !*f.Keys.Enabled || f.Keys.Setup {
		t.Fatalf("%+v, %v", f.Keys, err)
	}
	if f.SecureBoot == nil || *f.SecureBoot {
		t.Error("it is told as in force before the start")
	}
	if err := c.Power(t.Context(), redfish.Cycle); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // POST takes its time
		on, said, err := c.SecureBoot(t.Context())
		if err == nil && on {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in force after the start: %s, %v", said, err)
		}
	}
}

// TestEnrollSetup: firmware without a platform key gets one where the inventory
// names it, and nothing at all where it doesn't.
func TestEnrollSetup(t *testing.T) {
	pk, kek, db := bootCertificate(t, "pk"), bootCertificate(t, "kek"), bootCertificate(t, "db")
	m := machine(t, lab.Config{SecureBoot: &lab.SecureBoot{}})
	c, _ := open(t, m, func(cfg *redfish.Config) { cfg.Keys = true })
	if err := c.EnrollKeys(t.Context(), redfish.BootKeys{DB: db}); err == nil || !strings.Contains(err.Error(), "setup mode") {
		t.Errorf("without a platform key: %v", err)
	}
	if f, err := c.Facts(t.Context()); err != nil || !f.Keys.Setup || len(f.Keys.DB) != 0 {
		t.Errorf("something was changed: %+v, %v", f.Keys, err)
	}
	if err := c.EnrollKeys(t.Context(), redfish.BootKeys{DB: db, KEK: kek, PK: pk}); err != nil {
		t.Fatal(err)
	}
	if f, err := c.Facts(t.Context()); err != nil || f.Keys.Setup || len(f.Keys.DB) != 1 {
		t.Errorf("%+v, %v", f.Keys, err)
	}
}

// TestEnrollRefused: what a controller doesn't offer, doesn't take, or takes and
// forgets is told as that.
func TestEnrollRefused(t *testing.T) {
	ours := bootCertificate(t, "ours")
	list := secureboot.List(bootCertificate(t, "vendor"))
	keys := func() *lab.SecureBoot { return &lab.SecureBoot{PK: list, KEK: list, DB: list} }
	fixed := keys()
	fixed.Fixed = true
	forgets := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/db/Certificates") {
				w.WriteHeader(http.StatusCreated)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	deaf := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch && r.URL.Path == secureBootPath {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	silent := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != systemPath {
				next.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			var doc map[string]any
			_ = json.Unmarshal(rec.Body.Bytes(), &doc)
			delete(doc, "SecureBoot")
			_ = json.NewEncoder(w).Encode(doc)
		})
	}
	same := func(next http.Handler) http.Handler { return next }
	for name, test := range map[string]struct {
		keys  *lab.SecureBoot
		front func(http.Handler) http.Handler
		want  error
		says  string
	}{
		"no databases":   {nil, same, redfish.ErrUnsupported, "no databases of keys"},
		"no resource":    {keys(), silent, redfish.ErrUnsupported, "nothing of Secure Boot"},
		"shown only":     {fixed, same, redfish.ErrUnsupported, "doesn't take it"},
		"forgets a key":  {keys(), forgets, redfish.ErrNotKept, "not in db"},
		"forgets to set": {keys(), deaf, redfish.ErrNotKept, "still false"},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t, lab.Config{SecureBoot: test.keys})
			c, _ := open(t, test.front(m), nil)
			err := c.EnrollKeys(t.Context(), redfish.BootKeys{DB: ours})
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, wanted %q", err, test.says)
			}
		})
	}
}

// TestEnrollVendors: the same by each vendor's names, places and habits.
func TestEnrollVendors(t *testing.T) {
	ours, list := bootCertificate(t, "ours"), secureboot.List(bootCertificate(t, "vendor"))
	for _, vendor := range lab.Vendors() {
		t.Run(vendor, func(t *testing.T) {
			m := machine(t, lab.Config{Vendor: vendor, SecureBoot: &lab.SecureBoot{PK: list, KEK: list, DB: list}})
			c, _ := open(t, m, func(cfg *redfish.Config) { cfg.Keys = true })
			if err := c.EnrollKeys(t.Context(), redfish.BootKeys{DB: ours}); err != nil {
				t.Fatal(err)
			}
			f, err := c.Facts(t.Context())
			if err != nil || f.Keys == nil || !slices.Contains(f.Keys.DB, secureboot.Fingerprint(ours)) || f.Keys.Enabled == nil || !*f.Keys.Enabled {
				t.Errorf("%+v, %v", f.Keys, err)
			}
		})
	}
}
