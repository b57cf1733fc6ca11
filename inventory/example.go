package inventory

import _ "embed"

//go:embed testdata/edge-17.yaml
var example string

// Example returns a commented inventory that Parse takes: three control planes
// and three workers in three zones.
func Example() string { return example }
