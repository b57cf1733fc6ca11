package report

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// TestSimilarLosesNothing tells findings as groups: each thing, what was found of
// it and what was seen of it is in the text, next to each other, and each finding
// is in one group.
func TestSimilarLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"1", "2", "a", "none", ""})
		shown := rapid.Bool().Draw(t, "what is seen is what was found")
		var all []conform.Finding
		for i := range rapid.IntRange(1, 12).Draw(t, "findings") {
			name := fmt.Sprintf("n-%d", i)
			f := conform.Finding{
				Subject: rapid.SampledFrom([]string{"", "node/" + name, "pod/x/" + name}).Draw(t, "subject"), Verdict: rapid.SampledFrom(conform.Verdicts()).Draw(t, "verdict"),
				Want: word.Draw(t, "want"), Got: word.Draw(t, "got"), Do: word.Draw(t, "do"),
			}
			if rapid.Bool().Draw(t, "missing") {
				f.Missing = []string{"facts/" + name + ": not asked"}
			}
			for range rapid.IntRange(0, 2).Draw(t, "evidence") {
				value := f.Got
				if !shown {
					value = "seen: " + word.Draw(t, "value")
				}
				f.Evidence = append(f.Evidence, conform.Evidence{Command: "kubectl get node/" + name, Value: value})
			}
			all = append(all, f)
		}
		n := 0
		for _, s := range bySimilarity(all) {
			n += len(s.Subjects)
			of := map[string]int{}
			for _, g := range s.Gots {
				for _, name := range g.Subjects {
					of[name]++
				}
			}
			for i, name := range s.Subjects {
				if of[name] == 0 {
					t.Errorf("nobody says what %s has: %+v", name, s)
				}
				for j, e := range s.Seen {
					if value := valueOf(s, j, name); i == 0 && e.Value != s.Finding.Evidence[j].Value || name != "" && value != evidenceOf(all, s, name, j) {
						t.Errorf("%s: %q is seen", name, value)
					}
				}
			}
		}
		if n != len(all) {
			t.Errorf("%d of %d findings", n, len(all))
		}
	})
}

// valueOf is what a group says that a command shows of a thing.
func valueOf(s similar, j int, name string) string {
	for _, o := range s.Seen[j].Others {
		for _, of := range o.Subjects {
			if of == name {
				return o.Text
			}
		}
	}
	for _, g := range s.Gots { // what was found already says what was seen
		for _, of := range g.Subjects {
			if of == name && len(s.Gots) > 1 && s.Seen[j].Value == s.Got {
				return g.Text
			}
		}
	}
	return s.Seen[j].Value
}

// evidenceOf is what the finding of a thing says.
func evidenceOf(all []conform.Finding, s similar, name string, j int) string {
	for _, f := range all {
		if f.Subject == name {
			return f.Evidence[j].Value
		}
	}
	return ""
}

func TestNameless(t *testing.T) {
	for _, c := range []struct{ text, subject, want string }{
		{"kubectl get --raw '/api/v1/nodes/cp-a/proxy/configz'", "node/cp-a", "kubectl get --raw '/api/v1/nodes/…/proxy/configz'"},
		{"etcd-cp-a of cp-a, and cp-ab, acp-a, cp-a-1", "node/cp-a", "etcd-… of …, and cp-ab, acp-a, cp-a-1"},
		{"cp-a", "", "cp-a"}, {"", "node/x", ""}, {"on cp-a", "node/", "on cp-a"},
		{"kubectl get -n shop pod/web-1", "pod/shop/web-1", "kubectl get -n shop pod/…"},
	} {
		if got := nameless(c.text, c.subject); got != c.want {
			t.Errorf("%q of %q is %q, want %q", c.text, c.subject, got, c.want)
		}
	}
}

func TestThings(t *testing.T) {
	for want, subjects := range map[string][]string{
		"node/cp-a, cp-b": {"node/cp-a", "node/cp-b"}, "node/a, pod/x/b, x/c": {"node/a", "pod/x/b", "pod/x/c"}, "": {"", ""},
		"node/a, b, c, …": {"node/a", "node/b", "node/c", "node/d"},
	} {
		if got := things(subjects, 3); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	many := make([]string, maxTold+1)
	for i := range many {
		many[i] = fmt.Sprintf("pod/x/%d", i)
	}
	if text := named(many); !strings.HasSuffix(text, ", … (501 in all)") {
		t.Errorf("…%s", text[len(text)-30:])
	}
}
