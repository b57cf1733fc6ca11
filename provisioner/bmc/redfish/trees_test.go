package redfish_test

import (
	"archive/tar"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// tree is a recorded controller: path in lower case (one vendor's links and
// index differ in case) to resource.
type tree map[string][]byte

// ServeHTTP answers GET, and 404 to all else.
func (t tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := t[strings.ToLower(strings.TrimSuffix(r.URL.Path, "/"))]
	if !ok || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// off makes all systems of the tree switched off.
func (t tree) off() {
	for path, body := range t {
		if strings.HasPrefix(path, "/redfish/v1/systems/") && strings.Count(path, "/") == 4 {
			t[path] = regexp.MustCompile(`"PowerState"\s*:\s*"On"`).ReplaceAll(body, []byte(`"PowerState":"Off"`))
		}
	}
}

func readTree(t *testing.T, file string) tree {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := tree{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		p := strings.TrimSuffix("/"+strings.TrimPrefix(strings.ToLower(h.Name), "./"), "/index.json")
		if !strings.HasPrefix(p, "/redfish/v1") {
			p = "/redfish/v1" + p
		}
		out[p] = body
	}
}

// TestTrees reads facts from recorded controllers of several vendors.
func TestTrees(t *testing.T) {
	dir := os.Getenv("RA2_BMC_TREES")
	if dir == "" {
		dir = "../../../../shared/lab/bmc"
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.tar.zst"))
	if err != nil || len(files) == 0 {
		t.Skipf("no recorded trees in %s; set RA2_BMC_TREES", dir)
	}
	sort.Strings(files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".tar.zst"), func(t *testing.T) {
			recorded := readTree(t, file)
			server := httptest.NewTLSServer(front(recorded, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "ComputerSystem.Reset") {
					recorded.off()
					w.WriteHeader(http.StatusNoContent)
					return true
				}
				return false
			}))
			defer server.Close()
			count := 0
			c, err := redfish.New(redfish.Config{Host: "n", URL: server.URL, Username: "u", Password: secret.New("secret-of-tree"),
				Fingerprint: fingerprint(server), Observe: func(redfish.Exchange) { count++ }})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(t.Context())
			seen, err := c.Facts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if seen.Serial == "" || seen.Vendor == "" || seen.Model == "" || len(seen.Processors) != 2 || seen.MemoryGiB == nil ||
				len(seen.BIOS) < 100 || len(seen.Ports) == 0 || len(seen.Drives) == 0 {
				t.Errorf("incomplete: %d processors, %d attributes, %d ports, %d drives", len(seen.Processors), len(seen.BIOS), len(seen.Ports), len(seen.Drives))
			}
			if count > 80 {
				t.Errorf("%d requests are too many", count)
			}
			t.Logf("%d requests, %d processors, %d attributes, %d pending, %d ports, %d drives, %d slots", count,
				len(seen.Processors), len(seen.BIOS), len(seen.PendingBIOS), len(seen.Ports), len(seen.Drives), len(seen.Slots))
			if err := c.Power(t.Context(), redfish.Off); err != nil {
				t.Errorf("power off: %v", err)
			}
			if testing.Verbose() {
				seen.BIOS, seen.PendingBIOS = nil, nil
				t.Logf("%+v", seen)
			}
		})
	}
}
