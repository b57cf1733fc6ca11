package workload

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// separator begins a YAML document (YAML 1.2.2, 9.1.1).
var separator = regexp.MustCompile(`^---(\s|$)`)

// Parse reads the Kubernetes objects of a file of YAML or JSON documents. show is
// the command that shows the text, for what isn't a file. What can't be read is an
// error that names file, line and object: of it nothing could be judged.
func Parse(file, show string, data []byte) ([]app.Object, error) {
	var all []app.Object
	var errs []error
	for _, doc := range documents(data) {
		list, err := parseDocument(file, show, doc)
		if err != nil {
			errs = append(errs, err)
		}
		all = append(all, list...)
	}
	return all, errors.Join(errs...)
}

// document is one document of a file.
type document struct {
	text []byte
	line int // of the file on which it begins, from 1
}

func documents(data []byte) []document {
	var all []document
	at := document{line: 1}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if separator.Match(line) {
			all = append(all, at)
			at = document{line: n + 1}
			continue
		}
		at.text = append(at.text, line...)
	}
	return append(all, at)
}

func parseDocument(file, show string, doc document) ([]app.Object, error) {
	data, err := yaml.YAMLToJSON(doc.text)
	if err != nil {
		return nil, fmt.Errorf("%s: the document at line %d: %w", file, doc.line, err)
	}
	if s := string(data); s == "null" {
		return nil, nil // comments only
	}
	var tree map[string]any
	if err := json.UnmarshalCaseSensitivePreserveInts(data, &tree); err != nil {
		return nil, fmt.Errorf("%s:%d: this is no object of Kubernetes: %w", file, doc.line, err)
	}
	where := lines(doc)
	if where[""] > 0 { // comments come before it
		doc.line = where[""]
	}
	if items, ok := tree["items"].([]any); ok && strings.HasSuffix(fmt.Sprint(tree["kind"]), "List") {
		return parseItems(file, show, doc, items, where)
	}
	o, err := object(tree)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", file, doc.line, err)
	}
	if _, err := yaml.YAMLToJSONStrict(doc.text); err != nil {
		o.Problems = append(o.Problems, err.Error())
	}
	o.File, o.Show, o.Lines = file, show, where
	return []app.Object{o}, nil
}

// parseItems reads the objects of a List.
func parseItems(file, show string, doc document, items []any, where map[string]int) ([]app.Object, error) {
	var all []app.Object
	var errs []error
	for i, item := range items {
		prefix := fmt.Sprintf(".items[%d]", i)
		tree, _ := item.(map[string]any)
		o, err := object(tree)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %s: %w", file, where[prefix], prefix, err))
			continue
		}
		o.File, o.Show, o.Lines = file, show, map[string]int{}
		for path, n := range where {
			if rest, ok := strings.CutPrefix(path, prefix); ok {
				o.Lines[rest] = n
			}
		}
		all = append(all, o)
	}
	return all, errors.Join(errs...)
}

// object makes an object of a tree, with the type of its kind where there is one.
func object(tree map[string]any) (app.Object, error) {
	c := conform.Object(tree)
	o := app.Object{
		APIVersion: c.Text("apiVersion"), Kind: c.Text("kind"), Tree: c,
		Namespace: c.Text("metadata", "namespace"), Name: c.Text("metadata", "name"),
	}
	if o.APIVersion == "" || o.Kind == "" {
		return o, errors.New("this is no object of Kubernetes: it has no apiVersion or no kind")
	}
	if o.Name == "" {
		o.Name = c.Text("metadata", "generateName")
	}
	typed, err := scheme.Scheme.New(schema.FromAPIVersionAndKind(o.APIVersion, o.Kind))
	if runtime.IsNotRegisteredError(err) {
		return o, nil // of somebody else's API, or of one that is gone
	}
	if err != nil {
		return o, fmt.Errorf("%s %s: %w", o.Kind, o.Name, err)
	}
	data, err := yaml.Marshal(tree)
	if err != nil {
		return o, fmt.Errorf("%s %s: %w", o.Kind, o.Name, err)
	}
	if data, err = yaml.YAMLToJSON(data); err != nil {
		return o, fmt.Errorf("%s %s: %w", o.Kind, o.Name, err)
	}
	strict, err := json.UnmarshalStrict(data, typed)
	if err != nil {
		return o, fmt.Errorf("%s %s: %w", o.Kind, o.Name, err)
	}
	for _, s := range strict {
		o.Problems = append(o.Problems, s.Error())
	}
	o.Typed, o.Life = typed, life(typed)
	return o, nil
}

// life asks a type when Kubernetes brings it and takes it away
// (k8s.io/api, zz_generated.prerelease-lifecycle.go).
func life(typed runtime.Object) app.Life {
	var l app.Life
	if t, ok := typed.(interface{ APILifecycleIntroduced() (int, int) }); ok {
		l.Introduced.Major, l.Introduced.Minor = t.APILifecycleIntroduced()
	}
	if t, ok := typed.(interface{ APILifecycleDeprecated() (int, int) }); ok {
		l.Deprecated.Major, l.Deprecated.Minor = t.APILifecycleDeprecated()
	}
	if t, ok := typed.(interface{ APILifecycleRemoved() (int, int) }); ok {
		l.Removed.Major, l.Removed.Minor = t.APILifecycleRemoved()
	}
	if t, ok := typed.(interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}); ok {
		gvk := t.APILifecycleReplacement()
		l.Instead = gvk.GroupVersion().String() + " " + gvk.Kind
	}
	return l
}
