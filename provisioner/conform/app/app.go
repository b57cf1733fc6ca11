// Package app judges workloads by the 43 rows ra2.app of RA2 chapter 4. Each row
// is a pure function of one Workload: the objects that were written or that an
// API server has, what a cluster tells of them as they run, and what happened
// when they were disturbed. Who reads, asks and disturbs is package
// provisioner/verify/workload.
//
// How the rows are read where their text leaves room stands in
// docs/ra2-decisions.md.
package app

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// Workload is all that is judged.
type Workload struct {
	Objects []Object
	Version Version // of Kubernetes by which API versions are judged
	Chart   *Chart  // nil where the objects come from no chart
	Live    *Live   // nil where no cluster was asked
	Runs    []Run   // how it bore being disturbed; empty where nobody disturbed it

	// Stateless says why there is no data to lose, in the user's words; empty is
	// that nobody said so.
	Stateless string
	Time      time.Time // when the objects were read
}

// Object is one Kubernetes object of the workload.
type Object struct {
	APIVersion string // "apps/v1"
	Kind       string // "Deployment"
	Namespace  string // empty where a manifest names none
	Name       string

	File  string         // "deploy/web.yaml"; of a chart "templates/web.yaml"; empty for an object that the API server told
	Lines map[string]int // line in File, or in the rendered template, by path: ".spec.replicas"
	Show  string         // the command that shows the text of a rendered template: "helm template ..."; empty for a file

	Tree     conform.Object // as JSON has it
	Typed    runtime.Object `json:"-"` // nil for a kind that this program has no type of
	Problems []string       // what strict reading by that type found: unknown and doubled fields, wrong types
	Life     Life           // of the API version
}

// Life is when Kubernetes brings a version of an API, and when it takes it away.
// The zero value knows nothing.
type Life struct {
	Introduced, Deprecated, Removed Version // the zero version is never
	Instead                         string  // "policy/v1 PodDisruptionBudget"; empty is none
}

// Version is a minor version of Kubernetes, of 1.x.
type Version struct{ Major, Minor int }

// String returns "1.37".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// reached reports whether this version is known and other is it, or later.
func (v Version) reached(other Version) bool {
	return v != Version{} && (other.Major > v.Major || other.Major == v.Major && other.Minor >= v.Minor)
}

// Chart is the Helm chart that the objects were rendered from.
type Chart struct {
	Name, Version string
	Ref           string    // as it was given: a path, or "oci://registry/path:1.2.3"
	Digest        string    // "sha256:…" of what a registry gave; empty for a local copy
	Lint          []Message // of helm lint
	Release       string    // of a live namespace: "web, revision 3"; the chart itself isn't at hand
}

// Message is one finding of helm lint.
type Message struct {
	Severity string // "error", "warning", "info"
	Path     string // "templates/web.yaml"
	Text     string
}

// Live is what a cluster tells of the workload beyond its objects.
type Live struct {
	Images map[string]Image // by each name that a node has for the image
	Logs   map[string]Log   // by LogKey: one pod of a controller speaks for all
	// Unready holds, by the UID of a pod, when its readiness probe failed last; a
	// pod isn't there where no event tells of it. Events are kept an hour.
	Unready  map[string]time.Time
	NoEvents bool // nobody could ask for them
	// Lacks says why no images are told; empty if they are.
	Lacks string
	Time  time.Time // when it was asked
}

// LogKey is the name of a container's log: of the pod's controller where there is
// one.
func LogKey(p *corev1.Pod, container string) string {
	by := "pod/" + p.Name
	if c := metav1.GetControllerOf(p); c != nil {
		by = strings.ToLower(c.Kind) + "/" + c.Name
	}
	return by + " " + container
}

// Image is an image as a node has it.
type Image struct {
	Bytes int64  // as the node reports it: with containerd, of the compressed layers
	Node  string // that has it
}

// Log is the beginning of what a container writes to its standard output and
// error.
type Log struct {
	Bytes int
	Err   string // why it can't be read; empty if it could
}

// row is how one requirement is judged.
type row struct {
	how   conform.How
	check func(subject) []conform.Finding
}

// subject is a workload under judgement.
type subject struct {
	Workload
	id        string // of the row
	catalogue ra2.Catalogue
	pods      []pod
}

// Judge returns one result for each row of ra2.app, in their order.
func Judge(catalogue ra2.Catalogue, w Workload) ([]conform.Result, error) {
	bound := rows()
	s := subject{Workload: w, catalogue: catalogue, pods: w.pods()}
	var all []conform.Result
	for _, entry := range catalogue.Rows {
		if !strings.HasPrefix(entry.ID, "ra2.app.") {
			continue
		}
		r, ok := bound[entry.ID]
		if !ok {
			return nil, fmt.Errorf("%s has no check: a fault of this program", entry.ID)
		}
		s.id = entry.ID
		findings := r.check(s)
		if len(findings) == 0 {
			findings = []conform.Finding{unknown("", "there is no pod, and no template of one, in what was given")}
		}
		for i, f := range findings {
			findings[i] = conform.Clean(f)
		}
		all = append(all, conform.Result{
			ID: entry.ID, Title: entry.Title, Says: entry.Paraphrase, Level: entry.Level, Profile: entry.Profile,
			Condition: entry.Condition, How: how(r.how, findings), Verdict: worst(findings), Findings: findings,
		})
	}
	return all, nil
}

// how corrects what a row rests on: on doing where somebody did, or has to, and on
// settings where they alone made it fail.
func how(of conform.How, findings []conform.Finding) conform.How {
	for _, f := range findings {
		asks := f.Verdict == conform.Unknown && strings.Contains(strings.Join(f.Missing, " "), "--disturb ")
		if asks || strings.HasPrefix(f.Subject, ran) {
			return conform.Behaviour
		}
	}
	for _, f := range findings {
		if f.Verdict == conform.Fail && len(f.Evidence) > 0 && strings.Contains(f.Evidence[0].Path, ".spec") {
			return conform.Setting
		}
	}
	return of
}

// worst returns the worst verdict of findings.
func worst(all []conform.Finding) conform.Verdict {
	for _, v := range conform.Verdicts() {
		for _, f := range all {
			if f.Verdict == v {
				return v
			}
		}
	}
	return conform.Unknown
}

// rows binds each row of ra2.app to its check.
func rows() map[string]row {
	set := func(check func(subject) []conform.Finding) row { return row{conform.Setting, check} }
	do := func(check func(subject) []conform.Finding) row { return row{conform.Behaviour, check} }
	return map[string]row{
		"ra2.app.006": set(attachments), "ra2.app.007": set(hostPaths), "ra2.app.008": do(controlPlane), "ra2.app.009": set(devices),
		"ra2.app.010": set(features), "ra2.app.011": set(published), "ra2.app.012": set(valid), "ra2.app.013": set(updates),
		"ra2.app.014": set(downgrades), "ra2.app.015": set(plugins), "ra2.app.016": set(stability), "ra2.app.017": do(drain),
		"ra2.app.018": do(latency), "ra2.app.019": do(podDelete), "ra2.app.020": do(disturbed(Memory)), "ra2.app.021": do(disturbed(IO)),
		"ra2.app.022": do(disturbed(Corruption)), "ra2.app.023": do(disturbed(Duplication)), "ra2.app.024": do(disturbed(DNS)),
		"ra2.app.025": set(localStorage), "ra2.app.026": set(liveness), "ra2.app.027": set(readiness), "ra2.app.028": set(sockets),
		"ra2.app.029": set(tokens), "ra2.app.030": set(hostNetwork), "ra2.app.031": set(hostProcesses), "ra2.app.032": set(limits),
		"ra2.app.033": set(readOnlyRoot), "ra2.app.034": set(imageTags), "ra2.app.035": set(addresses), "ra2.app.036": set(nodePorts),
		"ra2.app.037": set(immutable), "ra2.app.038": set(scaling), "ra2.app.039": set(imageSize), "ra2.app.040": do(startup),
		"ra2.app.041": set(privileged), "ra2.app.042": set(rootUser), "ra2.app.043": set(escalation), "ra2.app.044": set(userNumbers),
		"ra2.app.045": set(labels), "ra2.app.046": do(logs), "ra2.app.047": set(hostPorts), "ra2.app.048": set(seLinux),
	}
}

// NotJudged returns the objects of kinds that this program has no type of, and
// that it reads nothing of: pods that such an object stands for are not seen.
func (w Workload) NotJudged() []string {
	known := []string{netKind, "VerticalPodAutoscaler"}
	var all []string
	for _, o := range w.Objects {
		if o.Typed == nil && !slices.Contains(known, o.Kind) {
			all = append(all, o.ref()+" ("+o.APIVersion+")")
		}
	}
	return all
}

// minor matches the beginning of a version of Kubernetes: "v1.37.2", "1.37", and
// what distributions add.
var minor = regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})([.+-].*)?$`)

// ParseVersion reads a version of Kubernetes.
func ParseVersion(text string) (Version, error) {
	m := minor.FindStringSubmatch(text)
	if m == nil {
		return Version{}, fmt.Errorf("%q is no version of Kubernetes; write it like v1.37.2", text)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return Version{major, minor}, nil
}
