package gomod

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// environment makes builds independent of the user's settings: no workspace,
// no cgo, no vendoring. GOPROXY, GOSUMDB and the caches stay the user's.
func environment() []string {
	return []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "GOWORK=off", "GOFLAGS=-mod=mod", "GOEXPERIMENT="}
}

// Compiler gives the version of the Go tool in PATH, "go1.26.8".
func Compiler(ctx context.Context) (string, error) {
	out, err := command.Run(ctx, command.Command{Args: []string{"go", "env", "GOVERSION"}, Env: []string{"GOWORK=off"}})
	if err != nil {
		return "", fmt.Errorf("ask for the Go version: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Prepare makes the module in dir that m's programs are built in. It
// downloads m and refuses it when its content isn't that of m.Sum.
func (m Module) Prepare(ctx context.Context, dir string) error {
	src, err := m.download(ctx)
	if err != nil {
		return fmt.Errorf("module %s@%s: %w", m.Path, m.Version, err)
	}
	own, err := os.ReadFile(filepath.Join(src, "go.mod"))
	if err != nil {
		return err
	}
	mod, err := m.GoMod(own)
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(src, "go.sum"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	files := map[string][]byte{"go.mod": mod, "go.sum": sum}
	if files["main.go"], err = m.main(src); err != nil {
		return fmt.Errorf("module %s@%s: %w", m.Path, m.Version, err)
	}
	for name, data := range files {
		if data == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// main gives the generated main package, nil when there is none.
func (m Module) main(src string) ([]byte, error) {
	if m.Main != "" {
		return []byte(m.Main), nil
	}
	if len(m.Without) == 0 {
		return nil, nil
	}
	upstream, err := os.ReadFile(filepath.Join(src, "main.go"))
	if err != nil {
		return nil, err
	}
	return LeaveOut(upstream, m.Without)
}

// download gives the folder of the module's source in the module cache.
func (m Module) download(ctx context.Context) (string, error) {
	out, err := command.Run(ctx, command.Command{
		Dir:  os.TempDir(), // outside any module
		Env:  environment(),
		Args: []string{"go", "mod", "download", "-json", m.Path + "@" + m.Version},
	})
	var got struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal(out, &got); jsonErr == nil && got.Error != "" {
		return "", fmt.Errorf("download: %s", got.Error)
	} else if err != nil {
		return "", err
	} else if jsonErr != nil {
		return "", fmt.Errorf("download: go answers %q: %w", out, jsonErr)
	}
	if got.Sum != m.Sum {
		return "", fmt.Errorf("download: its content is %s, the recipe says %s: the version was made anew or the proxy gives something else; compare with sum.golang.org before changing the recipe", got.Sum, m.Sum)
	}
	return got.Dir, nil
}

// Compile builds one program in dir, which Prepare has made, into the file out.
func (m Module) Compile(ctx context.Context, p Program, dir, out string) error {
	target := path.Join(m.Path, p.Package)
	if p.Package == "." {
		target = "."
	}
	if err := compile(ctx, dir, out, target, m.Ldflags, m.Tags); err != nil {
		return fmt.Errorf("build %s of %s@%s: %w", p.Name, m.Path, m.Version, err)
	}
	return nil
}

// CompileSource builds a program of the standard library only, given by its files
// (name to text), into the file out, using dir for scratch.
func CompileSource(ctx context.Context, name string, source map[string][]byte, dir, out string) error {
	files := maps.Clone(source)
	files["go.mod"] = []byte("module build.local/" + name + "\n\ngo 1.26.0\n")
	for file, data := range files {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
			return err
		}
	}
	if err := compile(ctx, dir, out, ".", nil, nil); err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	return nil
}

func compile(ctx context.Context, dir, out, target string, ldflags, tags []string) error {
	_, err := command.Run(ctx, command.Command{
		Dir: dir,
		Env: environment(),
		Args: []string{"go", "build", "-trimpath", "-buildvcs=false",
			"-ldflags", strings.Join(append([]string{"-s", "-w"}, ldflags...), " "),
			"-tags", strings.Join(tags, ","), "-o", out, target},
	})
	return err
}
