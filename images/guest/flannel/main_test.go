package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const subnets = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_IPV6_NETWORK=fd00:17:244::/56
FLANNEL_IPV6_SUBNET=fd00:17:244:1::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`

// site lays a subnet file and a delegate that repeats its input.
func site(t *testing.T) (config, dataDir string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"subnet.env": subnets, "bin/bridge": "#!/bin/sh\nexec cat\n"}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CNI_PATH", filepath.Join(dir, "bin"))
	t.Setenv("CNI_CONTAINERID", "c1")
	dataDir = filepath.Join(dir, "data")
	return fmt.Sprintf(`{"cniVersion":"1.0.0","name":"cbr0","type":"flannel","subnetFile":%q,"dataDir":%q,
		"delegate":{"hairpinMode":true,"isDefaultGateway":true}}`, filepath.Join(dir, "subnet.env"), dataDir), dataDir
}

func TestAddHandsOnBothFamilies(t *testing.T) {
	config, _ := site(t)
	var out bytes.Buffer
	if err := run("ADD", strings.NewReader(config), &out); err != nil {
		t.Fatal(err)
	}
	const want = `{"cniVersion":"1.0.0","hairpinMode":true,"ipMasq":false,` +
		`"ipam":{"dataDir":"/run/cni-ipam-state","ranges":[[{"subnet":"10.244.1.0/24"}],[{"subnet":"fd00:17:244:1::/64"}]],` +
		`"routes":[{"dst":"10.244.0.0/16"},{"dst":"fd00:17:244::/56"}],"type":"host-local"},` +
		`"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":"cbr0","type":"bridge"}`
	if got := out.String(); got != want {
		t.Errorf("the delegate got\n%s\nwant\n%s", got, want)
	}
}

// TestPointToPointLeadsEverywhere: a pod joined by ptp needs default routes, or
// it reaches no service and no node.
func TestPointToPointLeadsEverywhere(t *testing.T) {
	config, _ := site(t)
	config = strings.Replace(config, `"hairpinMode":true,"isDefaultGateway":true`, `"type":"ptp"`, 1)
	dir := os.Getenv("CNI_PATH")
	if err := os.Rename(filepath.Join(dir, "bridge"), filepath.Join(dir, "ptp")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run("ADD", strings.NewReader(config), &out); err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{`{"dst":"0.0.0.0/0"}`, `{"dst":"::/0"}`} {
		if !strings.Contains(out.String(), route) {
			t.Errorf("no route %s in %s", route, &out)
		}
	}
}

func TestDelUsesWhatAddKeptEvenWithoutFlanneld(t *testing.T) {
	config, data := site(t)
	var out bytes.Buffer
	if err := run("ADD", strings.NewReader(config), &out); err != nil {
		t.Fatal(err)
	}
	var c conf
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(c.SubnetFile); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := run("DEL", strings.NewReader(config), &out); err != nil || !strings.Contains(out.String(), "10.244.1.0/24") {
		t.Errorf("DEL: %v, %s", err, &out)
	}
	if left, err := os.ReadDir(data); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := run("DEL", strings.NewReader(config), &out); err != nil {
		t.Errorf("a second DEL: %v", err)
	}
	err := run("ADD", strings.NewReader(config), &out)
	var f *failure
	if !errors.As(err, &f) || f.Code != codeTryLater {
		t.Errorf("ADD without flanneld: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	config, _ := site(t)
	t.Setenv("CNI_PATH", "/nowhere")
	for want, call := range map[string][2]string{
		"/nowhere":  {"ADD", config},
		"not known": {"DANCE", config},
		"read the":  {"ADD", "{"},
	} {
		if err := run(call[0], strings.NewReader(call[1]), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", want, err)
		}
	}
	var out bytes.Buffer
	if err := run("VERSION", strings.NewReader(""), &out); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("VERSION: %v, %s", err, &out)
	}
}
