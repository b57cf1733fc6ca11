package ipmi_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	goipmi "github.com/bougou/go-ipmi/pkg/bmc"
	"github.com/bougou/go-ipmi/pkg/hal/mock"
	"github.com/bougou/go-ipmi/pkg/server"
	"github.com/bougou/go-ipmi/pkg/transport/udp"
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/ipmi"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// peer is go-ipmi's controller: it knows cipher suite 17, and runs anywhere.
type peer struct {
	*goipmi.BMC
	*mock.HAL
	addr netip.AddrPort
}

func newPeer(t *testing.T, most goipmi.PrivilegeLevel, suites ...types.CipherSuiteID) peer {
	t.Helper()
	t.Parallel()
	conn, err := udp.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hal := mock.New()
	b := goipmi.New(goipmi.DeviceInfo{IPMIVersion: 0x20, ManufacturerID: 674, FirmwareMajor: 7, FirmwareMinor: 0x10}, [16]byte{1}, hal)
	u, err := b.Users.Add(2, user)
	if err != nil {
		t.Fatal(err)
	}
	u.SetPassword([]byte(password))
	u.Enabled = true
	u.ChannelAccess[1] = goipmi.UserChannelAccess{MaxPrivilege: most, Enabled: true}
	s := server.NewServer(b, conn, server.WithCipherSuites(suites))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = s.Close()
		<-ended
	})
	return peer{b, hal, conn.LocalAddr().(*net.UDPAddr).AddrPort()}
}

// Each suite that we speak is spoken by somebody who learned it elsewhere, and
// the better one is taken where both are there. One that we don't is told.
func TestSuites(t *testing.T) {
	for name, suites := range map[string]struct {
		offered []types.CipherSuiteID
		want    string
	}{
		"17": {[]types.CipherSuiteID{17}, ""}, "3": {[]types.CipherSuiteID{3}, ""}, "both": {[]types.CipherSuiteID{3, 17}, ""},
		"neither": {[]types.CipherSuiteID{2}, "offers none of the cipher suites 17 and 3"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPeer(t, goipmi.PrivilegeLevelAdministrator, suites.offered...)
			c := client(t, b.addr, nil)
			err := c.Power(t.Context(), ipmi.On)
			if suites.want != "" {
				if err == nil || !strings.Contains(err.Error(), suites.want) {
					t.Errorf("got %v, want %q", err, suites.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if on, err := b.Chassis().PowerState(t.Context()); err != nil || !on {
				t.Errorf("the machine is not on (%v)", err)
			}
		})
	}
}

// The flags beside the boot device are written and read back, too.
func TestBootFlags(t *testing.T) {
	b := newPeer(t, goipmi.PrivilegeLevelOperator, 17)
	c := client(t, b.addr, nil)
	for method, efi := range map[string]bool{ipmi.UEFIPXE: true, ipmi.BIOSPXE: false} {
		if err := c.SetBoot(t.Context(), method); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		f, err := b.Chassis().GetBootFlags(t.Context())
		if err != nil || !f.BootFlagsValid || f.Persist || (f.BIOSBootType == types.BIOSBootTypeEFI) != efi || f.BootDeviceSelector != types.BootDeviceSelectorForcePXE {
			t.Errorf("%s: %+v, %v", method, f, err)
		}
	}
	if got, err := c.Facts(t.Context()); err != nil || got.BootOverride != "Pxe" || got.Vendor != "Dell" || got.Firmware[0].Version != "7.10" {
		t.Errorf("facts %+v, %v", got, err)
	}
}

// FRU information of which one part can't be read gives the others, and the
// words for what is missing.
func TestBrokenFRU(t *testing.T) {
	board := []byte{1, 3, 25, 0, 0, 0, 0xc5, 'M', 'a', 'k', 'e', 'r', 0xc5, 'B', 'o', 'a', 'r', 'd', 0xc3, 'B', '-', '1', 0xc1, 0x5d}
	for name, c := range map[string]struct {
		fru  []byte
		want string
	}{
		"past the end": {append([]byte{1, 0, 0, 1, 200, 0, 0, 0x36}, board...), "the FRU product area has a wrong size or checksum"},
		"no size":      {append(append([]byte{1, 0, 0, 1, 4, 0, 0, 0xfa}, board...), make([]byte, 16)...), "the FRU product area has a wrong size or checksum"},
		"no checksum":  {append([]byte{1, 0, 0, 1, 0, 0, 0, 0}, board...), "the checksum of the FRU header is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newPeer(t, goipmi.PrivilegeLevelAdministrator, 17)
			if err := b.Storage().FRU().Write(t.Context(), 0, c.fru); err != nil {
				t.Fatal(err)
			}
			got, err := client(t, b.addr, nil).Facts(t.Context())
			if err != nil || !strings.Contains(got.Err, c.want) || got.Power != "Off" {
				t.Errorf("%+v, %v; want %q", got, err, c.want)
			}
			if told := got.Model == "Board"; told != strings.Contains(c.want, "product") {
				t.Errorf("the board is told: %t", told)
			}
		})
	}
}

// A user who may only look is told what is missing, and isn't taken for a
// wrong password.
func TestLowPrivilege(t *testing.T) {
	b := newPeer(t, goipmi.PrivilegeLevelUser, 17)
	c := client(t, b.addr, nil)
	for range 3 {
		err := c.Power(t.Context(), ipmi.On)
		if err == nil || !strings.Contains(err.Error(), "OPERATOR") || strings.Contains(err.Error(), "twice") {
			t.Errorf("got %v", err)
		}
	}
}

// Answers that the session's key doesn't prove are not believed, whoever sent
// them: neither with a changed byte nor in clear text.
func TestForgery(t *testing.T) {
	for name, forge := range map[string]func(p []byte){
		"changed": func(p []byte) { p[len(p)/2] ^= 1 },
		"clear":   func(p []byte) { p[5] &^= 0xc0 },
		"code":    func(p []byte) { p[len(p)-1] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			b := newPeer(t, goipmi.PrivilegeLevelAdministrator, 17)
			way := newRelay(t, b.addr, func(_ int, p []byte, up bool) bool {
				if !up && len(p) > 5 && p[5] == 0xc0 {
					forge(p)
				}
				return false
			})
			c := client(t, way.addr, func(cfg *ipmi.Config) { cfg.AnswerTimeout = 1500 * time.Millisecond })
			_, err := c.PowerState(t.Context())
			var e *ipmi.Error
			if !errors.As(err, &e) || !e.Temporary() || !strings.Contains(err.Error(), "datagrams that are no answer to it") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A client that comes and goes leaves no session.
func TestSessions(t *testing.T) {
	b := newPeer(t, goipmi.PrivilegeLevelAdministrator, 17)
	c := client(t, b.addr, nil)
	for range 3 {
		if _, err := c.Facts(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.Sessions.Count(); n != 1 {
		t.Errorf("%d sessions for one client", n)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.Sessions.Count(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// A session that rested for so long that the controller ended it is not used
// again: a new one is opened before the next request, not after its silence.
func TestIdle(t *testing.T) {
	b := newPeer(t, goipmi.PrivilegeLevelAdministrator, 17)
	way := newRelay(t, b.addr, nil)
	c := client(t, way.addr, nil)
	if _, err := c.PowerState(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := way.sent()
	c.Rest(30 * time.Second)
	if _, err := c.PowerState(t.Context()); err != nil || way.sent() != first+1 {
		t.Errorf("after 30 s: %v, %d datagrams", err, way.sent()-first)
	}
	c.Rest(61 * time.Second)
	second := way.sent()
	if _, err := c.PowerState(t.Context()); err != nil || way.sent() != second+first {
		t.Errorf("after 61 s: %v, %d datagrams, and the first time %d", err, way.sent()-second, first)
	}
}

// What can't work is refused before anything is sent.
func TestConfig(t *testing.T) {
	for want, cfg := range map[string]ipmi.Config{
		"should be like ipmi://10.17.1.11": {URL: "https://10.17.1.11"},
		"hold no user":                     {URL: "ipmi://10.17.1.11", Password: secret.New("alone")},
		"at most 16":                       {URL: "ipmi://10.17.1.11", Username: "a-name-of-17-long", Password: secret.New("x")},
		"longer than the 20 bytes":         {URL: "ipmi://10.17.1.11", Username: "a", Password: secret.New("a-password-of-21-long")},
	} {
		if _, err := ipmi.New(cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "password-of") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
