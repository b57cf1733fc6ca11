package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// similar is the findings of a row that say the same of several things: 198 nodes
// that are alike are told once, with what differs between them. The JSON report has
// each finding by itself.
type similar struct {
	conform.Finding           // the first one's
	Subjects        []string  // of all; one that is empty is the cluster
	Gots            []variant // what was found, the rarest first
	Seen            []seen    // the first one's evidence
}

// variant is what was found or seen, and of which things.
type variant struct {
	Subjects []string
	Text     string
}

// seen is evidence, and what the same command shows of the other things, where that
// differs; the rarest first.
type seen struct {
	conform.Evidence
	Others []variant
}

// bySimilarity returns the findings of a row, worst first, and of equal verdicts the
// exception first.
func bySimilarity(findings []conform.Finding) []similar {
	by := map[string][]conform.Finding{}
	var keys []string
	for _, f := range findings {
		key := likeness(f)
		if by[key] == nil {
			keys = append(keys, key)
		}
		by[key] = append(by[key], f)
	}
	var all []similar
	for _, key := range keys {
		all = append(all, newSimilar(by[key]))
	}
	slices.SortStableFunc(all, func(a, b similar) int {
		return cmp.Or(cmp.Compare(rank(a.Verdict), rank(b.Verdict)), cmp.Compare(len(a.Subjects), len(b.Subjects)))
	})
	return all
}

// rank orders verdicts, worst first; one that nobody knows is worst.
func rank(v conform.Verdict) int { return slices.Index(conform.Verdicts(), v) }

// likeness is what findings have in common that are told as one: all but what they
// are of, what was found, and the values that were seen.
func likeness(f conform.Finding) string {
	kind, _, _ := strings.Cut(f.Subject, "/")
	words := []string{string(f.Verdict), kind, f.Want, f.Do}
	if f.Waiver != nil {
		words = append(words, fmt.Sprint(*f.Waiver))
	}
	for _, m := range f.Missing {
		words = append(words, nameless(m, f.Subject))
	}
	for _, e := range f.Evidence {
		words = append(words, nameless(e.Command, f.Subject), e.File, fmt.Sprint(e.Line))
	}
	return strings.Join(words, "\x00")
}

func newSimilar(same []conform.Finding) similar {
	g := similar{Finding: same[0]}
	gots := make([]string, len(same))
	for i, f := range same {
		g.Subjects = append(g.Subjects, f.Subject)
		gots[i] = f.Got
	}
	g.Gots = distinct(g.Subjects, gots)
	for n, e := range g.Evidence {
		values := make([]string, len(same))
		for i, f := range same {
			values[i] = f.Evidence[n].Value
		}
		s := seen{Evidence: e}
		if others := distinct(g.Subjects, values); len(others) > 1 && !slices.EqualFunc(values, gots, sameWords) {
			s.Others = slices.DeleteFunc(others, func(t variant) bool { return t.Text == e.Value })
		}
		g.Seen = append(g.Seen, s)
	}
	if len(same) > 1 {
		g.Missing = slices.Clone(g.Missing)
		for i, m := range g.Missing {
			g.Missing[i] = nameless(m, g.Subject)
		}
	}
	return g
}

// sameWords reports whether two texts differ by nothing but what stands between
// words: "10.17.0.11, fd00:17::11" says what "10.17.0.11 fd00:17::11" does.
func sameWords(a, b string) bool {
	between := func(r rune) bool { return strings.ContainsRune(" ,;", r) }
	return slices.Equal(strings.FieldsFunc(a, between), strings.FieldsFunc(b, between))
}

// distinct returns texts that differ, each with the things that have it, the
// rarest first.
func distinct(subjects, texts []string) []variant {
	var all []variant
	at := map[string]int{}
	for i, text := range texts {
		n, known := at[text]
		if !known {
			n, all = len(all), append(all, variant{Text: text})
			at[text] = n
		}
		all[n].Subjects = append(all[n].Subjects, subjects[i])
	}
	slices.SortStableFunc(all, func(a, b variant) int { return cmp.Compare(len(a.Subjects), len(b.Subjects)) })
	return all
}

// maxTold is how many things of one finding are told one by one: a report of
// thousands of pods can still be opened. The JSON report has them all.
const maxTold = 500

// nameless returns a text with "…" where the name of a thing stands as a word, or
// ends one: "/nodes/cp-a/proxy" of "node/cp-a" is "/nodes/…/proxy", and "etcd-cp-a"
// is "etcd-…".
func nameless(text, subject string) string {
	name := subject[strings.LastIndex(subject, "/")+1:]
	if name == "" {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, name)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if before != "" && inWord(last) || after != "" && (next == '-' || inWord(next)) {
			b.WriteString(name)
		} else {
			b.WriteString("…")
		}
		text = after
	}
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// named names all things, as long as they aren't too many.
func named(subjects []string) string {
	text := things(subjects, maxTold)
	if len(subjects) > maxTold {
		text += fmt.Sprintf(" (%d in all)", len(subjects))
	}
	return text
}

// things names things, the kind once: "node/cp-a, cp-b, cp-c"; at most as many.
// What is of the cluster has no name.
func things(subjects []string, most int) string {
	var words []string
	before := ""
	for _, s := range subjects {
		if s == "" {
			continue
		}
		if len(words) == most {
			return strings.Join(words, ", ") + ", …"
		}
		kind, name, ok := strings.Cut(s, "/")
		if ok && kind == before {
			s = name
		}
		before = kind
		words = append(words, s)
	}
	return strings.Join(words, ", ")
}
