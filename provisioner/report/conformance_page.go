package report

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

//go:embed page
var pageFiles embed.FS

// page is what page/page.html shows.
type page struct {
	Policy  string // Content-Security-Policy
	Style   template.CSS
	Script  template.JS
	Release string
	Cluster string
	Version string
	Digest  string

	State   string // "conformant", "against"; a class of the style
	Verdict string
	Lead    string
	Facts   []pageFact

	Verdicts []conform.Verdict
	Levels   []ra2.Level
	Chips    []pageNumber
	Counts   [][]pageCount // by section, by level, all
	Against  []pageRow     // rows that fail, those that bind first
	Missing  []pageMissing
	Sections []pageSection
}

type pageFact struct {
	Name, Value string
	Code        bool
}

// pageCount is a line of the table of counts.
type pageCount struct {
	Title, ID string
	Total     bool
	Rows      int
	Numbers   []pageNumber
	Bars      []pageBar
}

type pageNumber struct {
	Class conform.Verdict
	N     int
}

// pageBar is a verdict's share, in percent of the bar.
type pageBar struct {
	Class    conform.Verdict
	X, Width string
}

type pageMissing struct {
	What string
	Rows []string // ids
}

type pageSection struct {
	ID, Title string
	Rows      []pageRow
}

type pageRow struct {
	conform.Result
	Class    conform.Verdict
	Binds    bool
	Because  string // empty of one that passes
	Do       string // of the first finding
	Findings []pageFinding
}

// pageFinding is findings that are alike.
type pageFinding struct {
	conform.Finding
	Class    conform.Verdict
	Odd      bool        // its verdict isn't the row's
	Of       pageNames   // what they are of
	Gots     []pageEvery // what was found, where that differs
	Evidence []pageEvidence
}

// pageNames is some names, and all of them where those are many.
type pageNames struct{ Few, All string }

// pageEvery is a text, and what it is told of.
type pageEvery struct {
	Text string
	Of   pageNames
}

type pageEvidence struct {
	conform.Evidence
	Stamp, Seen string      // when, for programs and for people; empty when it isn't known
	Others      []pageEvery // what the same command shows elsewhere
}

// WritePage writes a report as one page of HTML that needs nothing else: no
// network, no other file. Its Content-Security-Policy lets nothing run but the
// script in it, and without that the page shows all it has. The same report
// gives the same bytes.
func (c Conformance) WritePage(w io.Writer) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	return p.write(w)
}

// page returns what the page of a report shows.
func (c Conformance) page() (page, error) {
	style, err1 := pageFiles.ReadFile("page/page.css")
	script, err2 := pageFiles.ReadFile("page/page.js")
	if err := cmp.Or(err1, err2); err != nil {
		return page{}, err
	}
	p := page{
		Policy:  fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'", hashSource(style), hashSource(script)),
		Style:   template.CSS(style), //nolint:gosec // ours, and no word of the report is in it
		Script:  template.JS(script), //nolint:gosec // as above
		Release: c.Catalogue.Release, Cluster: c.Cluster, Version: c.Version, Digest: c.Digest,
		Facts: pageFacts(c), Verdicts: conform.Verdicts(), Levels: levels(), Counts: pageCounts(c.Rows), Missing: pageMissings(c.Rows),
	}
	p.State, p.Verdict, p.Lead = pageVerdict(c)
	for _, v := range conform.Verdicts() {
		p.Chips = append(p.Chips, pageNumber{v, c.Summary.Verdicts[v]})
	}
	for _, r := range having(c.Rows, conform.Fail) {
		p.Against = append(p.Against, newPageRow(r))
	}
	for _, s := range sections(c.Rows) {
		out := pageSection{ID: s.id, Title: s.title}
		for _, r := range s.rows {
			out.Rows = append(out.Rows, newPageRow(r))
		}
		p.Sections = append(p.Sections, out)
	}
	return p, nil
}

// write writes a page.
func (p page) write(w io.Writer) error {
	t, err := template.ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return err
	}
	return t.Execute(w, p)
}

// hashSource names a text by its digest (Content Security Policy Level 3,
// 2.3.1), so that no other text is taken in its place.
func hashSource(text []byte) string {
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// pageVerdict returns the state, the heading and the sentence below it.
func pageVerdict(c Conformance) (state, verdict, lead string) {
	failed, unknown, binding := 0, 0, 0
	for _, r := range c.Rows {
		if conform.Binds(r.Level) && r.Verdict != conform.NotApplicable {
			binding++
		}
		switch {
		case !r.Stands():
		case r.Verdict == conform.Fail:
			failed++
		default:
			unknown++
		}
	}
	state, verdict = "conformant", "Conformant"
	applying := fmt.Sprintf("Of %s that %s judged, %d bind and apply here: ", Count(len(c.Rows), "row"), were(len(c.Rows)), binding)
	lead = applying + "each of them is met"
	if n := c.Summary.Verdicts[conform.Waived]; n > 0 {
		lead += ", or waived by the inventory"
	}
	if failed+unknown > 0 {
		state, verdict = "against", "Not conformant"
		lead = applying + fmt.Sprintf("%d fail, and of %d nobody could tell whether they are met", failed, unknown)
	}
	if n := len(c.Rows); n < c.Catalogue.Entries {
		verdict += fmt.Sprintf(", by %d of %d rows", n, c.Catalogue.Entries)
	}
	return state, verdict, lead + "."
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func pageFacts(c Conformance) []pageFact {
	const day = "2 January 2006, 15:04"
	when := c.Ended.UTC().Format(day) + " UTC"
	how := Count(c.Requests, "request") + " in " + c.Ended.Sub(c.Began).Round(time.Second).String()
	if c.Requests == 0 {
		how = "judged from a snapshot that was kept"
	}
	return []pageFact{
		{"Cluster", c.Cluster, true},
		{"Kubernetes", cmp.Or(c.Kubernetes, "unknown"), false},
		{"Requirements", fmt.Sprintf("%s, release %s (%.7s), for Kubernetes %s or newer", c.Catalogue.Document, c.Catalogue.Release, c.Catalogue.Commit, c.Catalogue.Kubernetes), false},
		{"Asked", when, false},
		{"How", how, false},
		{"Judged with", "ra2-deploy " + c.Version, false},
	}
}

// pageCounts counts rows by section, by level, and all of them.
func pageCounts(rows []conform.Result) [][]pageCount {
	var bySection, byLevel []pageCount
	for _, s := range sections(rows) {
		bySection = append(bySection, newPageCount(s.title, "ra2."+s.id, s.rows))
	}
	for _, l := range levels() {
		some := slices.DeleteFunc(slices.Clone(rows), func(r conform.Result) bool { return r.Level != l })
		if len(some) > 0 {
			byLevel = append(byLevel, newPageCount(string(l), "", some))
		}
	}
	total := newPageCount("All", "", rows)
	total.Total = true
	return [][]pageCount{bySection, byLevel, {total}}
}

func newPageCount(title, id string, rows []conform.Result) pageCount {
	c := pageCount{Title: title, ID: id, Rows: len(rows)}
	at := 0.0
	for _, v := range conform.Verdicts() {
		n := 0
		for _, r := range rows {
			if r.Verdict == v {
				n++
			}
		}
		c.Numbers = append(c.Numbers, pageNumber{v, n})
		if n > 0 {
			width := 100 * float64(n) / float64(len(rows))
			c.Bars = append(c.Bars, pageBar{v, strconv.FormatFloat(at, 'f', 2, 64), strconv.FormatFloat(width, 'f', 2, 64)})
			at += width
		}
	}
	return c
}

// pageMissings names unknown rows by what is missing first, what decides most
// of them first.
func pageMissings(rows []conform.Result) []pageMissing {
	var all []pageMissing
	for _, r := range rows {
		if r.Verdict != conform.Unknown {
			continue
		}
		what := missing(r)[0]
		i := slices.IndexFunc(all, func(m pageMissing) bool { return m.What == what })
		if i < 0 {
			i, all = len(all), append(all, pageMissing{What: what})
		}
		all[i].Rows = append(all[i].Rows, r.ID)
	}
	slices.SortStableFunc(all, func(a, b pageMissing) int { return cmp.Compare(len(b.Rows), len(a.Rows)) })
	return all
}

func newPageRow(r conform.Result) pageRow {
	out := pageRow{Result: r, Class: r.Verdict, Binds: conform.Binds(r.Level)}
	if r.Verdict != conform.Pass {
		out.Because = because(r)
	}
	for i, s := range bySimilarity(r.Findings) {
		if i == 0 {
			out.Do = s.Do
		}
		found := pageFinding{Finding: s.Finding, Class: s.Verdict, Odd: s.Verdict != r.Verdict, Of: newPageNames(s.Subjects)}
		if len(s.Gots) > 1 {
			found.Gots = newPageEvery(s.Gots)
		}
		for _, e := range s.Seen {
			seen := pageEvidence{Evidence: e.Evidence, Others: newPageEvery(e.Others)}
			if !e.Time.IsZero() {
				seen.Stamp, seen.Seen = e.Time.UTC().Format(time.RFC3339), e.Time.UTC().Format("2006-01-02 15:04:05 UTC")
			}
			found.Evidence = append(found.Evidence, seen)
		}
		out.Findings = append(out.Findings, found)
	}
	return out
}

func newPageNames(subjects []string) pageNames {
	const few = 6
	if len(subjects) <= few {
		return pageNames{Few: things(subjects, few)}
	}
	return pageNames{Few: subjects[0] + " and " + strconv.Itoa(len(subjects)-1) + " more", All: named(subjects)}
}

func newPageEvery(all []variant) []pageEvery {
	var out []pageEvery
	for i, v := range all {
		if i == maxTold {
			return append(out, pageEvery{Text: fmt.Sprintf("… (%d in all)", len(all))})
		}
		out = append(out, pageEvery{v.Text, newPageNames(v.Subjects)})
	}
	return out
}
