// Package guest holds the small programs of our own that go into images: one
// Go file each, of the standard library only, kept as text so that the factory
// builds them wherever it runs. They are main packages that compile and are
// tested where they lie.
package guest

import _ "embed"

//go:embed pause/main.go
var pause []byte

//go:embed probe/main.go
var probe []byte

//go:embed flannel/main.go
var flannel []byte

//go:embed disturb/main.go
var disturb []byte

//go:embed read/main.go
var read []byte

// Sources gives the programs' names and their text.
func Sources() map[string][]byte {
	return map[string][]byte{"pause": pause, "ra2-probe": probe, "ra2-disturb": disturb, "ra2-read": read, "flannel": flannel}
}
