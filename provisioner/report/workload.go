package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// Workload is the document that `verify workload -o json` prints: a workload,
// judged by the rows ra2.app. Its schema is docs/schema/workload.schema.json.
type Workload struct {
	Version    string                  `json:"version"`             // of ra2-deploy
	Catalogue  Catalogue               `json:"catalogue"`           // of the requirements
	Began      time.Time               `json:"began"`               // when what was judged was read; what disturbed it came later
	Time       time.Time               `json:"time"`                // when the judgement ended
	Workload   string                  `json:"workload"`            // what was judged: "chart web 1.4.2 (./web)", "namespace shop"
	Kubernetes string                  `json:"kubernetes"`          // the version by which API versions were judged: "1.37"
	Objects    int                     `json:"objects"`             // that were read
	NotJudged  []string                `json:"notJudged,omitempty"` // objects of kinds that this program doesn't know
	Disturbed  int                     `json:"disturbed"`           // experiments that were made on it
	Verdicts   map[conform.Verdict]int `json:"verdicts"`            // verdict to the number of rows that have it
	Against    int                     `json:"against"`             // rows that bind and fail or are unknown; 0 is conformant
	Rows       []conform.Result        `json:"rows"`                // in the order of RA2; never null
	Digest     string                  `json:"digest"`              // "sha256:…" of this document without digest: compact, keys sorted
}

// Seal counts the rows, names the catalogue, and takes the digest of all that: it can
// be made again by hand, like that of a report on a cluster.
func (w *Workload) Seal() error {
	c, err := ra2.Load()
	if err != nil {
		return err
	}
	w.Catalogue = Catalogue{ID: c.Release, Document: c.Source.Document, Release: c.Source.Release, Commit: c.Source.Commit, Kubernetes: c.Source.Kubernetes}
	for _, r := range c.Rows {
		if strings.HasPrefix(r.ID, "ra2.app.") {
			w.Catalogue.Entries++
		}
	}
	counts := conformities(w.Rows)
	w.Verdicts, w.Against, w.Digest = counts.Verdicts, counts.Against, ""
	data, err := json.Marshal(w)
	if err != nil {
		return err
	}
	w.Digest, err = digestOf(data)
	return err
}

// How much of a workload is told on a screen.
const (
	maxObjects = 3  // findings of one row
	maxRows    = 12 // rows of one verdict that are told with their findings
)

// Text returns what stands against a workload, worst first, then what nobody
// could say, by what is missing, and at last a line that sums up. With all, every
// row is told with all its findings.
func (w Workload) Text(all bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, judged for Kubernetes %s\n", w.Workload, Count(w.Objects, "object"), w.Kubernetes)
	if len(w.NotJudged) > 0 {
		fmt.Fprintf(&b, "of kinds that ra2-deploy doesn't know, and not judged: %s\n", strings.Join(some(w.NotJudged, all), ", "))
	}
	for _, v := range conform.Verdicts() {
		rows := w.with(v)
		switch {
		case all || v == conform.Fail || v == conform.Waived:
			b.WriteString(verdictRows(rows, all))
		case v == conform.Unknown:
			b.WriteString(unknownRows(rows))
		}
	}
	var parts []string
	for _, v := range conform.Verdicts() {
		if n := w.Verdicts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	fmt.Fprintf(&b, "%s: %s\n", Count(len(w.Rows), "row"), strings.Join(parts, ", "))
	b.WriteString(w.Last())
	return b.String()
}

// Last returns the last line: what came of it, and the beginning of the digest.
func (w Workload) Last() string { return ConformanceVerdict(w.conformance()) }

// conformance returns the same as a report on a cluster has it, for the forms that
// the two share.
func (w Workload) conformance() Conformance {
	return Conformance{
		Version: w.Version, Catalogue: w.Catalogue, Cluster: w.Workload, Kubernetes: w.Kubernetes, Began: w.Began, Ended: w.Time,
		Summary: conformities(w.Rows), Rows: w.Rows, Digest: w.Digest,
	}
}

// WriteJUnit writes it as JUnit's XML, like a report on a cluster.
func (w Workload) WriteJUnit(to io.Writer) error { return w.conformance().writeJUnit(to, "workload") }

// WritePage writes it as one page of HTML, like a report on a cluster.
func (w Workload) WritePage(to io.Writer) error {
	p, err := w.conformance().page()
	if err != nil {
		return err
	}
	how := "read, and not disturbed"
	if w.Disturbed > 0 {
		how = fmt.Sprintf("read, and disturbed by %s until %s UTC", Count(w.Disturbed, "experiment"), w.Time.UTC().Format("15:04"))
	}
	p.Facts = []pageFact{
		{"Workload", w.Workload, true},
		{"Kubernetes", w.Kubernetes, false},
		{"Requirements", fmt.Sprintf("%s, release %s (%.7s), rows ra2.app", w.Catalogue.Document, w.Catalogue.Release, w.Catalogue.Commit), false},
		{"Read", fmt.Sprintf("%s on %s UTC", Count(w.Objects, "object"), w.Began.UTC().Format("2 January 2006, 15:04")), false},
		{"How", how, false},
		{"Judged with", "ra2-deploy " + w.Version, false},
	}
	return p.write(to)
}

// with returns the rows of one verdict, those that bind first.
func (w Workload) with(v conform.Verdict) []conform.Result {
	var rows []conform.Result
	for _, r := range w.Rows {
		if r.Verdict == v {
			rows = append(rows, r)
		}
	}
	order := map[bool]int{true: 0, false: 1}
	slices.SortStableFunc(rows, func(a, b conform.Result) int {
		return cmp.Compare(order[conform.Binds(a.Level)], order[conform.Binds(b.Level)])
	})
	return rows
}

// verdictRows tells rows with their findings.
func verdictRows(rows []conform.Result, all bool) string {
	var b strings.Builder
	for i, r := range rows {
		if i == maxRows && !all {
			fmt.Fprintf(&b, "and %s more that fail: %s; --all tells of each\n", Count(len(rows)-i, "row"), ids(rows[i:]))
			break
		}
		fmt.Fprintf(&b, "%-8s %s %s (%s, by %s)\n", r.Verdict, r.ID, r.Title, r.Level, r.How)
		b.WriteString(rowFindings(r, all))
	}
	return b.String()
}

// rowFindings tells the findings that made a row what it is.
func rowFindings(r conform.Result, all bool) string {
	var b strings.Builder
	var do string
	n := 0
	for _, f := range r.Findings {
		if f.Verdict != r.Verdict && !all {
			continue
		}
		if n++; n > maxObjects && !all {
			continue
		}
		fmt.Fprintf(&b, "         %s\n", findingLine(f))
		do = f.Do
	}
	if n > maxObjects && !all {
		fmt.Fprintf(&b, "         and %s more\n", Count(n-maxObjects, "object"))
	}
	if do != "" {
		fmt.Fprintf(&b, "         do: %s\n", do)
	}
	return b.String()
}

// findingLine returns one finding: who, what, where.
func findingLine(f conform.Finding) string {
	got := f.Got
	if len(f.Missing) > 0 {
		got = strings.Join(f.Missing, "; ")
	}
	line := strings.TrimSpace(f.Subject + "  " + strings.ReplaceAll(got, "\n", "; "))
	if len(f.Evidence) > 0 && f.Evidence[0].File != "" {
		line += fmt.Sprintf("  (%s:%d)", f.Evidence[0].File, f.Evidence[0].Line)
	}
	return line
}

// experiment is what each row of resilience misses in its own words.
var experiment = regexp.MustCompile(`--disturb \S+, or all`)

// unknownRows tells the rows that nobody could judge, together where the same is
// missing.
func unknownRows(rows []conform.Result) string {
	var why []string
	by := map[string][]conform.Result{}
	for _, r := range rows {
		first := r.Says
		for _, f := range r.Findings {
			if f.Verdict == r.Verdict && len(f.Missing) > 0 {
				first = f.Missing[0]
				break
			}
		}
		first = experiment.ReplaceAllString(first, "--disturb all")
		if by[first] == nil {
			why = append(why, first)
		}
		by[first] = append(by[first], r)
	}
	var b strings.Builder
	for _, w := range why {
		title := ""
		if len(by[w]) == 1 {
			title = " " + by[w][0].Title
		}
		fmt.Fprintf(&b, "%-8s %s%s: missing: %s\n", conform.Unknown, ids(by[w]), title, w)
	}
	return b.String()
}

// ids returns the ids of rows, those of a section in short: "ra2.app.008, 017".
func ids(rows []conform.Result) string {
	var words []string
	for i, r := range rows {
		id := r.ID
		if i > 0 {
			id = id[strings.LastIndex(id, ".")+1:]
		}
		words = append(words, id)
	}
	return strings.Join(words, ", ")
}

func some(words []string, all bool) []string {
	if all || len(words) <= maxObjects {
		return words
	}
	return append(words[:maxObjects:maxObjects], fmt.Sprintf("and %d more", len(words)-maxObjects))
}
