package redfish_test

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// wire is a controller behind a transport without a network; it counts.
type wire struct {
	http.Handler
	requests int
	trail    []string
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests++
	w.trail = append(w.trail, r.URL.RequestURI())
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// wired returns a client of a handler without a network between them.
func wired(t testing.TB, h http.Handler) (*redfish.Client, *wire) {
	t.Helper()
	c, err := redfish.New(redfish.Config{Host: "cp-a", URL: "https://bmc", Username: "u", Password: secret.New(password), Deep: true, RetryBudget: time.Second, Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Handler: h}
	c.Through(w)
	return c, w
}

// checked takes the facts of a handler and checks what must hold whatever it
// says: an end, and no fact that no machine can have.
func checked(t testing.TB, h http.Handler) facts.BMC {
	t.Helper()
	c, w := wired(t, h)
	got, err := c.Facts(t.Context())
	if (err == nil) != got.Reached {
		t.Errorf("reached %v with error %v", got.Reached, err)
	}
	if w.requests > redfish.MaxRequests+1 {
		t.Errorf("%d requests", w.requests)
	}
	for _, wrong := range absurd(got) {
		t.Error(wrong)
	}
	return got
}

var macForm = regexp.MustCompile(`^([0-9a-f]{2}:){5}[0-9a-f]{2}$`)

// absurd returns what can't be of any machine.
func absurd(b facts.BMC) []string {
	var out []string
	check := func(ok bool, what string, v any) {
		if !ok {
			text, _ := json.Marshal(v)
			out = append(out, what+": "+string(text))
		}
	}
	check(len(b.Processors) <= 1000 && len(b.Drives) <= 1000 && len(b.Ports) <= 1000 && len(b.Slots) <= 1000, "a list without an end", "")
	for _, p := range b.Processors {
		check(p.Cores >= 0 && p.Cores <= 4096 && p.Threads >= 0 && p.Threads <= 4*4096, "processor", p)
	}
	check(b.MemoryGiB == nil || *b.MemoryGiB > 0 && *b.MemoryGiB <= 1<<20, "memory", b.MemoryGiB)
	check(b.SMT == nil || !*b.SMT || b.CanSMT != nil && *b.CanSMT, "SMT is on and can't be", b.CanSMT)
	for _, d := range b.Drives {
		check(d.Bytes >= 0 && d.Bytes <= 1e17 && slices.Contains([]string{"", "SSD", "HDD"}, d.Media), "drive", d)
	}
	for _, p := range b.Ports {
		check(p.MAC == "" || macForm.MatchString(p.MAC), "address", p)
		for _, speed := range []*float64{p.SpeedGbps, p.LinkGbps} {
			check(speed == nil || *speed > 0 && *speed <= 3200 && !math.IsNaN(*speed), "speed", p)
		}
		check(p.MaxVFs == nil || *p.MaxVFs > 0 && *p.MaxVFs <= 65535, "virtual functions", p)
		check(p.LinkGbps == nil || p.LinkUp == nil || *p.LinkUp, "a link that is down and has a speed", p)
	}
	for _, s := range b.Slots {
		check(s.Generation >= 0 && s.Generation <= 9 && s.Lanes >= 0 && s.Lanes <= 64, "slot", s)
	}
	if _, err := json.Marshal(b); err != nil {
		out = append(out, err.Error())
	}
	return out
}

// one replaces one resource of a tree, or all of them but the root.
type one struct {
	tree
	at   string // "" is all
	body []byte
}

// ServeHTTP answers like the tree, but for one resource.
func (o one) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := strings.ToLower(strings.TrimSuffix(r.URL.Path, "/"))
	if p == o.at || o.at == "" && p != "/redfish/v1" {
		_, _ = w.Write(o.body)
		return
	}
	o.tree.ServeHTTP(w, r)
}

// places are the resources of quirky that are replaced, by the type of what
// replaces them.
func places() map[string]string {
	return map[string]string{
		"ServiceRoot": "", "ComputerSystemCollection": "/systems", "ComputerSystem": "/systems/j1", "ProcessorCollection": "/systems/j1/processors",
		"StorageCollection": "/systems/j1/storage", "Drive": "/drives/1", "Chassis": "/chassis/1", "PCIeSlots": "/chassis/1/pcieslots",
		"NetworkAdapterCollection": "/chassis/1/networkadapters", "NetworkPortCollection": "/np", "PortCollection": "/p", "Bios": "/systems/j1/bios",
	}
}

// FuzzFacts replaces one resource of a small controller, or every one by the
// same, which makes circles of links and of pages.
func FuzzFacts(f *testing.F) {
	var at []string
	for _, p := range places() {
		at = append(at, "/redfish/v1"+p)
	}
	sort.Strings(at)
	at = append(at, "")
	add := func(body []byte) {
		if len(body) > 4096 {
			return
		}
		kind := typeOf(body)
		f.Add(uint8(len(at)-1), body)
		if p, ok := places()[kind]; ok {
			f.Add(uint8(slices.Index(at, "/redfish/v1"+p)), body)
		}
	}
	for path, body := range quirky() {
		f.Add(uint8(len(at)-1), body)
		if i := slices.Index(at, path); i >= 0 {
			f.Add(uint8(i), body)
		}
	}
	for _, body := range [][]byte{
		[]byte(`{"Members":[{"@odata.id":"/redfish/v1/systems"}],"Members@odata.nextLink":"/redfish/v1/systems?$skip=1"}`),
		[]byte(`{"@odata.id":"/redfish/v1/Systems/J1","Processors":{"@odata.id":"/redfish/v1/Systems/J1"},"TotalCores":-4,"TotalThreads":"NaN","CapacityBytes":1e999}`),
		[]byte(strings.Repeat(`{"Members":[`, 500) + strings.Repeat(`]}`, 500)),
	} {
		f.Add(uint8(len(at)-1), body)
	}
	if dir := os.Getenv("RA2_BMC_TREES"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(dir, "*.tar.zst"))
		for _, file := range files {
			all, err := unpack(file)
			if err != nil {
				f.Fatal(err)
			}
			for _, body := range all {
				if _, ok := places()[typeOf(body)]; ok {
					add(body)
				}
			}
		}
	}
	base := quirky()
	f.Fuzz(func(t *testing.T, place uint8, body []byte) {
		if len(body) > 4096 {
			t.Skip("more of the same")
		}
		checked(t, one{base, at[int(place)%len(at)], body})
	})
}

// typeOf returns "Drive" of a resource of type "#Drive.v1_20_0.Drive".
func typeOf(body []byte) string {
	var r struct {
		Type string `json:"@odata.type"`
	}
	_ = json.Unmarshal(body, &r) // what is no resource has no type
	return r.Type[strings.LastIndex(r.Type, ".")+1:]
}

// TestTreesBroken breaks every resource that a look at a recorded controller
// reads, one at a time and each in other ways: the look ends, and tells no fact
// that no machine has.
func TestTreesBroken(t *testing.T) {
	for _, file := range recorded(t) {
		t.Run(treeName(file), func(t *testing.T) {
			all := readTree(t, file)
			v := visited{all, map[string]bool{}}
			c, _ := wired(t, v)
			if _, err := c.Facts(t.Context()); err != nil {
				t.Fatal(err)
			}
			n := 0
			for i, p := range slices.Sorted(maps.Keys(v.seen)) {
				for j, body := range broken(all[p]) {
					if (i+j)%5 != 0 {
						continue // all take half a minute, and find no more
					}
					n++
					if checked(t, one{all, p, body}); t.Failed() {
						t.Fatalf("%s as %.200s", p, body)
					}
				}
			}
			t.Logf("%d resources, %d broken answers", len(v.seen), n)
		})
	}
}

// visited is a tree that remembers what was asked for.
type visited struct {
	tree
	seen map[string]bool
}

// ServeHTTP answers like the tree.
func (v visited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := strings.ToLower(strings.TrimSuffix(r.URL.Path, "/")); v.tree[p] != nil {
		v.seen[p] = true
	}
	v.tree.ServeHTTP(w, r)
}

var (
	numbers = regexp.MustCompile(`:\s*-?\d+(\.\d+)?`)
	words   = regexp.MustCompile(`:\s*"[^"]*"`)
)

// broken returns a resource cut, of other types, of absurd numbers, and gone.
func broken(body []byte) [][]byte {
	out := [][]byte{body[:len(body)/2], body[:len(body)-2], {}, []byte(`null`), []byte(`[]`), []byte(`{}`), []byte(`"x"`), []byte(`{"error":{}}`)}
	for _, n := range []string{`:-1`, `:1e300`, `:1e-300`, `:1e999`, `:99999999999999999999`, `:"NaN"`, `:"-Infinity"`, `:null`, `:{}`, `:[1]`, `:true`} {
		out = append(out, numbers.ReplaceAllLiteral(body, []byte(n)))
	}
	for _, w := range []string{`:null`, `:7`, `:{"a":1}`, `:["x"]`, `:""`, `:"/redfish/v1/Systems"`} {
		out = append(out, words.ReplaceAllLiteral(body, []byte(w)))
	}
	return out
}
