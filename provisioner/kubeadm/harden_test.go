package kubeadm

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

// Control planes read each other's Secrets: one key for a cluster, another for
// another cluster, and it is not that of the authority.
func TestEncryption(t *testing.T) {
	first, second := seeded(t, "a"), seeded(t, "b")
	key := func(p PKI) string {
		f, err := p.encryption()
		if err != nil || f.Mode != 0o600 || f.Path != EncryptionPath {
			t.Fatalf("%s %o: %v", f.Path, f.Mode, err)
		}
		var c struct {
			Kind      string
			Resources []struct {
				Resources []string
				Providers []struct {
					Secretbox *struct{ Keys []struct{ Secret string } }
					Identity  *struct{}
				}
			}
		}
		if err := yaml.Unmarshal(f.Data, &c); err != nil {
			t.Fatal(err)
		}
		box := c.Resources[0].Providers[0].Secretbox
		if c.Kind != "EncryptionConfiguration" || c.Resources[0].Resources[0] != "secrets" || box == nil || c.Resources[0].Providers[1].Identity == nil {
			t.Fatalf("%s", f.Data)
		}
		return box.Keys[0].Secret
	}
	if key(first) != key(first) || key(first) == key(second) {
		t.Error("the key is not one for each cluster")
	}
	if raw, err := base64.StdEncoding.DecodeString(key(first)); err != nil || len(raw) != 32 || strings.Contains(first.Etcd.Key.Reveal(), key(first)) {
		t.Errorf("the key has %d bytes, %v", len(raw), err)
	}
}

// seeded makes keys from bytes that are the same in each run.
func seeded(t *testing.T, seed string) PKI {
	t.Helper()
	p, err := NewPKI(strings.NewReader(strings.Repeat(seed+"0123456789abcdef", 100)), time.Unix(1767225600, 0))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// "--reserved-cpus ... reserve 2 SMT threads" (ra2.k8s.008),
// "--topology-manager-policy=single-numa-node --cpu-manager-policy=static"
// (ra2.k8s.006, ra2.k8s.009).
func TestProcessors(t *testing.T) {
	c := site(3, 3, true)
	for profile, want := range map[string][]string{
		"basic":                   {"name: reserved-cpus\n    value: 0-1"},
		inventory.HighPerformance: {"name: reserved-cpus\n    value: 0-1", "name: cpu-manager-policy\n    value: static", "name: topology-manager-policy\n    value: single-numa-node"},
	} {
		in := input(c, 3)
		in.Cluster.Classes = map[string]inventory.Class{in.Node.Class: {Profile: profile, Reserved: "0-1"}}
		config, err := Join(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(config), w) {
				t.Errorf("%s: the configuration lacks %q\n%s", profile, w, config)
			}
		}
		if profile == "basic" && strings.Contains(string(config), "cpu-manager-policy") {
			t.Errorf("a basic node pins processors\n%s", config)
		}
		if problems := Validate(config); len(problems) > 0 {
			t.Errorf("%s: %v", profile, problems)
		}
	}
}
