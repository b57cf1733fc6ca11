package redfish_test

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// tree is a controller: path in lower case (one vendor's links and index
// differ in case) to resource.
type tree map[string][]byte

// ServeHTTP answers GET, and 404 to all else. Queries are ignored, as by small
// firmwares.
func (t tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := t.resource(r.URL.Path)
	if !ok || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

func (t tree) resource(path string) ([]byte, bool) {
	body, ok := t[strings.ToLower(strings.TrimSuffix(path, "/"))]
	return body, ok
}

// off makes all systems of the tree switched off.
func (t tree) off() {
	for path, body := range t {
		if strings.HasPrefix(path, "/redfish/v1/systems/") && strings.Count(path, "/") == 4 {
			t[path] = regexp.MustCompile(`"PowerState"\s*:\s*"On"`).ReplaceAll(body, []byte(`"PowerState":"Off"`))
		}
	}
}

// expanding is a tree that knows $expand (DSP0266, "The $expand query
// parameter"): the forms that its service root says, one level deep.
type expanding struct {
	tree
	collections bool // only these, as iLO
}

var expandForm = regexp.MustCompile(`^[.*](\(\$levels=1\))?$`)

// ServeHTTP answers like tree, and expands.
func (e expanding) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query().Get("$expand")
	body, ok := e.resource(r.URL.Path)
	var resource map[string]any
	if form == "" || !ok || r.Method != http.MethodGet || json.Unmarshal(body, &resource) != nil {
		e.tree.ServeHTTP(w, r)
		return
	}
	if !expandForm.MatchString(form) {
		http.Error(w, `{"error":{"message":"this form of $expand is not known"}}`, http.StatusBadRequest)
		return
	}
	_, collection := resource["Members"]
	if collection || !e.collections {
		for name, v := range resource {
			if !strings.HasPrefix(name, "@") && name != "Actions" && (name != "Links" || form[0] == '*') {
				resource[name] = e.expand(v)
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(resource)
}

// expand puts resources in the place of links. The members of a page that is
// expanded itself are the second level.
func (e expanding) expand(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = e.expand(v[i])
		}
	case map[string]any:
		at, ok := v["@odata.id"].(string)
		if !ok || len(v) != 1 {
			return v
		}
		var resource map[string]any
		if body, ok := e.resource(at); ok && json.Unmarshal(body, &resource) == nil {
			if resource["@odata.id"] == nil {
				resource["@odata.id"] = at
			}
			return resource
		}
	}
	return v
}

// recorded returns the archives of recorded trees, and skips the test where
// there are none.
func recorded(t testing.TB) []string {
	t.Helper()
	dir := os.Getenv("RA2_BMC_TREES")
	if dir == "" {
		dir = "../../../../shared/lab/bmc"
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.tar.zst"))
	if err != nil || len(files) == 0 {
		t.Skipf("no recorded trees in %s; set RA2_BMC_TREES", dir)
	}
	return files
}

func treeName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".tar.zst") }

func readTree(t testing.TB, file string) tree {
	t.Helper()
	out, err := unpack(file)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func unpack(file string) (tree, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	out := tree{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		p := strings.TrimSuffix("/"+strings.TrimPrefix(strings.ToLower(h.Name), "./"), "/index.json")
		if !strings.HasPrefix(p, "/redfish/v1") {
			out[p] = body // one vendor has its registries beside /redfish/v1
			p = "/redfish/v1" + p
		}
		out[p] = body
	}
}
