package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

func levels() []ra2.Level { return []ra2.Level{ra2.Must, ra2.ConditionalMust, ra2.Should, ra2.May} }

// ConformanceText returns a report for people, about a screen: counts, the
// rows that fail with their evidence and what to do, and what is missing to
// judge the unknown ones.
func ConformanceText(c Conformance) string {
	var b strings.Builder
	b.WriteString(head(c))
	failed := having(c.Rows, conform.Fail)
	lines := 0
	for i, r := range failed {
		if lines >= maxLines {
			fmt.Fprintf(&b, "rows that fail and are not shown: %d; --all shows every row\n", len(failed)-i)
			break
		}
		text := failedRow(r)
		lines += strings.Count(text, "\n")
		b.WriteString(text)
	}
	b.WriteString(unknowns(c.Rows))
	for _, r := range having(c.Rows, conform.Waived) {
		fmt.Fprintf(&b, "%-8s %-12s %s: %s\n", r.Verdict, r.ID, r.Title, waiver(r))
	}
	b.WriteString(ConformanceVerdict(c))
	return b.String()
}

// AllConformance returns a report with every row and every finding.
func AllConformance(c Conformance) string {
	var b strings.Builder
	b.WriteString(head(c))
	for _, v := range conform.Verdicts() {
		for _, r := range having(c.Rows, v) {
			fmt.Fprintf(&b, "%-8s %-12s %s (%s, by %s): %s\n", r.Verdict, r.ID, r.Title, r.Level, r.How, r.Says)
			for _, f := range r.Findings {
				b.WriteString(whole(f, r.Verdict))
			}
		}
	}
	b.WriteString(ConformanceVerdict(c))
	return b.String()
}

// head names what was judged, by what, and counts.
func head(c Conformance) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, Kubernetes %s, by RA2 %s (%.7s): asked on %s, %s in %s\n", c.Cluster, cmp.Or(c.Kubernetes, "unknown"), c.Catalogue.Release, c.Catalogue.Commit,
		c.Ended.UTC().Format("2006-01-02 15:04 UTC"), Count(c.Requests, "request"), c.Ended.Sub(c.Began).Round(time.Second))
	fmt.Fprintf(&b, "%-17s", "")
	for _, v := range conform.Verdicts() {
		fmt.Fprintf(&b, " %14s", v)
	}
	fmt.Fprintf(&b, " %8s\n", "rows")
	for _, l := range append(levels(), "") {
		counts, name := c.Summary.Levels[l], string(l)
		if l == "" {
			counts, name = c.Summary.Verdicts, "all"
		}
		total := 0
		fmt.Fprintf(&b, "%-17s", name)
		for _, v := range conform.Verdicts() {
			fmt.Fprintf(&b, " %14d", counts[v])
			total += counts[v]
		}
		fmt.Fprintf(&b, " %8d\n", total)
	}
	return b.String()
}

// having returns the rows with a verdict, what binds first.
func having(rows []conform.Result, v conform.Verdict) []conform.Result {
	some := slices.DeleteFunc(slices.Clone(rows), func(r conform.Result) bool { return r.Verdict != v })
	slices.SortStableFunc(some, func(a, b conform.Result) int {
		return cmp.Compare(slices.Index(levels(), a.Level), slices.Index(levels(), b.Level))
	})
	return some
}

// failedRow returns a row that fails: what, an example with its evidence, and what
// to do.
func failedRow(r conform.Result) string {
	var failed []conform.Finding
	for _, f := range r.Findings {
		if f.Verdict == conform.Fail {
			failed = append(failed, f)
		}
	}
	first := failed[0]
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %-12s %s", r.Verdict, r.ID, r.Title)
	if !conform.Binds(r.Level) {
		fmt.Fprintf(&b, " (%s)", r.Level)
	}
	fmt.Fprintf(&b, ": want %s; %s\n", first.Want, got(first))
	if len(failed) > 1 {
		fmt.Fprintf(&b, "%21s and %d more: %s\n", "", len(failed)-1, subjects(failed[1:]))
	}
	if !conform.Binds(r.Level) {
		return b.String()
	}
	if len(first.Evidence) > 0 {
		fmt.Fprintf(&b, "%21s see: %s\n", "", first.Evidence[0].Command)
	}
	if first.Do != "" {
		fmt.Fprintf(&b, "%21s do:  %s\n", "", first.Do)
	}
	return b.String()
}

func got(f conform.Finding) string {
	if f.Subject == "" {
		return "got " + f.Got
	}
	return f.Subject + " has " + f.Got
}

func subjects(all []conform.Finding) string {
	var names []string
	for _, f := range all {
		names = append(names, f.Subject)
	}
	const enough = 6
	if len(names) > enough {
		return strings.Join(names[:enough], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// unknowns names unknown rows by what is missing first: one answer often
// decides many. What else some of them miss is told beside it.
func unknowns(rows []conform.Result) string {
	by, also := map[string][]string{}, map[string][]string{}
	for _, r := range rows {
		if r.Verdict != conform.Unknown {
			continue
		}
		what := missing(r)
		by[what[0]] = append(by[what[0]], r.ID)
		for _, more := range what[1:] {
			if !slices.Contains(also[what[0]], more) {
				also[what[0]] = append(also[what[0]], more)
			}
		}
	}
	var b strings.Builder
	for _, what := range slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(by[b]), len(by[a])), cmp.Compare(a, b))
	}) {
		fmt.Fprintf(&b, "%-8s %s\n%30s %s\n", conform.Unknown, rowIDs(by[what]), "missing:", what)
		switch more := also[what]; len(more) {
		case 0:
		case 1:
			fmt.Fprintf(&b, "%30s %s\n", "and", more[0])
		default:
			fmt.Fprintf(&b, "%30s %s, and %d more; --all shows them\n", "some:", more[0], len(more)-1)
		}
	}
	return b.String()
}

// missing returns what is missing to judge a row, without which node's; at
// least one.
func missing(r conform.Result) []string {
	var all []string
	for _, f := range r.Findings {
		if f.Verdict != conform.Unknown {
			continue
		}
		for _, m := range f.Missing {
			part, why, told := strings.Cut(m, ": ")
			kind, name, of := strings.Cut(part, "/")
			switch {
			case told && kind == "probes" && strings.HasPrefix(why, "not asked"):
				m = "probes: not asked"
			case told && of && kind != "probes":
				m = kind + ": " + strings.ReplaceAll(why, name, "…")
			}
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	if all == nil {
		return []string{"nobody says what; --all shows the findings"}
	}
	return all
}

// rowIDs names rows in short, in lines: "ra2.ch.001 003; ra2.os.004".
func rowIDs(all []string) string {
	const width = 100
	var b strings.Builder
	section, line := "", 0
	for i, id := range all {
		cut := strings.LastIndex(id, ".") + 1
		word := " " + id[cut:]
		switch {
		case i == 0:
			word = id
		case id[:cut] != section:
			word = "; " + id
		}
		if line+len(word) > width {
			fmt.Fprintf(&b, "\n%8s", "")
			line = 0
		}
		line += len(word)
		b.WriteString(word)
		section = id[:cut]
	}
	return b.String()
}

// whole returns a finding with its evidence.
func whole(f conform.Finding, of conform.Verdict) string {
	var b strings.Builder
	verdict := ""
	if f.Verdict != of {
		verdict = string(f.Verdict) + ": "
	}
	fmt.Fprintf(&b, "    %s", verdict)
	if f.Subject != "" {
		fmt.Fprintf(&b, "%s: ", f.Subject)
	}
	switch {
	case f.Got == "" && f.Verdict == conform.Unknown:
		fmt.Fprintf(&b, "want %s\n", f.Want)
	case f.Want != "":
		fmt.Fprintf(&b, "want %s; got %s\n", f.Want, cmp.Or(f.Got, "nothing"))
	default:
		fmt.Fprintln(&b, f.Got)
	}
	for _, m := range f.Missing {
		fmt.Fprintf(&b, "        missing: %s\n", m)
	}
	for _, e := range f.Evidence {
		fmt.Fprintf(&b, "        %s: %s\n", e.Command, e.Value)
	}
	if f.Waiver != nil && !f.Waiver.Ended {
		fmt.Fprintf(&b, "        waived until %s: %s\n", f.Waiver.Until, f.Waiver.Reason)
	}
	if f.Do != "" {
		fmt.Fprintf(&b, "        do: %s\n", f.Do)
	}
	return b.String()
}

func waiver(r conform.Result) string {
	for _, f := range r.Findings {
		if f.Waiver != nil && f.Verdict == conform.Waived {
			return "until " + f.Waiver.Until + ", " + f.Waiver.Reason
		}
	}
	return ""
}

// ConformanceVerdict returns the last line: how many rows were judged, what came
// of it, and the beginning of the report's digest.
func ConformanceVerdict(c Conformance) string {
	const shortened = "sha256:0123456789ab"
	digest := c.Digest[:min(len(c.Digest), len(shortened))]
	if c.Summary.Against == 0 {
		return fmt.Sprintf("%s judged: conformant (report %s)\n", Count(c.Summary.Rows, "row"), digest)
	}
	return fmt.Sprintf("%s judged: not conformant, %d of those that bind fail or are unknown (report %s)\n", Count(c.Summary.Rows, "row"), c.Summary.Against, digest)
}
