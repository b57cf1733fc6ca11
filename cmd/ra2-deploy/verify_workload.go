package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/workload"
)

// workloadFlags are the flags of verify workload.
type workloadFlags struct {
	chart   workload.Options
	cluster string // kubeconfig; empty is kubectl's own
	rows    string
	all     bool
	output  *format
	disturb disturbFlags
}

func verifyWorkloadCommand() *cobra.Command {
	var f workloadFlags
	cmd := &cobra.Command{
		Use:   "workload NAMESPACE|CHART|DIR",
		Short: "Judge a workload by the rows ra2.app: as it is written, or as it runs",
		Long: `Judge a workload by the 43 rows ra2.app of RA2. What is judged is

  a folder or file of manifests        ra2-deploy verify workload deploy/
  a Helm chart, rendered without one   ra2-deploy verify workload ./web -f site.yaml
    (folder, archive, or address)      ra2-deploy verify workload oci://registry.example/charts/web:1.4.2
  a namespace as it runs               ra2-deploy verify workload shop

A path that is there is a path; write namespace/shop for the namespace then.
Exit status 3 says that a row that binds fails.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.chart.Values, "values", "f", nil, "file of values for a chart; the last one's word counts")
	flags.StringArrayVar(&f.chart.Set, "set", nil, "value for a chart, like replicas=3")
	flags.StringVar(&f.chart.Release, "release", "", "name of the release, for a chart (the chart's own)")
	flags.StringVar(&f.chart.Version, "kube-version", "", "Kubernetes version to judge API versions by ("+kubeadm.Version+", or the cluster's)")
	flags.StringVar(&f.cluster, "cluster", "", "kubeconfig of the cluster that a namespace is in (what kubectl uses)")
	flags.StringVar(&f.rows, "rows", "ra2.app.*", "only these rows, like ra2.app.04?")
	flags.BoolVar(&f.all, "all", false, "tell of every row and finding, also those that pass")
	f.output = addFormat(cmd)
	f.disturb.add(cmd)
	return cmd
}

func (f *workloadFlags) run(cmd *cobra.Command, arg string) error {
	if _, err := path.Match(f.rows, ""); err != nil {
		return usage{fmt.Errorf("--rows %s: %w", f.rows, err)}
	}
	if err := f.disturb.check(); err != nil {
		return err
	}
	what, w, client, err := f.read(cmd.Context(), arg)
	if err != nil {
		return err
	}
	if f.disturb.kinds != nil {
		if client == nil {
			return usage{fmt.Errorf("--disturb: %s doesn't run; name a namespace", what)}
		}
		if w.Runs, err = f.disturb.run(cmd, client, namespaceOf(arg)); err != nil {
			return err
		}
	}
	w.Stateless = f.disturb.stateless
	catalogue, err := ra2.Load()
	if err != nil {
		return err
	}
	results, err := app.Judge(catalogue, w)
	if err != nil {
		return err
	}
	doc := report.Workload{
		Version: version(), Time: time.Now().UTC(), Workload: what, Kubernetes: w.Version.String(), Objects: len(w.Objects),
		NotJudged: w.NotJudged(), Rows: []conform.Result{},
	}
	for _, r := range results {
		if ok, _ := path.Match(f.rows, r.ID); ok {
			doc.Rows = append(doc.Rows, r)
		}
	}
	if len(doc.Rows) == 0 {
		return usage{fmt.Errorf("--rows %s: there is no such row; they are ra2.app.006 to ra2.app.048", f.rows)}
	}
	doc.Sum()
	return f.tell(cmd, doc)
}

// tell prints the document, and returns an error when it stands against the
// workload.
func (f *workloadFlags) tell(cmd *cobra.Command, doc report.Workload) error {
	if *f.output == asJSON {
		if err := printJSON(cmd, doc); err != nil {
			return err
		}
	} else if _, err := fmt.Fprint(cmd.OutOrStdout(), doc.Text(f.all)); err != nil {
		return err
	}
	if doc.Against == 0 {
		return nil
	}
	n := nonconformant{failed: doc.Against}
	for _, r := range doc.Rows {
		if r.Stands() && r.Verdict == conform.Unknown {
			n.unknown++
		}
	}
	return n
}

// label is the name of a namespace (RFC 1123).
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// read gets the workload that an argument names, and says what it is.
func (f *workloadFlags) read(ctx context.Context, arg string) (string, app.Workload, *workload.Client, error) {
	w := app.Workload{Time: time.Now().UTC()}
	version := f.chart.Version
	if version == "" {
		version = kubeadm.Version
	}
	var err error
	if w.Version, err = app.ParseVersion(version); err != nil {
		return "", w, nil, usage{fmt.Errorf("--kube-version: %w", err)}
	}
	_, missing := os.Stat(arg)
	options := f.chart
	options.Version = version
	switch {
	case missing == nil && !workload.IsChart(arg):
		w.Objects, err = workload.Read(arg)
		return "manifests " + arg, w, nil, err
	case missing == nil, strings.HasPrefix(arg, "oci://"):
		var c app.Chart
		if c, w.Objects, err = workload.Render(ctx, arg, options); err != nil {
			return "", w, nil, err
		}
		w.Chart = &c
		return fmt.Sprintf("chart %s %s (%s)", c.Name, c.Version, arg), w, nil, nil
	}
	if name := namespaceOf(arg); label.MatchString(name) {
		return f.live(ctx, name)
	}
	return "", w, nil, usage{fmt.Errorf("%s is no folder or file that is there, no address like oci://registry/chart:version, and no name of a namespace: %w", arg, missing)}
}

func namespaceOf(arg string) string { return strings.TrimPrefix(arg, "namespace/") }

// live gets a namespace as it runs.
func (f *workloadFlags) live(ctx context.Context, name string) (string, app.Workload, *workload.Client, error) {
	what := "namespace " + name
	config, err := verify.Config(f.cluster)
	if err != nil {
		return what, app.Workload{}, nil, err
	}
	client, err := workload.New(config)
	if err != nil {
		return what, app.Workload{}, nil, err
	}
	version := f.chart.Version
	if version == "" {
		if version, err = client.Version(ctx); err != nil {
			return what, app.Workload{}, nil, err
		}
	}
	w, err := client.Live(ctx, name)
	if err != nil {
		return what, w, nil, err
	}
	if w.Version, err = app.ParseVersion(version); err != nil {
		return what, w, nil, usage{fmt.Errorf("--kube-version: %w", err)}
	}
	return what + " (" + w.State() + ")", w, client, nil
}
