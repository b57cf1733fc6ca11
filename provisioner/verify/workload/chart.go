package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/strvals"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// Options say how a chart is rendered.
type Options struct {
	Release   string   // name of the release; empty is the chart's own
	Namespace string   // empty is "default"
	Values    []string // files, the last one's word counts
	Set       []string // "key=value", after the files
	Version   string   // of Kubernetes: "v1.37.2"
}

// IsChart reports whether a path is a chart: a folder with a Chart.yaml, or an
// archive.
func IsChart(path string) bool {
	if strings.HasSuffix(path, ".tgz") || strings.HasSuffix(path, ".tar.gz") {
		return true
	}
	_, err := os.Stat(filepath.Join(path, "Chart.yaml"))
	return err == nil
}

// Render renders a chart without asking a cluster, and lints it. path is a folder,
// an archive, or an address in a registry ("oci://registry.example/web:1.2.3"). A
// chart that can't be rendered is an error: of it nothing could be judged.
func Render(ctx context.Context, path string, o Options) (app.Chart, []app.Object, error) {
	dir, digest, done, err := fetch(ctx, path)
	if err != nil {
		return app.Chart{}, nil, fmt.Errorf("read the chart %s: %w", path, err)
	}
	defer done()
	c, objects, err := render(path, dir, o)
	c.Digest = digest
	return c, objects, err
}

// fetch returns the folder of a chart, and its digest where a registry gave it.
// done removes what was laid down for it.
func fetch(ctx context.Context, path string) (dir, digest string, done func(), err error) {
	done = func() {}
	var data []byte
	if address, ok := strings.CutPrefix(path, "oci://"); ok {
		data, digest, err = pull(ctx, address)
	} else {
		var info os.FileInfo
		if info, err = os.Stat(path); err != nil || info.IsDir() {
			return path, "", done, err
		}
		data, err = read(path)
	}
	if err != nil {
		return "", "", done, err
	}
	over, err := expand(data)
	if err != nil {
		return "", "", done, err
	}
	done = func() { os.RemoveAll(over) }
	if dir, err = root(over); err != nil {
		done()
	}
	return dir, digest, done, err
}

// expand lays the files of an archive into a new folder.
func expand(data []byte) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "ra2-chart-"); err != nil {
		return "", err
	}
	if err := chartutil.Expand(dir, bytes.NewReader(data)); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// root returns the one folder that an archive held.
func root(dir string) (string, error) {
	inside, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(inside) != 1 {
		return "", fmt.Errorf("the archive holds %d folders, and a chart is one", len(inside))
	}
	return filepath.Join(dir, inside[0].Name()), nil
}

// render renders the chart in a folder; ref is how the user calls it.
func render(ref, dir string, o Options) (app.Chart, []app.Object, error) {
	failed := func(err error) (app.Chart, []app.Object, error) {
		return app.Chart{}, nil, fmt.Errorf("render the chart %s: %w", ref, err)
	}
	c, err := loader.Load(dir)
	if err != nil {
		return failed(err)
	}
	version, err := common.ParseKubeVersion(o.Version)
	if err != nil {
		return failed(fmt.Errorf("the version of Kubernetes %q: %w", o.Version, err))
	}
	if err := installable(c, version); err != nil {
		return failed(err)
	}
	given, err := o.values()
	if err != nil {
		return failed(err)
	}
	if o.Release == "" {
		o.Release = c.Name()
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	heard := listen()
	texts, err := templates(c, given, version, o)
	said := heard()
	if err != nil {
		return failed(err)
	}
	objects, err := parseTexts(c, ref, texts, o)
	if err != nil {
		return failed(err)
	}
	if len(objects) == 0 {
		return failed(errors.New("with these values it makes no object"))
	}
	return app.Chart{Name: c.Name(), Version: c.Metadata.Version, Ref: ref, Lint: append(messages(dir, given, version, o), said...)}, objects, nil
}

// installable reports why a chart can't be installed as it is.
func installable(c *chart.Chart, version *common.KubeVersion) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.Metadata.Type == "library" {
		return errors.New("it is a library, which other charts use; nothing of it runs")
	}
	if c.Metadata.KubeVersion != "" && !chartutil.IsCompatibleRange(c.Metadata.KubeVersion, version.String()) {
		return fmt.Errorf("it is for Kubernetes %s, and this is %v; choose another with --kube-version", c.Metadata.KubeVersion, version)
	}
	var missing []string
	for _, want := range c.Metadata.Dependencies {
		if !slices.ContainsFunc(c.Dependencies(), func(d *chart.Chart) bool { return d.Name() == want.Name }) {
			missing = append(missing, want.Name)
		}
	}
	if missing != nil {
		return fmt.Errorf("its dependencies %s are not in charts/; run: helm dependency build", strings.Join(missing, ", "))
	}
	return nil
}

// values returns what the user gives: files first, then single ones.
func (o Options) values() (map[string]any, error) {
	all := map[string]any{}
	for _, file := range o.Values {
		data, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("read the values: %w", err)
		}
		values, err := common.ReadValues(data)
		if err != nil {
			return nil, fmt.Errorf("read the values of %s: %w", file, err)
		}
		all = loader.MergeMaps(all, values)
	}
	for _, s := range o.Set {
		if err := strvals.ParseInto(s, all); err != nil {
			return nil, fmt.Errorf("read the value --set %s: %w", conform.Redact(s), err)
		}
	}
	return all, nil
}

// templates renders all templates, by their path in the chart.
func templates(c *chart.Chart, given map[string]any, version *common.KubeVersion, o Options) (map[string]string, error) {
	if err := chartutil.ProcessDependencies(c, given); err != nil {
		return nil, err
	}
	caps := common.DefaultCapabilities.Copy()
	caps.KubeVersion = *version
	all, err := util.ToRenderValues(c, given, common.ReleaseOptions{Name: o.Release, Namespace: o.Namespace, Revision: 1, IsInstall: true}, caps)
	if err != nil {
		return nil, err
	}
	texts, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	for _, crd := range c.CRDObjects() {
		texts[crd.Filename] = string(crd.File.Data)
	}
	return texts, nil
}

// testHook marks what `helm test` runs and no installation does.
const testHook = "test"

// parseTexts reads the objects of rendered templates, in the order of their names.
func parseTexts(c *chart.Chart, ref string, texts map[string]string, o Options) ([]app.Object, error) {
	var all []app.Object
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if base := filepath.Base(name); strings.HasPrefix(base, "_") || strings.HasSuffix(base, "NOTES.txt") {
			continue
		}
		file := strings.TrimPrefix(name, c.Name()+"/")
		list, err := Parse(file, fmt.Sprintf("helm template %s %s -s %s", o.Release, ref, file), []byte(texts[name]))
		if err != nil {
			return nil, err
		}
		for _, each := range list {
			hooks := strings.Split(each.Tree.Text("metadata", "annotations", "helm.sh/hook"), ",")
			if !slices.Contains(hooks, testHook) {
				all = append(all, each)
			}
		}
	}
	return all, nil
}

// messages returns what helm lint says of the chart in a folder.
func messages(dir string, given map[string]any, version *common.KubeVersion, o Options) []app.Message {
	defer listen()() // it renders again, and says the same
	var all []app.Message
	for _, m := range lint.RunAll(dir, given, o.Namespace, lint.WithKubeVersion(version)).Messages {
		severity := map[int]string{support.ErrorSev: "error", support.WarningSev: "warning"}[m.Severity]
		if severity == "" {
			severity = "info"
		}
		all = append(all, app.Message{Severity: severity, Path: m.Path, Text: m.Err.Error()})
	}
	return all
}
