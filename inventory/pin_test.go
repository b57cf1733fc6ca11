package inventory_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

func pinOf(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// site returns an inventory with three control planes, whose controllers are
// written as these texts say.
func site(bmcs ...string) string {
	var b strings.Builder
	b.WriteString(`apiVersion: ra2-deploy/v1alpha1
kind: Cluster
metadata: {name: site}
spec:
  kubernetes:
    endpoint: {vips: [10.17.0.9]}
    podCIDRs: [10.244.0.0/16]
    serviceCIDRs: [10.96.0.0/16]
  provisioning: {interface: eno1, cidr: 10.17.0.1/24}
  zones: [a]
  nodes:
`)
	for i, bmc := range bmcs {
		fmt.Fprintf(&b, `    - name: cp-%d # “ä”
      zone: a
      roles: [control-plane, worker]
%s      boot: {mac: "52:54:00:17:00:1%d"}
      disk: {serial: D%d}
      addresses: [10.17.0.1%d/24]
`, i, bmc, i, i, i)
	}
	return b.String()
}

// TestPin shows what is written for each way of writing a controller.
func TestPin(t *testing.T) {
	plain := []string{"      bmc: {url: \"https://10.17.1.11\", credentials: {env: A}}\n", "      bmc: {url: \"https://10.17.1.12\", credentials: {env: A}}\n"}
	for _, c := range []struct{ name, bmc, want string }{
		{
			"a block",
			"      bmc:\n        # at the back\n        url: redfish+https://10.17.1.10   # iDRAC\n        credentials: {env: A}\n",
			"      bmc:\n        # at the back\n        url: redfish+https://10.17.1.10   # iDRAC\n        fingerprint: \"" + pinOf("a") + "\"\n        credentials: {env: A}\n",
		},
		{
			"the URL last, and on a line of its own",
			"      bmc:\n        credentials: {env: A}\n        url:\n          'https://10.17.1.10'\n",
			"      bmc:\n        credentials: {env: A}\n        url:\n          'https://10.17.1.10'\n        fingerprint: \"" + pinOf("a") + "\"\n",
		},
		{
			"braces",
			"      bmc: {url: \"https://10.17.1.10\", credentials: {env: A}} # ä\n",
			"      bmc: {url: \"https://10.17.1.10\", fingerprint: \"" + pinOf("a") + "\", credentials: {env: A}} # ä\n",
		},
		{
			"braces after letters of two bytes, the URL last",
			"      bmc: {credentials: {username: 'jürgen', password: {env: A}}, url: \"https://10.17.1.10\" }\n",
			"      bmc: {credentials: {username: 'jürgen', password: {env: A}}, fingerprint: \"" + pinOf("a") + "\", url: \"https://10.17.1.10\" }\n",
		},
		{
			"braces over lines",
			"      bmc: {\n        url: \"https://10.17.1.10\",\n        credentials: {env: A},\n      }\n",
			"      bmc: {\n        url: \"https://10.17.1.10\",\n        fingerprint: \"" + pinOf("a") + "\", credentials: {env: A},\n      }\n",
		},
		{
			"another pin",
			"      bmc:\n        url: https://10.17.1.10\n        fingerprint: '" + pinOf("b") + "'  # of 2025\n        credentials: {env: A}\n",
			"      bmc:\n        url: https://10.17.1.10\n        fingerprint: '" + pinOf("a") + "'  # of 2025\n        credentials: {env: A}\n",
		},
		{
			"another pin, as openssl writes it",
			"      bmc: {url: \"https://10.17.1.10\", credentials: {env: A}, fingerprint: SHA256:" + strings.Repeat("BB:", 31) + "BB}\n",
			"      bmc: {url: \"https://10.17.1.10\", credentials: {env: A}, fingerprint: " + pinOf("a") + "}\n",
		},
	} {
		for _, ending := range []string{"\n", "\r\n"} {
			t.Run(c.name, func(t *testing.T) {
				lines := strings.NewReplacer("\n", ending)
				before, want := lines.Replace(site(c.bmc, plain[0], plain[1])), lines.Replace(site(c.want, plain[0], plain[1]))
				got, err := inventory.Pin("site.yaml", []byte(before), map[string]string{"cp-0": pinOf("a")})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, string(got)); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
			})
		}
	}
}

// TestPinByHand shows that a place that several nodes share is left, with the
// line to write.
func TestPinByHand(t *testing.T) {
	shared := site("      bmc: &bmc {url: \"https://10.17.1.10:1\", credentials: {env: A}}\n", "      bmc: *bmc\n", "      bmc: *bmc\n")
	if _, problems := inventory.Parse("site.yaml", []byte(shared), inventory.Options{}); len(problems) == 0 {
		t.Fatal("three hosts with one controller are accepted: the test is not what it says")
	}
	anchored := site("      bmc: &bmc {url: \"https://10.17.1.10\", credentials: {env: A}}\n",
		"      bmc: {url: \"https://10.17.1.11\", credentials: {env: A}}\n", "      bmc: {url: \"https://10.17.1.12\", credentials: {env: A}}\n")
	_, err := inventory.Pin("site.yaml", []byte(anchored), map[string]string{"cp-0": pinOf("a")})
	if err == nil || !strings.Contains(err.Error(), `site.yaml:15:7: the controller of cp-0`) || !strings.Contains(err.Error(), "write by hand: bmc: {fingerprint: \""+pinOf("a")) {
		t.Errorf("%v", err)
	}
}

// TestPinKeepsTheRest is the property: the file is the old one, with nothing
// but lines and words of fingerprints added, whatever is pinned, and pinning
// the same again changes nothing.
func TestPinKeepsTheRest(t *testing.T) {
	sample := read(t, "testdata/edge-17.yaml")
	cluster, problems := inventory.Parse("x", sample, inventory.Options{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		pins := map[string]string{}
		for _, n := range cluster.Nodes {
			if rapid.Bool().Draw(t, n.Name) {
				pins[n.Name] = "sha256:" + rapid.StringMatching(`[0-9a-f]{64}`).Draw(t, "pin")
			}
		}
		once, err := inventory.Pin("x", sample, pins)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := inventory.Pin("x", once, pins)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("pinned again it differs: %v", err)
		}
		for line := range strings.Lines(string(sample)) {
			if !strings.Contains(line, "bmc:") && !strings.Contains(line, "fingerprint:") && !bytes.Contains(once, []byte(line)) {
				t.Fatalf("the line is gone: %s", line)
			}
		}
	})
}

// FuzzPin wants that a file is the old one when what was written is taken out
// again, however it is written.
func FuzzPin(f *testing.F) {
	f.Add(read(f, "testdata/edge-17.yaml"))
	f.Add([]byte(site("      bmc: {url: \"https://10.17.1.10\", credentials: {env: A}} # ä\n",
		"      bmc:\n        credentials: {env: A}\n        url:\n          'https://10.17.1.11'\n", "      bmc: &b\n        url: https://10.17.1.12\n        credentials: {env: A}")))
	f.Fuzz(func(t *testing.T, data []byte) {
		cluster, problems := inventory.Parse("f", data, inventory.Options{})
		if len(problems) > 0 {
			return
		}
		pins := map[string]string{}
		for _, n := range cluster.Nodes {
			if n.BMC.Fingerprint == "" {
				pins[n.Name] = pinOf("c")
			}
		}
		out, err := inventory.Pin("f", data, pins)
		if err != nil {
			return // to be written by hand
		}
		written := regexp.MustCompile(`\r?\n *fingerprint: "` + pinOf("c") + `"|fingerprint: "` + pinOf("c") + `", `)
		if left := written.ReplaceAll(out, nil); !bytes.Equal(left, data) || len(written.FindAll(out, -1)) != len(pins) {
			t.Errorf("%d pins; it was:\n%s\nand is:\n%s", len(pins), data, out)
		}
	})
}
