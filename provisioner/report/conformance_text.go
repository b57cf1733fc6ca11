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
			fmt.Fprintf(&b, "rows that fail and are not shown: %d; --all shows every row\n         %s\n", len(failed)-i, rowIDs(idsOf(failed[i:])))
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
			for _, g := range bySimilarity(r.Findings) {
				b.WriteString(whole(g, r.Verdict))
			}
		}
	}
	b.WriteString(ConformanceVerdict(c))
	return b.String()
}

func idsOf(rows []conform.Result) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.ID)
	}
	return all
}

// head names what was judged, by what, and counts.
func head(c Conformance) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, Kubernetes %s, by RA2 %s (%.7s): asked on %s, ", c.Cluster, cmp.Or(c.Kubernetes, "unknown"), c.Catalogue.Release, c.Catalogue.Commit, c.Ended.UTC().Format("2006-01-02 15:04 UTC"))
	if c.Requests == 0 {
		b.WriteString("judged from what was kept\n")
	} else {
		fmt.Fprintf(&b, "%s in %s\n", Count(c.Requests, "request"), c.Ended.Sub(c.Began).Round(time.Second))
	}
	fmt.Fprintf(&b, "%-17s", "")
	for _, v := range conform.Verdicts() {
		fmt.Fprintf(&b, "  %*s", len(v), v)
	}
	fmt.Fprintf(&b, "  %s\n", "rows")
	for _, l := range append(levels(), "") {
		counts, name := c.Summary.Levels[l], string(l)
		if l == "" {
			counts, name = c.Summary.Verdicts, "all"
		}
		total := 0
		fmt.Fprintf(&b, "%-17s", name)
		for _, v := range conform.Verdicts() {
			fmt.Fprintf(&b, "  %*d", len(v), counts[v])
			total += counts[v]
		}
		fmt.Fprintf(&b, "  %4d\n", total)
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
	const enough = 6 // names
	all := bySimilarity(r.Findings)
	first := all[0].Finding // a row that fails has a finding that does, and the worst are first
	var more []string
	for _, g := range all {
		for _, subject := range g.Subjects {
			if g.Verdict == conform.Fail && !slices.Contains(more, subject) { // one thing may fail in two ways
				more = append(more, subject)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %-12s %s", r.Verdict, r.ID, r.Title)
	if !conform.Binds(r.Level) {
		fmt.Fprintf(&b, " (%s)", r.Level)
	}
	fmt.Fprintf(&b, ": want %s; %s\n", first.Want, got(first))
	if more = more[1:]; len(more) > 0 {
		fmt.Fprintf(&b, "%21s and %d more: %s\n", "", len(more), things(more, enough))
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
				m = "probes: " + why
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

// whole returns findings that are alike, with their evidence.
func whole(g similar, of conform.Verdict) string {
	var b strings.Builder
	b.WriteString("    ")
	if g.Verdict != of {
		fmt.Fprintf(&b, "%s: ", g.Verdict)
	}
	const few = 6
	switch {
	case g.Subject == "":
	case len(g.Gots) > 1 && len(g.Subjects) > few: // they are named below
		fmt.Fprintf(&b, "%s and %d more: ", g.Subject, len(g.Subjects)-1)
	default:
		fmt.Fprintf(&b, "%s: ", named(g.Subjects))
	}
	switch {
	case len(g.Gots) > 1:
		fmt.Fprintf(&b, "want %s\n%s", g.Want, each("got ", g.Gots))
	case g.Got == "" && g.Verdict == conform.Unknown:
		fmt.Fprintf(&b, "want %s\n", g.Want)
	case g.Want != "":
		fmt.Fprintf(&b, "want %s; got %s\n", g.Want, cmp.Or(g.Got, "nothing"))
	default:
		fmt.Fprintln(&b, g.Got)
	}
	for _, m := range g.Missing {
		fmt.Fprintf(&b, "        missing: %s\n", m)
	}
	for _, e := range g.Seen {
		fmt.Fprintf(&b, "        %s: %s\n%s", e.Command, e.Value, each("    ", e.Others))
	}
	if g.Waiver != nil && !g.Waiver.Ended {
		fmt.Fprintf(&b, "        waived until %s: %s\n", g.Waiver.Until, g.Waiver.Reason)
	}
	if g.Do != "" {
		fmt.Fprintf(&b, "        do: %s\n", g.Do)
	}
	return b.String()
}

// each returns a line for each text that differs, and of what it is told.
func each(before string, all []variant) string {
	var b strings.Builder
	for i, t := range all {
		if i == maxTold {
			fmt.Fprintf(&b, "        %s… (%d in all)\n", before, len(all))
			break
		}
		fmt.Fprintf(&b, "        %s%s: %s\n", before, cmp.Or(t.Text, "nothing"), named(t.Subjects))
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
