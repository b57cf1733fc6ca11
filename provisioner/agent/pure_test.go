package agent

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tinkerbell/tink/api/v1alpha1"
)

// Our Action is what a Tinkerbell workflow says of an action.
func TestActionIsTinkerbells(t *testing.T) {
	ours := Action{Name: "write", Image: ActionImage2Disk, Timeout: 600, Environment: map[string]string{EnvDisk: "serial:S1", EnvCompressed: "true"}}
	var theirs v1alpha1.Action
	roundTrip(t, ours, &theirs)
	if theirs.Name != ours.Name || theirs.Image != ours.Image || theirs.Timeout != ours.Timeout || !reflect.DeepEqual(theirs.Environment, ours.Environment) {
		t.Errorf("tink reads %+v", theirs)
	}
	var back Action
	roundTrip(t, theirs, &back)
	if diff := cmp.Diff(ours, back); diff != "" {
		t.Error(diff)
	}
}

func roundTrip(t *testing.T, from, to any) {
	t.Helper()
	text, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatal(err)
	}
}

func TestKernelLine(t *testing.T) {
	want := KernelLine{
		Mode: ModeInstall, Node: "cp-a", Server: "https://10.17.0.1:8443", Pin: "sha256:" + strings.Repeat("0", 64),
		MAC:       net.HardwareAddr{0x52, 0x54, 0, 0x17, 0, 0x11},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24"), netip.MustParsePrefix("fd00:17::11/64")},
		Gateways:  []netip.Addr{netip.MustParseAddr("10.17.0.1")}, Retry: 5 * time.Second,
	}
	got, err := ParseKernelLine("BOOT_IMAGE=kernel quiet ra2.mode=boot " + want.String() + " console=ttyS0,115200 ra2.unknown")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Error(diff)
	}
	for line, says := range map[string]string{
		"quiet":                        "ra2.mode is",
		"ra2.mode=install":             "missing",
		"ra2.mode=boot ra2.mac=xx":     "ra2.mac=xx",
		"ra2.mode=boot ra2.ip=1.2.3.4": "ra2.ip=1.2.3.4",
	} {
		if _, err := ParseKernelLine(line); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v should say %q", line, err, says)
		}
	}
}

func TestNodeConfig(t *testing.T) {
	want := NodeConfig{Node: "cp-a", Addresses: []string{"10.17.0.11/24"}, Hosts: map[string]string{"10.17.0.10": "api.edge"}}
	part, err := EncodeConfig(want)
	if err != nil || len(part) != ConfigBytes {
		t.Fatalf("%d bytes, %v", len(part), err)
	}
	got, err := DecodeConfig(part)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	part[20] ^= 1
	if _, err := DecodeConfig(part); err == nil || !strings.Contains(err.Error(), "CRC-32") {
		t.Errorf("a changed byte: %v", err)
	}
	if _, err := DecodeConfig(make([]byte, ConfigBytes)); !errors.Is(err, ErrNoConfig) {
		t.Errorf("an empty partition: %v", err)
	}
	if _, err := EncodeConfig(NodeConfig{KernelLine: strings.Repeat("x", ConfigBytes)}); err == nil {
		t.Error("a configuration larger than the partition was accepted")
	}
}

func FuzzNodeConfig(f *testing.F) {
	part, err := EncodeConfig(NodeConfig{Node: "cp-a"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(part[:100])
	f.Add([]byte("RA2CONF1\xff\xff\xff\xff\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, part []byte) {
		c, err := DecodeConfig(part)
		if err != nil {
			return
		}
		again, err := EncodeConfig(c)
		if err != nil {
			return // larger than the partition: it came from a larger one
		}
		if back, err := DecodeConfig(again); err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("%+v became %+v, %v", c, back, err)
		}
	})
}

func FuzzKernelLine(f *testing.F) {
	f.Add("ra2.mode=boot ra2.retry=5s ra2.gw=fd00::1,10.0.0.1")
	f.Fuzz(func(t *testing.T, line string) {
		k, err := ParseKernelLine(line)
		if err != nil {
			return
		}
		if _, err := ParseKernelLine(k.String()); err != nil && !strings.ContainsAny(line, "\x00") {
			t.Errorf("%q is written as %q: %v", line, k.String(), err)
		}
	})
}

func TestJoinIdentity(t *testing.T) {
	a, b := Join{ID: "x", Files: []File{{Path: "/a"}}}, Join{ID: "x"}
	if a.Identity() != b.Identity() {
		t.Error("orders with one ID differ")
	}
	a.ID, b.ID = "", ""
	if a.Identity() == b.Identity() {
		t.Error("orders with other files and no ID are the same")
	}
}
