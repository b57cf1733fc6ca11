package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

// Check is the document that `validate -o json` prints: what the hosts are,
// judged. Its schema is docs/schema/findings.schema.json.
type Check struct {
	Version  string          `json:"version"` // of ra2-deploy
	Time     time.Time       `json:"time"`    // when the judgement ended
	Cluster  string          `json:"cluster"` // name of the cluster
	Summary  Summary         `json:"summary"`
	Findings []rules.Finding `json:"findings"` // in the order of the inventory; never null
}

// Summary counts findings.
type Summary struct {
	Hosts    int                   `json:"hosts"`    // that were judged
	Fit      int                   `json:"fit"`      // hosts against which no finding stands
	Findings int                   `json:"findings"` // all, whatever their verdict
	Against  int                   `json:"against"`  // findings that stand against the work; 0 lets it begin
	Verdicts map[rules.Verdict]int `json:"verdicts"` // verdict to the number of findings that have it
}

// Facts is the document that `facts -o json` prints: what the management
// controllers said. Its schema is docs/schema/facts.schema.json.
type Facts struct {
	Version string               `json:"version"` // of ra2-deploy
	Time    time.Time            `json:"time"`    // when the last answer came
	Cluster string               `json:"cluster"` // name of the cluster
	Hosts   map[string]facts.BMC `json:"hosts"`   // by inventory node name
}

// Sum counts findings. Hosts are those whose hardware was judged: of others
// nobody can say that they are fit.
func Sum(all []rules.Finding) Summary {
	s := Summary{Findings: len(all), Verdicts: map[rules.Verdict]int{}}
	fit := map[string]bool{}
	for _, f := range all {
		s.Verdicts[f.Verdict]++
		if _, known := fit[f.Host]; !known && f.Host != "" && !f.Network() { // "" is what is no host's
			fit[f.Host] = true
		}
	}
	for _, f := range all {
		if f.Passes() {
			continue
		}
		s.Against++
		if _, known := fit[f.Host]; known {
			fit[f.Host] = false
		}
	}
	s.Hosts = len(fit)
	for _, ok := range fit {
		if ok {
			s.Fit++
		}
	}
	return s
}

// summary returns the last line: "3 hosts: 2 fit, 1 not; 27 findings: 26 pass,
// 1 fail".
func summary(s Summary) string {
	var hosts string
	switch {
	case s.Hosts == 0:
	case s.Fit == s.Hosts && s.Hosts == 1:
		hosts = "1 host: fit; "
	case s.Fit == s.Hosts:
		hosts = fmt.Sprintf("%d hosts: all fit; ", s.Hosts)
	case s.Fit == 0:
		hosts = Count(s.Hosts, "host") + " not fit; "
	default:
		hosts = fmt.Sprintf("%s: %d fit, %d not; ", Count(s.Hosts, "host"), s.Fit, s.Hosts-s.Fit)
	}
	var parts []string
	for _, v := range []rules.Verdict{rules.Pass, rules.Fail, rules.Unknown, rules.Waived, rules.Planned, rules.NotApplicable} {
		if n := s.Verdicts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	if len(parts) == 0 {
		return hosts + "nothing was judged\n"
	}
	return fmt.Sprintf("%s%s: %s\n", hosts, Count(s.Findings, "finding"), strings.Join(parts, ", "))
}
