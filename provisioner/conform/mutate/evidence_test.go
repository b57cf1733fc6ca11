package mutate

import (
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// TestEvidence reads the findings of the conformant cluster and of each broken row
// as an auditor does: what was judged by something that is there names it, the
// command and the time, and what fails says what was wanted and what to do.
func TestEvidence(t *testing.T) {
	rows, err := conform.RowsOf(ra2.Head)
	if err != nil {
		t.Fatal(err)
	}
	audit(t, "nothing is broken", conform.Judge(rows, Conformant()))
	for _, m := range Of(ra2.Head) {
		s := Conformant()
		if m.On != nil {
			m.On(&s)
		}
		m.Break(&s)
		audit(t, m.Name, conform.Judge(rows, s))
	}
}

func audit(t *testing.T, name string, all []conform.Result) {
	t.Helper()
	for _, r := range all {
		for _, f := range r.Findings {
			where := r.ID + ", " + name + ": " + f.Subject
			if f.Verdict == conform.Fail && (f.Want == "" || f.Got == "" || f.Do == "" || len(f.Evidence) == 0) {
				t.Errorf("%s: fails without evidence or a way out: %+v", where, f)
			}
			if f.Verdict == conform.Pass && (len(f.Evidence) == 0 || f.Want == "") {
				t.Errorf("%s: passes without evidence: %+v", where, f)
			}
			if f.Verdict == conform.Unknown && len(f.Missing) == 0 {
				t.Errorf("%s: is unknown, and nothing is missing", where)
			}
			if strings.HasPrefix(f.Do, "see ") && !strings.ContainsAny(f.Do, ":,/") && !strings.Contains(f.Do, "log of") {
				t.Errorf("%s: where is that to be seen? %s", where, f.Do)
			}
			for _, e := range f.Evidence {
				if e.Command == "" || e.Object == "" || e.Time.IsZero() {
					t.Errorf("%s: evidence that nobody can see again: %+v", where, e)
				}
			}
		}
	}
}
