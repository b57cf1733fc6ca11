package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// The elements of JUnit's XML as Jenkins, GitLab and junitparser read them
// (jenkinsci/xunit-plugin, junit-10.xsd).
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		junitCounts
		Time   string       `xml:"time,attr"` // seconds
		Suites []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		junitCounts
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"` // ISO 8601, UTC, without a zone
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitCounts struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"` // "ra2.k8s"
		Name    string        `xml:"name,attr"`      // "ra2.k8s.002 Highly available etcd"
		Skipped *junitOutcome `xml:"skipped"`
		Error   *junitOutcome `xml:"error"`
		Failure *junitOutcome `xml:"failure"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitOutcome struct {
		Type    string `xml:"type,attr"` // verdict and level: "fail/must"
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes a report as JUnit's XML: a suite for each section, a case
// for each row. What fails is a failure, what is unknown an error; what is
// waived or not applicable is skipped, with the reason. The level changes
// nothing in that: it stands in the outcome's type. The same report gives the
// same bytes.
func (c Conformance) WriteJUnit(w io.Writer) error { return c.writeJUnit(w, "cluster") }

// writeJUnit writes JUnit's XML; of is what the property is called that names what
// was judged.
func (c Conformance) writeJUnit(w io.Writer, of string) error {
	took := strconv.FormatFloat(c.Ended.Sub(c.Began).Seconds(), 'f', 3, 64)
	all := junitSuites{junitCounts: junitCounts{Name: "RA2 " + c.Catalogue.Release + ": " + c.Cluster}, Time: took}
	all.count(c.Rows)
	for _, s := range sections(c.Rows) {
		suite := junitSuite{
			junitCounts: junitCounts{Name: "ra2." + s.id}, Time: "0", // nobody knows how much of the time a section took
			Timestamp: c.Ended.UTC().Format("2006-01-02T15:04:05"),
			Properties: []junitProperty{
				{"section", s.title}, {of, c.Cluster}, {"kubernetes", c.Kubernetes}, {"ra2", c.Catalogue.Release + " " + c.Catalogue.Commit}, {"release", string(c.Catalogue.ID)},
				{"ra2-deploy", c.Version}, {"began", c.Began.UTC().Format(time.RFC3339)}, {"digest", c.Digest},
			},
		}
		suite.Skipped = suite.count(s.rows)
		for _, r := range s.rows {
			suite.Cases = append(suite.Cases, junitRow(r))
		}
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// count counts rows by their outcomes, and returns how many are skipped.
func (n *junitCounts) count(rows []conform.Result) (skipped int) {
	n.Tests = len(rows)
	for _, r := range rows {
		switch r.Verdict {
		case conform.Pass:
		case conform.Fail:
			n.Failures++
		case conform.Waived, conform.NotApplicable:
			skipped++
		default:
			n.Errors++
		}
	}
	return skipped
}

func junitRow(r conform.Result) junitCase {
	var text strings.Builder
	fmt.Fprintf(&text, "%s (%s, by %s): %s\n", r.ID, r.Level, r.How, r.Says)
	for _, g := range bySimilarity(r.Findings) {
		text.WriteString(whole(g, r.Verdict))
	}
	c := junitCase{Class: "ra2." + sectionOf(r.ID), Name: r.ID + " " + r.Title}
	outcome := &junitOutcome{Type: string(r.Verdict) + "/" + string(r.Level), Message: because(r), Text: text.String()}
	switch r.Verdict {
	case conform.Pass:
		c.Out = text.String()
	case conform.Fail:
		c.Failure = outcome
	case conform.Waived, conform.NotApplicable:
		c.Skipped = outcome
	default: // also a verdict that a newer report may have: it is no pass
		c.Error = outcome
	}
	return c
}

// because returns in one line what a row's verdict rests on: of a waived one
// the waiver, of an unknown one what is missing.
func because(r conform.Result) string {
	if r.Verdict == conform.Waived {
		return "waived " + waiver(r)
	}
	same := slices.DeleteFunc(bySimilarity(r.Findings), func(s similar) bool { return s.Verdict != r.Verdict })
	if len(same) == 0 {
		return string(r.Verdict)
	}
	f, text := same[0], ""
	switch {
	case len(f.Missing) > 0:
		text = "missing: " + strings.Join(f.Missing, "; ")
	case f.Verdict == conform.Fail:
		text = fmt.Sprintf("want %s; %s", f.Want, got(f.Finding))
	default:
		text = cmp.Or(strings.TrimSpace(f.Subject+" "+f.Got), string(r.Verdict))
	}
	if n := len(f.Subjects) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	return text
}
