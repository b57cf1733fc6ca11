package source

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// Files gives files of this host by the names that they have in a bundle. It
// implements bundle.Source.
type Files map[string]string

// Resolve implements bundle.Source.
func (f Files) Resolve(context.Context) ([]bundle.Item, error) {
	var items []bundle.Item
	for _, name := range slices.Sorted(maps.Keys(f)) {
		digest, err := digestFile(f[name])
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", name, err)
		}
		info, err := os.Stat(f[name])
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", name, err)
		}
		items = append(items, bundle.Item{Kind: bundle.File, Name: name, Source: "file:" + name, Digest: digest, Size: info.Size()})
	}
	return items, nil
}

// Has implements bundle.Source.
func (f Files) Has(i bundle.Item) bool {
	return i.Kind == bundle.File && i.Scheme() == "file" && f[i.Name] != ""
}

// Fetch implements bundle.Source.
func (f Files) Fetch(_ context.Context, i bundle.Item, to *bundle.Writer) error {
	file, err := os.Open(f[i.Name])
	if err != nil {
		return fmt.Errorf("%s: %w", i, err)
	}
	defer file.Close()
	_, err = to.AddFile(i, file)
	return err
}

// Local says that a lock has nothing of these.
func (Files) Local() bool { return true }
