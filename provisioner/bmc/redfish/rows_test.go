package redfish_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
)

// shelf is a controller of few resources that remembers what is written to
// them. A rule may refuse a change, or make more of it.
type shelf struct {
	mu    sync.Mutex
	docs  map[string]map[string]any
	rule  func(path string, change, doc map[string]any) (refuse string)
	wrote []string
}

// readShelf reads a fixture.
func readShelf(t testing.TB, name string) *shelf {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "quirks", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	r := &shelf{}
	if err := json.Unmarshal(data, &r.docs); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *shelf) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := strings.TrimSuffix(req.URL.Path, "/")
	if req.Method == http.MethodPost && strings.HasSuffix(at, "/Sessions") {
		w.WriteHeader(http.StatusNotFound) // it knows basic authentication only
		return
	}
	doc, ok := r.docs[at]
	if !ok {
		http.NotFound(w, req)
		return
	}
	if req.Method == http.MethodPatch {
		var change map[string]any
		_ = json.NewDecoder(req.Body).Decode(&change)
		text, _ := json.Marshal(change)
		r.wrote = append(r.wrote, at+" "+string(text))
		if r.rule != nil {
			if refuse := r.rule(at, change, doc); refuse != "" {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"error":{"@Message.ExtendedInfo":[{"MessageId":%q,"Message":"the property is not right"}]}}`, refuse)
				return
			}
		}
		merge(doc, change)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_ = json.NewEncoder(w).Encode(doc)
}

func merge(into, change map[string]any) {
	for name, v := range change {
		if m, ok := v.(map[string]any); ok {
			if have, ok := into[name].(map[string]any); ok {
				merge(have, m)
				continue
			}
		}
		into[name] = v
	}
}

// bootOf returns the override that a controller shows.
func (r *shelf) bootOf() map[string]any {
	return r.docs["/redfish/v1/Systems/1"]["Boot"].(map[string]any)
}

// sent returns the Boot object of a change.
func sent(change map[string]any) map[string]any {
	b, _ := change["Boot"].(map[string]any)
	return b
}

// rowTests has a test for each row of the quirk table: it returns an error
// where the client doesn't cope with the controller.
func rowTests() map[string]func(t *testing.T, r *shelf, c *redfish.Client) error {
	boot := func(method string, rule func(change, doc map[string]any) string, want map[string]any) func(*testing.T, *shelf, *redfish.Client) error {
		return func(t *testing.T, r *shelf, c *redfish.Client) error {
			r.rule = func(_ string, change, doc map[string]any) string { return rule(sent(change), doc) }
			if err := c.SetBoot(t.Context(), method); err != nil {
				return err
			}
			for name, v := range want {
				if got := r.bootOf()["BootSourceOverride"+name]; got != v {
					return fmt.Errorf("%s is %v and should be %v", name, got, v)
				}
			}
			return nil
		}
	}
	only := func(target string) func(change, doc map[string]any) string {
		return func(change, doc map[string]any) string {
			if change["BootSourceOverrideTarget"] != target {
				change["BootSourceOverrideTarget"] = "None" // taken, and not the device that has the image
			}
			return ""
		}
	}
	gap := func(want time.Duration) func(*testing.T, *shelf, *redfish.Client) error {
		return func(t *testing.T, r *shelf, c *redfish.Client) error {
			if err := c.SetBoot(t.Context(), redfish.UEFIPXE); err != nil {
				return err
			}
			if got := c.Pause(http.StatusServiceUnavailable, nil); got != want {
				return fmt.Errorf("the next try comes after %s, want %s", got, want)
			}
			if long := c.Pause(http.StatusServiceUnavailable, http.Header{"Retry-After": {"45"}}); long != 45*time.Second {
				return fmt.Errorf("Retry-After: 45 is answered by %s", long)
			}
			return nil
		}
	}
	return map[string]func(*testing.T, *shelf, *redfish.Client) error{
		"supermicro-enabled": boot(redfish.UEFIPXE, func(change, _ map[string]any) string {
			if change["BootSourceOverrideEnabled"] == nil {
				change["BootSourceOverrideEnabled"] = "Disabled"
			}
			return ""
		}, map[string]any{"Enabled": "Once", "Mode": "UEFI"}),
		"supermicro-usbcd":    boot(redfish.VirtualMedia, only("UsbCd"), map[string]any{"Target": "UsbCd"}),
		"supermicro-grace-cd": boot(redfish.VirtualMedia, only("Cd"), map[string]any{"Target": "Cd"}),
		"asrockrack-whole-boot": boot(redfish.UEFIPXE, func(change, _ map[string]any) string {
			if len(change) != 3 {
				return "Base.1.8.PropertyMissing"
			}
			return ""
		}, map[string]any{"Enabled": "Once", "Target": "Pxe", "Mode": "UEFI"}),
		"idrac-4-gap": gap(10 * time.Second),
		"idrac-5-gap": gap(20 * time.Second),
	}
}

// TestQuirkRows: each row has a fixture and a test, which fails without the row.
func TestQuirkRows(t *testing.T) {
	tests := rowTests()
	if names := slices.Sorted(maps.Keys(tests)); !slices.Equal(names, slices.Sorted(slices.Values(redfish.QuirkNames()))) {
		t.Fatalf("rows %v, tests %v", redfish.QuirkNames(), names)
	}
	for _, name := range redfish.QuirkNames() {
		t.Run(name, func(t *testing.T) {
			with := readShelf(t, name)
			c, _ := open(t, with, nil)
			if err := tests[name](t, with, c); err != nil {
				t.Errorf("with the row: %v", err)
			}
			without := readShelf(t, name)
			c, _ = open(t, without, nil)
			c.WithoutQuirk(name)
			if err := tests[name](t, without, c); err == nil {
				t.Errorf("the test passes without the row")
			}
		})
	}
}

// TestQuirkStrangers: a controller that no row names is treated by the book, and
// its version isn't asked for.
func TestQuirkStrangers(t *testing.T) {
	r := readShelf(t, "supermicro-usbcd")
	r.docs["/redfish/v1"]["Oem"] = nil
	r.docs["/redfish/v1"]["Vendor"] = "Nobody"
	r.docs["/redfish/v1/Systems/1"]["Manufacturer"] = "Supermicro" // the chassis lies
	c, seen := open(t, r, nil)
	if err := c.SetBoot(t.Context(), redfish.VirtualMedia); err != nil || r.bootOf()["BootSourceOverrideTarget"] != "Cd" {
		t.Error(err, r.bootOf())
	}
	if seen.count("GET /redfish/v1/Managers") != 0 {
		t.Error(seen.seen)
	}
}

// TestVersions: versions as vendors write them (recorded trees), and what is none.
func TestVersions(t *testing.T) {
	for version, want := range map[string][]int{
		"6.00.30.00": {6, 0, 30, 0}, "iLO 5 v3.14": {3, 14}, "TGBT42S 2.83 2023-07-05": {2, 83}, "11.01.01": {11, 1, 1},
		"5": {5}, "": nil, "2023-07-05": nil, "v.1": nil, "99999999999999999999.1": nil,
	} {
		if got := redfish.Numbers(version); !slices.Equal(got, want) {
			t.Errorf("%q is %v, want %v", version, got, want)
		}
	}
}
