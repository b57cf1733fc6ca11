package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// cause is what one or many hosts have in common: the same row of the same
// verdict for the same reason.
type cause struct {
	rules.Finding          // of the first host
	hosts         []string // in the order of the inventory
	mixed         bool     // it was seen in different places, or in different words
	others        int      // causes that were folded into this one
}

// add adds hosts that c doesn't have yet.
func (c *cause) add(hosts ...string) {
	for _, h := range hosts {
		if !slices.Contains(c.hosts, h) {
			c.hosts = append(c.hosts, h)
		}
	}
}

// maxLines is about a screen.
const maxLines = 40

// How many causes of one rule stand for themselves; the others are one line
// with an example.
const (
	maxShared = 6 // that several hosts have in common
	maxSingle = 6 // of one host each
)

// Findings returns what doesn't pass, by cause, worst first, and at last a line
// that sums up. What many hosts have in common is one line, and hosts that
// have several causes in common are named once. It is about a screen, and says
// what it left out.
func Findings(all []rules.Finding) string {
	var b strings.Builder
	groups := groupsOf(fold(causesOf(all)))
	width := widthOf(all)
	lines := 0
	for i, g := range groups {
		if lines >= maxLines {
			left := groups[i:]
			n := 0
			for _, g := range left {
				n += len(g)
			}
			fmt.Fprintf(&b, "and %s more; --all shows every finding\n", Count(n, "cause"))
			break
		}
		text := group(g, width)
		lines += strings.Count(text, "\n")
		b.WriteString(text)
	}
	b.WriteString(summary(Sum(all)))
	return b.String()
}

// AllFindings returns every finding, one line each, worst first, and at last a
// line that sums up.
func AllFindings(all []rules.Finding) string {
	var b strings.Builder
	width := widthOf(all)
	for _, v := range verdicts() {
		for _, f := range all {
			if f.Verdict == v {
				b.WriteString(line(f, f.Host, "", width))
			}
		}
	}
	b.WriteString(summary(Sum(all)))
	return b.String()
}

// verdicts are all verdicts, worst first.
func verdicts() []rules.Verdict {
	return []rules.Verdict{rules.Fail, rules.Unknown, rules.Waived, rules.Planned, rules.Pass, rules.NotApplicable}
}

// causesOf joins the findings that don't pass and differ in nothing but the
// host.
func causesOf(all []rules.Finding) []cause {
	at := map[rules.Finding]int{}
	var out []cause
	for _, f := range all {
		if slices.Contains([]rules.Verdict{rules.Pass, rules.NotApplicable, rules.Planned}, f.Verdict) {
			continue
		}
		key := common(f)
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, cause{Finding: f})
		}
		out[i].add(f.Host)
		out[i].mixed = out[i].mixed || f.Want != out[i].Want || f.Got != out[i].Got || f.Where != out[i].Where
	}
	return out
}

// own matches what is each host's own in a sentence: addresses, ports,
// fingerprints and dates.
var own = regexp.MustCompile(`\d{4}-\d\d-\d\d|https?://\S+|\[[0-9a-fA-F:.%]+\](:\d+)?|\d+\.\d+\.\d+\.\d+(:\d+)?|[0-9a-fA-F]{32,}`)

// common returns a finding without what is its host's own, and without the
// place where it was seen: each vendor has another.
func common(f rules.Finding) rules.Finding {
	strip := func(s string) string {
		if f.Host != "" {
			s = regexp.MustCompile(`\b`+regexp.QuoteMeta(f.Host)+`\b`).ReplaceAllString(s, "·")
		}
		return own.ReplaceAllString(s, "·")
	}
	f.Want, f.Got = strip(f.Want), strip(f.Got)
	f.Host, f.Where = "", "" // the place of a fact is no cause: ids of chassis and slots differ within a rack
	return f
}

// fold keeps the largest causes of a rule that has too many, and makes one of
// the rest.
func fold(all []cause) []cause {
	type rule struct {
		verdict           rules.Verdict
		requirement, want string
	}
	of := func(c cause) rule {
		// "serial number " of "serial number S1": what is wanted, but not of whom
		kind := c.Want[:max(0, strings.IndexAny(c.Want, "0123456789"))]
		return rule{c.Verdict, c.Requirement, kind[:strings.LastIndex(kind, " ")+1]}
	}
	singles := map[rule]int{}
	for _, c := range all {
		if len(c.hosts) == 1 {
			singles[of(c)]++
		}
	}
	slices.SortStableFunc(all, worse)
	shared, rest := map[rule]int{}, map[rule]int{} // how many were kept, and where the rest is
	var out []cause
	for _, c := range all {
		r := of(c)
		i, folded := rest[r]
		switch {
		case len(c.hosts) == 1 && singles[r] <= maxSingle && !folded:
			out = append(out, c)
		case len(c.hosts) > 1 && shared[r] < maxShared:
			shared[r]++
			out = append(out, c)
		case !folded:
			rest[r] = len(out)
			out = append(out, c)
		default:
			out[i].add(c.hosts...)
			out[i].others++
		}
	}
	return out
}

// worse orders causes: whether it stands against the work, the verdict, the
// level of the requirement, the number of hosts; equals stay as they came.
func worse(a, b cause) int {
	order, levels := verdicts(), []ra2.Level{"", ra2.Must, ra2.ConditionalMust, ra2.Should, ra2.May}
	passes := map[bool]int{true: 1}
	return cmp.Or(
		cmp.Compare(passes[a.Passes()], passes[b.Passes()]),
		cmp.Compare(slices.Index(order, a.Verdict), slices.Index(order, b.Verdict)),
		cmp.Compare(slices.Index(levels, a.Level), slices.Index(levels, b.Level)),
		cmp.Compare(len(b.hosts), len(a.hosts)),
	)
}

// groupsOf puts together what is wrong with the same many hosts. Causes of a
// single host stay where they are.
func groupsOf(all []cause) [][]cause {
	at := map[string]int{}
	var out [][]cause
	for _, c := range all {
		key := strings.Join(slices.Sorted(slices.Values(c.hosts)), " ")
		if i, known := at[key]; known && len(c.hosts) > 1 {
			out[i] = append(out[i], c)
			continue
		}
		at[key] = len(out)
		out = append(out, []cause{c})
	}
	return out
}

// group returns causes of the same hosts as text.
func group(g []cause, width int) string {
	var b strings.Builder
	many := len(g[0].hosts) > 1
	if many {
		fmt.Fprintf(&b, "%s:\n", Hosts(g[0].hosts))
	}
	for _, c := range g {
		who, example := c.Host, ""
		if many {
			who = Count(len(c.hosts), "host")
		}
		same := c.Finding
		same.Host, same.Where = "", ""
		if c.others > 0 || many && common(c.Finding) != same {
			example = "for example " + c.Host + ": "
		}
		c.Where = first(c.Where)
		b.WriteString(line(c.Finding, who, example, width))
		if c.others > 0 {
			fmt.Fprintf(&b, "%*sand %s; --all shows every finding\n", width+24, "", Count(c.others, "other cause"))
		}
	}
	return b.String()
}

// first returns the first of the places where something was seen.
func first(where string) string {
	one, _, more := strings.Cut(where, ", ")
	if more {
		return one + ", …"
	}
	return one
}

// widthOf returns the width of the column of hosts.
func widthOf(all []rules.Finding) int {
	width := 12
	for _, f := range all {
		width = max(width, min(len(f.Host), 24))
	}
	return width
}

// line returns one finding as a row of the table.
func line(f rules.Finding, who, example string, width int) string {
	oneLine := strings.NewReplacer("\n", "; ")
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %-12s %-*s ", f.Verdict, f.Requirement, width, who)
	if f.Title != "" {
		b.WriteString(f.Title)
		if f.Level == ra2.Should || f.Level == ra2.May {
			fmt.Fprintf(&b, " (%s)", f.Level)
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%swant %s, got %s", example, oneLine.Replace(f.Want), oneLine.Replace(f.Got))
	if f.Where != "" {
		fmt.Fprintf(&b, " (%s)", oneLine.Replace(f.Where))
	}
	if f.Verdict == rules.Waived {
		b.WriteString("; waived: " + f.Reason)
	}
	return b.String() + "\n"
}
