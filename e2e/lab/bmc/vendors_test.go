package bmc_test

import (
	"crypto/tls"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// client speaks to a controller over TLS, as the program does.
func client(t *testing.T, c *bmc.Controller, wants inventory.BIOS) *redfish.Client {
	t.Helper()
	conf, print, err := c.TLS(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(c)
	s.Listener = tls.NewListener(s.Listener, conf)
	s.Start()
	t.Cleanup(func() { s.Close(); c.Close() })
	r, err := redfish.New(redfish.Config{
		Host: "cp-a", URL: "https://" + s.Listener.Addr().String(), Username: "admin", Password: secret.New("s3cret"), Fingerprint: print,
		Deep: true, Attributes: bios.Wanted(wants), Poll: 5 * time.Millisecond, PowerTimeout: 30 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(t.Context()) })
	return r
}

// TestVendors: the same work is done on the controllers of every vendor, each
// in its own names and places: facts, a difference of BIOS settings, power,
// the network boot, and the settings read back after POST.
func TestVendors(t *testing.T) {
	wants := inventory.BIOS{SMT: new(true), SRIOV: new(true), IOMMU: new(true)}
	for _, vendor := range append(bmc.Vendors(), "") {
		t.Run(vendor, func(t *testing.T) {
			seen := make(boots, 8)
			c := bmc.New(bmc.Config{Username: "admin", Password: "s3cret", Serial: "TAG0001", UUID: "4c4c4544-0035-3410-8031-b6c04f314733", Vendor: vendor, Runner: seen})
			r := client(t, c, wants)
			before := look(t, r)
			if len(before.Processors) != 2 || before.Processors[0].Threads != 20 || len(before.Ports) != 4 || *before.Ports[0].SpeedGbps != 25 || len(before.Drives) != 1 || before.TPM != "TPM2_0" {
				t.Errorf("facts: %+v", before.Hardware)
			}
			change, err := bios.Diff(wants, before)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]any(c.Enable()), change); diff != "" {
				t.Errorf("-the machine's own words +difference:\n%s", diff)
			}
			if _, err := r.SetBIOS(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			if err := r.SetBoot(t.Context(), redfish.UEFIHTTP); err != nil {
				t.Fatal(err)
			}
			if err := r.Power(t.Context(), redfish.Cycle); err != nil {
				t.Fatal(err)
			}
			if boot := <-seen; boot.Target != bmc.TargetUefiHttp || !boot.SMT || !boot.SRIOV {
				t.Errorf("it booted %+v", boot)
			}
			after := look(t, r)
			if left, err := bios.Diff(wants, after); err != nil || len(left) > 0 {
				t.Errorf("left to do: %v, %v", left, err)
			}
			if after.Processors[0].Threads != 40 {
				t.Errorf("%d threads after POST", after.Processors[0].Threads)
			}
			if err := r.Close(t.Context()); err != nil || c.Sessions() > 0 || c.Lockings() > 0 {
				t.Errorf("%d sessions are left: %v", c.Sessions(), err)
			}
		})
	}
}

// look wants the facts of the one machine.
func look(t *testing.T, r *redfish.Client) facts.BMC {
	t.Helper()
	got, err := r.Facts(t.Context())
	if err != nil || got.Err != "" {
		t.Fatal(err, got.Err)
	}
	found := false
	for _, n := range got.Numbers() {
		found = found || n == "TAG0001"
	}
	if !found {
		t.Errorf("its numbers are %v", got.Numbers())
	}
	return got
}
