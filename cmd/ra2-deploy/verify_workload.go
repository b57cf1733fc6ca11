package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
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
	cluster string   // kubeconfig; empty is kubectl's own
	rows    []string // globs of ids
	by      string   // only rows that rest on this; empty is all
	from    string   // files of workloads
	keep    string
	disturb disturbFlags
	reporting
}

func verifyWorkloadCommand() *cobra.Command {
	var f workloadFlags
	cmd := &cobra.Command{
		Use:   "workload NAMESPACE|CHART|DIR|-",
		Short: "Judge a workload by the rows ra2.app: as it is written, or as it runs",
		Long: `Judge a workload by the 43 rows ra2.app of RA2. What is judged is

  a folder or file of manifests        ra2-deploy verify workload deploy/
    (or the standard input)            kustomize build . | ra2-deploy verify workload -
  a Helm chart, rendered without one   ra2-deploy verify workload ./web -f site.yaml
    (folder, archive, or address)      ra2-deploy verify workload oci://registry.example/charts/web:1.4.2
  a namespace as it runs               ra2-deploy verify workload shop

A path that is there is a path; write namespace/shop for the namespace then.
Exit status 3: a row that binds (must, or conditional-must whose condition holds) fails,
or is unknown. What only a running workload can show is unknown of one that is written:
--by setting leaves it out.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.from != "" && len(args) > 0 {
				return usage{fmt.Errorf("--from names what is judged, and %s would be something else", args[0])}
			}
			if f.from != "" {
				return nil
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, strings.Join(args, "")) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.chart.Values, "values", "f", nil, "file of values for a chart; the last one's word counts")
	flags.StringArrayVar(&f.chart.Set, "set", nil, "value for a chart, like replicas=3")
	flags.StringVar(&f.chart.Release, "release", "", "name of the release, for a chart (the chart's own)")
	flags.StringVar(&f.chart.Version, "kube-version", "", "Kubernetes version to judge API versions by ("+kubeadm.Version+", or the cluster's)")
	flags.StringVar(&f.cluster, "cluster", "", "kubeconfig of the cluster that a namespace is in (what kubectl uses)")
	flags.StringSliceVar(&f.rows, "rows", nil, "judge only rows whose id matches, like 'ra2.app.04?'; may be repeated")
	flags.StringVar(&f.by, "by", "", "judge only rows that rest on this: setting (what is written), or behaviour (what is seen as it runs)")
	flags.StringVar(&f.keep, "keep", "", "write what was read, and how it bore being disturbed, to this file, so that it can be judged again")
	flags.StringVar(&f.from, "from", "", "judge what --keep wrote, and ask nobody")
	f.reporting.add(cmd)
	f.disturb.add(cmd)
	return cmd
}

func (f *workloadFlags) run(cmd *cobra.Command, arg string) error {
	if err := f.check(); err != nil {
		return err
	}
	what, w, client, err := f.read(cmd, arg)
	if err != nil {
		return err
	}
	var stopped error
	if f.disturb.kinds != nil {
		if client == nil {
			return usage{fmt.Errorf("--disturb: %s doesn't run; name a namespace", what)}
		}
		w.Runs, stopped = f.disturb.run(cmd, client, namespaceOf(arg))
		if stopped != nil && len(w.Runs) == 0 {
			return stopped
		}
	}
	if f.disturb.stateless != "" {
		w.Stateless = f.disturb.stateless
	}
	if f.keep != "" {
		if err := workload.Keep(f.keep, what, w); err != nil {
			return errors.Join(stopped, err)
		}
	}
	doc, err := f.judge(what, w)
	if err != nil {
		return errors.Join(stopped, err)
	}
	err = f.tellAny(cmd, told{document: doc, text: doc.Text, last: doc.Last(), digest: doc.Digest, rows: doc.Rows})
	if stopped != nil { // what was found out until then is told; that it isn't all comes last
		return stopped
	}
	return err
}

// check reads the flags, before anybody is asked anything.
func (f *workloadFlags) check() error {
	for _, glob := range f.rows {
		if _, err := path.Match(glob, ""); err != nil {
			return usage{fmt.Errorf("--rows %s: %w", glob, err)}
		}
	}
	if f.by != "" && f.by != string(conform.Setting) && f.by != string(conform.Behaviour) {
		return usage{fmt.Errorf("--by %s: write %s or %s", f.by, conform.Setting, conform.Behaviour)}
	}
	if err := f.disturb.check(); err != nil {
		return err
	}
	if f.from != "" && f.disturb.kinds != nil {
		return usage{errors.New("--from and --disturb: what was kept doesn't run any more")}
	}
	return f.reporting.check()
}

// judge judges a workload by the rows that were chosen.
func (f *workloadFlags) judge(what string, w app.Workload) (report.Workload, error) {
	catalogue, err := ra2.Load()
	if err != nil {
		return report.Workload{}, err
	}
	results, err := app.Judge(catalogue, w)
	if err != nil {
		return report.Workload{}, err
	}
	doc := report.Workload{
		Version: version(), Began: w.Time, Time: w.Ended(), Workload: what, Kubernetes: w.Version.String(), Objects: len(w.Objects),
		Disturbed: len(w.Runs), NotJudged: w.NotJudged(), Rows: []conform.Result{},
	}
	for _, r := range results {
		if f.chosen(r) {
			doc.Rows = append(doc.Rows, r)
		}
	}
	if len(doc.Rows) == 0 {
		return doc, usage{fmt.Errorf("--rows %s: there is no such row; they are ra2.app.006 to ra2.app.048", strings.Join(f.rows, ","))}
	}
	return doc, doc.Seal()
}

// chosen reports whether a row is asked for.
func (f *workloadFlags) chosen(r conform.Result) bool {
	if f.by != "" && f.by != string(r.How) {
		return false
	}
	return len(f.rows) == 0 || slices.ContainsFunc(f.rows, func(glob string) bool {
		ok, err := path.Match(glob, r.ID)
		return ok && err == nil
	})
}

// label is the name of a namespace (RFC 1123).
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// read gets the workload that an argument names, and says what it is.
func (f *workloadFlags) read(cmd *cobra.Command, arg string) (string, app.Workload, *workload.Client, error) {
	if f.from != "" {
		what, w, err := workload.Kept(f.from)
		if err != nil {
			return "", w, nil, usage{err}
		}
		return what, w, nil, nil
	}
	ctx, w := cmd.Context(), app.Workload{Time: time.Now().UTC()}
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
	case arg == workload.Stdin:
		w.Objects, err = workload.From(cmd.InOrStdin())
		return "manifests from the standard input", w, nil, err
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
