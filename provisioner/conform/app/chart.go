package app

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// noChart is why the rows of charts aren't about manifests; that there has to be
// a chart is another row, ra2.pkg.002.
const noChart = "there is no chart: whether there should be one is judged by ra2.pkg.002"

// published judges ra2.app.011. What a registry gave under its name and version is
// published; of a copy nobody can say so.
func published(s subject) []conform.Finding {
	const want = "the chart comes from a registry"
	c := s.Chart
	switch {
	case c == nil:
		return []conform.Finding{notApplicable(noChart)}
	case c.Digest != "":
		return []conform.Finding{{Verdict: conform.Pass, Subject: c.subject(), Want: want, Got: c.Ref + " is " + c.Digest, Evidence: []conform.Evidence{{
			Command: "helm show chart " + c.Ref, Object: c.subject(), Value: c.Digest, Time: s.Time,
		}}}}
	case c.Release != "":
		f := unknown(want, "the registry that the release came from, which Helm doesn't keep; give the chart by its address: ra2-deploy verify workload oci://...")
		f.Subject, f.Got = c.subject(), "release "+c.Release
		return []conform.Finding{f}
	}
	return []conform.Finding{{
		Verdict: conform.Fail, Subject: c.subject(), Want: want, Got: c.Ref + " is a local copy",
		Do: "publish it, and give its address: ra2-deploy verify workload oci://registry/path:version",
	}}
}

func (c Chart) subject() string { return "chart/" + c.Name }

// valid judges ra2.app.012: what helm lint calls an error breaks the chart, and so
// does an object that the API server would refuse.
func valid(s subject) []conform.Finding {
	c := s.Chart
	switch {
	case c == nil:
		return []conform.Finding{notApplicable(noChart)}
	case c.Release != "":
		return []conform.Finding{{Verdict: conform.Unknown, Subject: c.subject(), Got: "release " + c.Release, Missing: []string{"the chart itself: give its folder, its archive or its address"}}}
	}
	f := conform.Finding{Verdict: conform.Pass, Subject: c.subject(), Want: "helm lint finds no error, and each object is one that its API knows"}
	var said []string
	for _, m := range c.Lint {
		if m.Severity == "error" {
			f.Verdict, f.Do = conform.Fail, "mend what helm lint says"
		}
		said = append(said, fmt.Sprintf("%s: %s: %s", m.Severity, m.Path, m.Text))
		f.Evidence = append(f.Evidence, conform.Evidence{Command: "helm lint " + c.Ref, Object: c.subject(), Path: m.Path, Value: conform.Trim(m.Severity + ": " + m.Text), Time: s.Time})
	}
	for _, o := range s.Objects {
		for _, p := range o.Problems {
			f.Verdict, f.Do = conform.Fail, "write what the API knows"
			said = append(said, o.ref()+": "+p)
			f.Evidence = append(f.Evidence, o.saw(fieldOf(p), p, s.Time))
		}
	}
	if f.Got = "helm lint has nothing to say"; len(said) > 0 {
		f.Got = strings.Join(firsts(said, 5), "; ")
	}
	return []conform.Finding{f}
}

// field finds the field that a strict reader complains of.
var field = regexp.MustCompile(`(?:unknown|duplicate) field "([^"]+)"`)

func fieldOf(problem string) string {
	if m := field.FindStringSubmatch(problem); m != nil {
		return "." + m[1]
	}
	return ""
}

func firsts(words []string, most int) []string {
	if len(words) <= most {
		return words
	}
	return append(words[:most:most], fmt.Sprintf("and %d more", len(words)-most))
}

var (
	alpha = regexp.MustCompile(`^v\d+alpha\d+$`)
	// ours are the groups of Kubernetes itself: those without a point, and those of
	// its own domain.
	ours = regexp.MustCompile(`^[a-z]*$|\.k8s\.io$`)
)

// neededAlpha are the alpha APIs that chapter 4 itself asks for: NFD's rules.
func neededAlpha() []string { return []string{"nfd.k8s-sigs.io", "nfd.kubernetes.io"} }

// stability judges ra2.app.016, and whether the cluster still has each API.
func stability(s subject) []conform.Finding {
	want := fmt.Sprintf("no alpha API of Kubernetes, and each API known to %v", s.Version)
	var all []conform.Finding
	for _, o := range s.Objects {
		group, version, ok := strings.Cut(o.APIVersion, "/")
		if !ok {
			group, version = "", o.APIVersion
		}
		n := &notes{object: o, at: s.Time}
		switch {
		case !ours.MatchString(group):
			continue
		case alpha.MatchString(version):
			n.fails(".apiVersion", o.APIVersion)
		case o.Life.Removed.reached(s.Version):
			n.fails(".apiVersion", fmt.Sprintf("%s %s, which is gone since %v%s", o.APIVersion, o.Kind, o.Life.Removed, o.Life.instead()))
		case o.Life.Introduced != Version{} && !o.Life.Introduced.reached(s.Version):
			n.fails(".apiVersion", fmt.Sprintf("%s %s, which comes with %v", o.APIVersion, o.Kind, o.Life.Introduced))
		case o.Life.Deprecated.reached(s.Version):
			n.passes(".apiVersion", fmt.Sprintf("%s %s, deprecated since %v%s", o.APIVersion, o.Kind, o.Life.Deprecated, o.Life.instead()))
		default:
			n.passes(".apiVersion", o.APIVersion)
		}
		all = append(all, n.finding(want, "use the stable version of the API"))
	}
	return orNone(all, "there are no objects of Kubernetes' own APIs")
}

func (l Life) instead() string {
	if l.Instead == "" {
		return ""
	}
	return "; use " + l.Instead
}
