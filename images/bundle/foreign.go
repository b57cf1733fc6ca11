package bundle

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// foreign looks for what is in the directory and belongs to nothing.
func (v *verifier) foreign(blobs []blob) error {
	known := map[string]bool{
		".": true, "blobs": true, dirBlobs: true,
		FileList: true, FileSignature: true, fileLayout: true, fileIndex: true,
	}
	for _, b := range blobs {
		known[b.file()] = true
	}
	return filepath.WalkDir(v.bundle.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(v.bundle.dir, path)
		if err != nil {
			return err
		}
		switch {
		case v.unknown && filepath.Dir(name) == dirBlobs:
		case !known[name]:
			v.problem("", name, errors.New("nothing in the bundle needs it"))
			if d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir() && !d.Type().IsRegular():
			v.problem("", name, errors.New("it is no regular file"))
		}
		return nil
	})
}
