package inventory

import (
	"encoding/json"

	"github.com/invopop/jsonschema"

	"github.com/ra2-deploy/ra2-deploy/inventory/v1alpha1"
)

// Schema returns the JSON Schema (2020-12) of an inventory file, for editors.
// It knows shapes; what needs two places of the file to judge, only Parse knows.
func Schema() []byte {
	r := jsonschema.Reflector{ExpandedStruct: true, Anonymous: true}
	s := r.Reflect(&v1alpha1.File{})
	s.Title = "ra2-deploy inventory, " + v1alpha1.APIVersion
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil // a schema of plain structs always marshals
	}
	return append(data, '\n')
}
