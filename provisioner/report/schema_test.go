package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/invopop/jsonschema"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

var update = flag.Bool("update", false, "write the schemas anew")

// TestSchemasAreFresh makes the schema of each document from its type and the
// comments of that type, and compares it with the one in docs.
func TestSchemasAreFresh(t *testing.T) {
	for file, document := range documents() {
		path := filepath.Join("../../docs/schema", file+".schema.json")
		want := schema(t, document)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the types say (%v); run go test ./provisioner/report -update", path, err)
		}
	}
}

func schema(t *testing.T, document any) []byte {
	t.Helper()
	r := jsonschema.Reflector{ExpandedStruct: true, Anonymous: true, Mapper: words}
	for _, folder := range []string{"report", "rules", "facts", "conform", "../images/bundle"} {
		// paths are joined: from this package up, and down again
		if err := r.AddGoComments("github.com/ra2-deploy/ra2-deploy/provisioner/report", "../"+folder); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.MarshalIndent(r.Reflect(document), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// words are the types that are one of a few words.
func words(t reflect.Type) *jsonschema.Schema {
	var all []any
	switch t {
	case reflect.TypeFor[rules.Verdict]():
		for _, v := range []rules.Verdict{rules.Pass, rules.Fail, rules.Unknown, rules.Waived, rules.Planned, rules.NotApplicable} {
			all = append(all, string(v))
		}
	case reflect.TypeFor[conform.Verdict]():
		for _, v := range conform.Verdicts() {
			all = append(all, string(v))
		}
	case reflect.TypeFor[conform.How]():
		all = []any{string(conform.Setting), string(conform.Behaviour), string(conform.Statement)}
	case reflect.TypeFor[ra2.Level]():
		for _, l := range []ra2.Level{ra2.Must, ra2.ConditionalMust, ra2.Should, ra2.May} {
			all = append(all, string(l))
		}
	case reflect.TypeFor[bundle.Kind]():
		for _, k := range []bundle.Kind{bundle.Deb, bundle.RPM, bundle.Image, bundle.File} {
			all = append(all, string(k))
		}
	default:
		return nil
	}
	return &jsonschema.Schema{Type: "string", Enum: all}
}
