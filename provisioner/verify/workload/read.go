package workload

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// maxFile bounds a file of manifests: the API server takes objects of 3 MB at most.
const maxFile = 32 << 20

// Stdin is the path of manifests that come from the standard input.
const Stdin = "-"

// From reads manifests from a stream, as Read does from a file; the stream is called
// Stdin.
func From(in io.Reader) ([]app.Object, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("more than %d MB", maxFile>>20)
	}
	var all []app.Object
	if err == nil {
		all, err = Parse(Stdin, "", data)
	}
	if err == nil && len(all) == 0 {
		err = errors.New("there is no object of Kubernetes in it")
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifests from the standard input: %w", err)
	}
	return all, nil
}

// Read reads manifests: a file, or all .yaml, .yml and .json files of a folder and
// of those below it.
func Read(path string) ([]app.Object, error) {
	files, err := manifests(path)
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	var all []app.Object
	var errs []error
	for _, file := range files {
		data, err := read(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list, err := Parse(file, "", data)
		all, errs = append(all, list...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read the manifests: %s holds no object of Kubernetes", path)
	}
	return all, nil
}

func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s: not a file of %d MB or less", file, maxFile>>20)
	}
	return os.ReadFile(file)
}

// manifests returns the files that a path stands for, sorted.
func manifests(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != path && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if !d.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
			files = append(files, name)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s holds no .yaml, .yml or .json file", path)
	}
	return files, err
}
