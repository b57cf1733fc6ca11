package workload_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/workload"
)

const two = `# a comment
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicaCount: 3
  template:
    spec:
      containers:
        - name: a
          image: a:1
        - {name: b,
           image: b:1}
--- # the next
apiVersion: v1
kind: List
items:
  - apiVersion: policy/v1beta1
    kind: PodDisruptionBudget
    metadata: {name: web}
  - apiVersion: example.com/v1alpha1
    kind: Thing
    metadata: {name: x}
`

func TestParse(t *testing.T) {
	all, err := workload.Parse("two.yaml", "", []byte(two))
	if err != nil || len(all) != 3 {
		t.Fatalf("%d objects, %v", len(all), err)
	}
	web, budget, thing := all[0], all[1], all[2]
	if d, ok := web.Typed.(*appsv1.Deployment); !ok || d.Spec.Template.Spec.Containers[1].Image != "b:1" {
		t.Errorf("the deployment is %T", web.Typed)
	}
	if len(web.Problems) != 1 || !strings.Contains(web.Problems[0], `unknown field "spec.replicaCount"`) {
		t.Errorf("problems: %q", web.Problems)
	}
	for path, line := range map[string]int{"": 3, ".spec.replicaCount": 8, ".spec.template.spec.containers[0]": 12, ".spec.template.spec.containers[1].image": 15} {
		if web.Lines[path] != line {
			t.Errorf("%q is on line %d, want %d", path, web.Lines[path], line)
		}
	}
	if budget.Lines[".kind"] != 21 || budget.Life.Removed != (app.Version{Major: 1, Minor: 25}) || budget.Life.Instead != "policy/v1 PodDisruptionBudget" {
		t.Errorf("the budget: line %d, %+v", budget.Lines[".kind"], budget.Life)
	}
	if thing.Typed != nil || thing.Kind != "Thing" || thing.Name != "x" {
		t.Errorf("the thing: %+v", thing)
	}
}

// TestParseRefuses checks that what can't be read is told with its place.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"a: [":                   "bad.yaml: the document at line 1: ",
		"- 1":                    "bad.yaml:1: this is no object of Kubernetes",
		"x: 1\n---\nkind: Pod\n": "bad.yaml:3: this is no object of Kubernetes: it has no apiVersion or no kind",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: {a: b}}": "bad.yaml:1: Pod p: json: cannot unmarshal",
		"apiVersion: v1\nkind: List\nitems: [3]":                                     "bad.yaml:3: .items[0]: this is no object",
	} {
		if _, err := workload.Parse("bad.yaml", "", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v\nwant %q", text, err, want)
		}
	}
	if all, err := workload.Parse("doubled.yaml", "", []byte("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: NodePort, type: ClusterIP}")); err != nil || len(all[0].Problems) != 1 {
		t.Errorf("a doubled key: %+v, %v", all, err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]string{"a.yaml": two, "deep/b.json": `{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"}}`, ".hidden/c.yaml": "a: [", "README.md": "no"})
	all, err := workload.Read(dir)
	if err != nil || len(all) != 4 || all[3].File != filepath.Join(dir, "deep/b.json") {
		t.Errorf("%d objects, %v", len(all), err)
	}
	lay(t, dir, map[string]string{"x.yaml": "a: [", "y.yaml": "b"})
	if _, err := workload.Read(dir); err == nil || !strings.Contains(err.Error(), "x.yaml") || !strings.Contains(err.Error(), "y.yaml") {
		t.Errorf("both are to be named: %v", err)
	}
	for _, path := range []string{filepath.Join(dir, "deep/none"), t.TempDir()} {
		if _, err := workload.Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// lay writes files below a folder.
func lay(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzParse checks that no text breaks the reader, or the judgement of what it
// read.
func FuzzParse(f *testing.F) {
	f.Add([]byte(two))
	for _, name := range []string{"written", "running"} {
		data, err := os.ReadFile("../../conform/app/testdata/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	catalogue, err := ra2.Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := workload.Parse("f.yaml", "", data)
		if err != nil {
			return
		}
		if _, err := app.Judge(catalogue, app.Workload{Objects: objects, Live: &app.Live{}}); err != nil {
			t.Fatal(err)
		}
	})
}
