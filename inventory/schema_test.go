package inventory_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

const schemaFile = "../docs/inventory.schema.json"

func TestSchemaIsFresh(t *testing.T) {
	if *update {
		if err := os.MkdirAll(filepath.Dir(schemaFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(schemaFile, inventory.Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, schemaFile), inventory.Schema()) {
		t.Errorf("%s is not what the types say; run go test ./inventory -update", schemaFile)
	}
}

// TestSchema shows that the schema takes the sample and refuses each file of
// a wrong shape.
func TestSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(inventory.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("inventory.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("inventory.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(path string) error {
		var value any
		if err := yaml.UnmarshalWithOptions(read(t, path), &value, yaml.AllowDuplicateMapKey()); err != nil {
			return err
		}
		data, err := json.Marshal(value)
		if err != nil {
			return err
		}
		value, err = jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return err
		}
		return schema.Validate(value)
	}
	if err := check("testdata/edge-17.yaml"); err != nil {
		t.Errorf("the sample is refused: %v", err)
	}
	files, _ := filepath.Glob("testdata/problems/*.yaml")
	for _, file := range files {
		err := check(file)
		if strings.HasPrefix(filepath.Base(file), "shape-") && err == nil {
			t.Errorf("%s is accepted", file)
		}
	}
}
