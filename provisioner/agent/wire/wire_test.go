package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

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
