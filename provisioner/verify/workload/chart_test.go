package workload_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/workload"
)

// webChart is a small chart.
func webChart() map[string]string {
	return map[string]string{
		"Chart.yaml":  "apiVersion: v2\nname: web\nversion: 1.4.2\nkubeVersion: '>=1.30.0-0'\n",
		"values.yaml": "replicas: 1\nimage: {tag: latest}\n",
		"templates/web.yaml": `{{- if .Capabilities.APIVersions.Has "apps/v1" }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: web, image: "web:{{ .Values.image.tag }}"}]}
{{- end }}
`,
		"templates/tests/ping.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: ping, annotations: {helm.sh/hook: test}}\nspec: {containers: [{name: p, image: p}]}\n",
		"templates/NOTES.txt":       "It runs.",
		"templates/_helpers.tpl":    `{{- define "x" }}{{ end }}`,
		"crds/thing.yaml":           "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\nspec: {group: example.com, scope: Namespaced, names: {plural: things, kind: Thing}, versions: []}\n",
	}
}

func TestRender(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // nobody else's archives are laid down there
	dir := filepath.Join(t.TempDir(), "web")
	lay(t, dir, webChart())
	values := filepath.Join(t.TempDir(), "site.yaml")
	lay(t, filepath.Dir(values), map[string]string{"site.yaml": "image: {tag: 1.4.2}\nreplicas: 2\n"})
	archive := dir + ".tgz"
	if err := os.WriteFile(archive, pack(t, webChart()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, archive} {
		c, objects, err := workload.Render(t.Context(), path, workload.Options{Version: "v1.37.2", Values: []string{values}, Set: []string{"replicas=5"}, Namespace: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		if c.Name != "web" || c.Version != "1.4.2" || c.Digest != "" {
			t.Errorf("%+v", c)
		}
		if len(objects) != 2 || objects[0].Kind != "CustomResourceDefinition" {
			t.Fatalf("%s: %d objects: the test of the chart is none", path, len(objects))
		}
		web := objects[1]
		if web.Tree.Number("spec", "replicas") != 5 || web.Namespace != "shop" || web.File != "templates/web.yaml" || web.Lines[".spec.replicas"] != 6 {
			t.Errorf("%s: %+v", path, web)
		}
		if image := web.Tree.List("spec", "template", "spec", "containers")[0].Text("image"); image != "web:1.4.2" {
			t.Errorf("the image is %s", image)
		}
		if want := "helm template web " + path + " -s templates/web.yaml"; web.Show != want {
			t.Errorf("it is shown by %q, want %q", web.Show, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "ra2-chart-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestRenderTellsWhatHelmSays gives a value that doesn't fit: Helm only logs that.
func TestRenderTellsWhatHelmSays(t *testing.T) {
	var said bytes.Buffer
	log.SetOutput(&said)
	defer log.SetOutput(os.Stderr)
	dir := filepath.Join(t.TempDir(), "web")
	files := webChart()
	files["values.yaml"] = "image: {tag: latest}\nreplicas: 1\nextra: none\n"
	lay(t, dir, files)
	c, _, err := workload.Render(t.Context(), dir, workload.Options{Version: "v1.37.2", Set: []string{"extra.a=b"}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(c.Lint, func(m app.Message) bool { return m.Severity == "warning" && strings.Contains(m.Text, "extra") }) || said.Len() > 0 {
		t.Errorf("%+v, and to the logger %q", c.Lint, &said)
	}
	if log.Print("x"); !strings.Contains(said.String(), "x") {
		t.Error("the logger is not what it was")
	}
}

// TestRenderRefuses breaks the chart in one way at a time.
func TestRenderRefuses(t *testing.T) {
	for _, each := range []struct{ file, text, want string }{
		{"Chart.yaml", "name: [", "cannot load Chart.yaml"},
		{"Chart.yaml", "apiVersion: v2\nname: web\n", "chart.metadata.version is required"},
		{"Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\ntype: library\n", "it is a library"},
		{"Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\nkubeVersion: '<1.20'\n", "it is for Kubernetes <1.20, and this is v1.37.2; choose another with --kube-version"},
		{"Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: redis, version: 1.x, repository: 'https://x'}]\n", "its dependencies redis are not in charts/; run: helm dependency build"},
		{"templates/web.yaml", "{{ .Values.a.b.c }}", "templates/web.yaml:1"},
		{"templates/web.yaml", "{{ required \"say where\" .Values.site }}", "say where"},
		{"templates/web.yaml", "{{ if }}", "templates/web.yaml:1"},
		{"templates/web.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: 3}\n", "templates/web.yaml:1: Pod p: json: cannot unmarshal"},
		{"values.yaml", "a: [", "cannot load values.yaml"},
		{"values.schema.json", `{"required": ["site"]}`, "missing property 'site'"},
	} {
		dir := filepath.Join(t.TempDir(), "web")
		files := webChart()
		delete(files, "crds/thing.yaml")
		files[each.file] = each.text
		lay(t, dir, files)
		_, _, err := workload.Render(t.Context(), dir, workload.Options{Version: "v1.37.2"})
		if err == nil || !strings.Contains(err.Error(), each.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s %q: %v\nwant %q and the chart's name", each.file, each.text, err, each.want)
		}
	}
}

// pack returns the archive of a chart.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: "web/" + name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{w, zip} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// TestPull gets a chart from a registry, and refuses an image that is none.
func TestPull(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	chart := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.cncf.helm.config.v1+json")
	chart, err := mutate.Append(chart, mutate.Addendum{Layer: static.NewLayer(pack(t, webChart()), "application/vnd.cncf.helm.chart.content.v1.tar+gzip")})
	if err != nil {
		t.Fatal(err)
	}
	for tag, image := range map[string]any{"web:1.4.2": chart, "image:1": empty.Image} {
		ref, err := name.ParseReference(host + "/" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Push(ref, image.(remote.Taggable)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := chart.Digest()
	if err != nil {
		t.Fatal(err)
	}
	c, objects, err := workload.Render(t.Context(), "oci://"+host+"/web:1.4.2", workload.Options{Version: "v1.37.2"})
	if err != nil || c.Digest != want.String() || len(objects) != 2 {
		t.Errorf("%+v, %d objects, %v; want the digest %v", c, len(objects), err, want)
	}
	for address, want := range map[string]string{"image:1": "this is no Helm chart", "web:9": "MANIFEST_UNKNOWN", "web": "write the version"} {
		if _, _, err := workload.Render(t.Context(), "oci://"+host+"/"+address, workload.Options{Version: "v1.37.2"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}
