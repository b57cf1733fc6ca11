package report_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// documents are all that -o json prints, by the name of their schema.
func documents() map[string]any {
	return map[string]any{
		"findings": &report.Check{}, "facts": &report.Facts{}, "workload": &report.Workload{}, "bundle-list": &report.BundleList{}, "bundle-check": &report.BundleCheck{},
		"conformance": &report.Conformance{}, "conformance-diff": &report.ConformanceDiff{}, "image-diff": &report.ImageDiff{},
	}
}

// compiled is a schema as a reader of docs has it.
func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(filepath.Join("../../docs/schema", name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// printed is a document as a reader gets it.
func printed(t *testing.T, document any) any {
	t.Helper()
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestRealDocumentsFit holds documents of real things against their schemas.
func TestRealDocumentsFit(t *testing.T) {
	a, b := labReport(t), conformance(t, odd(t))
	w := report.Workload{Workload: "namespace shop", Rows: []conform.Result{rowOf(8, ra2.Must, conform.Fail, 2), rowOf(9, ra2.Must, conform.Unknown, 1)}}
	seal(t, &w)
	old := anImage()
	newer := anImage()
	newer.Digest, newer.Packages, newer.PartBytes = "bb", nil, map[string]int64{"ra2-root": 1}
	found := []rules.Finding{{Host: "cp-a", Requirement: "ra2.ch.008", Verdict: rules.Fail}}
	for name, all := range map[string][]any{
		"conformance": {a, b}, "conformance-diff": {report.Diff(a, b), report.Diff(a, a)}, "workload": {w},
		"image-diff": {report.DiffImages("v1", old, newer), report.DiffImages("v1", old, images.Manifest{})},
		"facts":      {report.Facts{Hosts: map[string]facts.BMC{"cp-a": server(), "silent": {}}}},
		"findings":   {report.Check{Summary: report.Sum(found), Findings: found}},
	} {
		for i, document := range all {
			if err := compiled(t, name).Validate(printed(t, document)); err != nil {
				t.Errorf("%s %d: %v", name, i, err)
			}
		}
	}
}

// TestSchemasTellEachField fills every field of a document: its schema takes it
// and names no field that isn't printed. With a field more, or a field that is
// of another kind, or without one that is required, it refuses it.
func TestSchemasTellEachField(t *testing.T) {
	for name, document := range documents() {
		s := compiled(t, name)
		fill(reflect.ValueOf(document).Elem())
		whole := printed(t, document)
		if err := s.Validate(whole); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		fields := 0
		eachField(t, name, s, whole, func(path string, object map[string]any, field string, required, anything bool) {
			fields++
			was := object[field]
			refused := func(how string, want bool) {
				if err := s.Validate(whole); (err != nil) != want {
					t.Errorf("%s %s: %v", path, how, err)
				}
			}
			object[field] = otherThan(was)
			refused("of another kind", !anything)
			delete(object, field)
			refused("gone", required)
			object[field] = was
			object[field+"X"] = was
			refused("and one more", true)
			delete(object, field+"X")
		})
		if fields < 5 {
			t.Errorf("%s: %d fields", name, fields)
		}
	}
}

// eachField calls do for each field that the schema names of a document's
// objects, and wants it there. Objects of lists and maps have one of a kind.
func eachField(t *testing.T, path string, s *jsonschema.Schema, value any, do func(path string, object map[string]any, field string, required, anything bool)) {
	t.Helper()
	for s.Ref != nil {
		s = s.Ref
	}
	switch value := value.(type) {
	case []any:
		if items, ok := s.Items2020, len(value) > 0; items != nil && ok {
			eachField(t, path+"[]", items, value[0], do)
		}
	case map[string]any:
		if each, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
			for _, v := range value {
				eachField(t, path+".*", each, v, do)
			}
			return
		}
		for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
			v, ok := value[field]
			if !ok {
				t.Errorf("%s.%s is in the schema and not in the document", path, field)
				continue
			}
			of := s.Properties[field]
			do(path+"."+field, value, field, slices.Contains(s.Required, field), of.Ref == nil && of.Types == nil) // of a BIOS attribute, whose value is any
			eachField(t, path+"."+field, of, v, do)
		}
	}
}

// otherThan is a value of another JSON type.
func otherThan(v any) any {
	if _, ok := v.(bool); ok {
		return "true"
	}
	return true
}

// fill sets every field of a document to something that isn't zero.
func fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		word := "word"
		if s := words(v.Type()); s != nil {
			word = s.Enum[0].(string)
		}
		v.SetString(word)
	case reflect.Interface:
		v.Set(reflect.ValueOf("word"))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		v.SetUint(1)
	default:
		v.SetInt(1)
	}
}

// TestSchemasAreAll wants a document for each schema in docs.
func TestSchemasAreAll(t *testing.T) {
	all, err := os.ReadDir("../../docs/schema")
	if err != nil || len(all) != len(documents()) {
		t.Errorf("%d schemas, %d documents, %v", len(all), len(documents()), err)
	}
}
