// Package guest holds the small programs of our own that go into images: a folder
// each, of the standard library only, kept as text so that the factory builds them
// wherever it runs. They are main packages that compile and are tested where they
// lie.
package guest

import (
	"embed"
	"path"
	"strings"
)

//go:embed pause/*.go probe/*.go flannel/*.go disturb/*.go read/*.go
var folders embed.FS

// Sources gives the programs' names and their files: name to text, without tests.
func Sources() map[string]map[string][]byte {
	all := map[string]map[string][]byte{}
	for program, folder := range map[string]string{"pause": "pause", "ra2-probe": "probe", "ra2-disturb": "disturb", "ra2-read": "read", "flannel": "flannel"} {
		all[program] = files(folder)
	}
	return all
}

// files reads what this program was built with: it is there.
func files(folder string) map[string][]byte {
	all := map[string][]byte{}
	entries, err := folders.ReadDir(folder)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.go") || err != nil {
			continue
		}
		all[e.Name()], err = folders.ReadFile(path.Join(folder, e.Name()))
	}
	if err != nil {
		panic("guest: " + err.Error()) // no input gives this
	}
	return all
}
