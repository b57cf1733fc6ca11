package report_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/provisioner/observe"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
)

func TestFindings(t *testing.T) {
	all := []rules.Finding{
		{Requirement: "ra2.ch.016", Title: "PCIe slots", Level: ra2.Must, Host: "a", Verdict: rules.Waived, Want: "8 slots", Got: "3", Where: "PCIeSlots", Reason: "1U"},
		{Requirement: "ra2.ch.012", Title: "Node RAM quantity", Host: "a", Verdict: rules.Pass, Want: "32 GB", Got: "64 GB", Where: "MemorySummary"},
		{Requirement: rules.Reachable, Host: "b", Verdict: rules.Unknown, Want: "an answer", Got: "refused\ntwice", Where: "Redfish"},
		{Requirement: "ra2.ch.009", Title: "Physical storage", Level: ra2.Should, Host: "a", Verdict: rules.Fail, Want: "SSDs", Got: "an HDD", Where: "Drives"},
		{Requirement: "ra2.ch.008", Title: "Physical CPU quantity", Level: ra2.Must, Host: "a", Verdict: rules.Fail, Want: "2 sockets", Got: "1", Where: "Processors"},
	}
	same(t, report.Findings(all), `fail     ra2.ch.008   a            Physical CPU quantity: want 2 sockets, got 1 (Processors)
unknown  reachable    b            want an answer, got refused; twice (Redfish)
fail     ra2.ch.009   a            Physical storage (should): want SSDs, got an HDD (Drives)
waived   ra2.ch.016   a            PCIe slots: want 8 slots, got 3 (PCIeSlots); waived: 1U
2 hosts not fit; 5 findings: 1 pass, 2 fail, 1 unknown, 1 waived
`)
	same(t, report.AllFindings(all[:2]), `waived   ra2.ch.016   a            PCIe slots: want 8 slots, got 3 (PCIeSlots); waived: 1U
pass     ra2.ch.012   a            Node RAM quantity: want 32 GB, got 64 GB (MemorySummary)
1 host: fit; 2 findings: 1 pass, 1 waived
`)
	same(t, report.Findings([]rules.Finding{{Host: "a", Verdict: rules.Pass}, {Host: "b", Verdict: rules.Planned}}), "2 hosts: all fit; 2 findings: 1 pass, 1 planned\n")
	same(t, report.Findings(nil), "nothing was judged\n")
}

// TestFindingsOfARack shows a rack of 1,000 on a screen: what many have in
// common is one line, also where each has its own name and address in it.
func TestFindingsOfARack(t *testing.T) {
	var all []rules.Finding
	for i := range 1000 {
		host := fmt.Sprintf("w-%03d", i)
		at := fmt.Sprintf("https://10.17.%d.%d", i/250, i%250)
		one := func(f rules.Finding) { f.Host = host; all = append(all, f) }
		switch {
		case i < 413:
			one(rules.Finding{Requirement: "ra2.ch.008", Title: "Physical CPU quantity", Verdict: rules.Fail, Want: "2 sockets", Got: "1", Where: "Processors"})
			one(rules.Finding{Requirement: "ra2.ch.016", Title: "PCIe slots", Verdict: rules.Fail, Want: "8 slots", Got: "3", Where: "PCIeSlots"})
		case i%2 == 0:
			one(rules.Finding{Requirement: rules.Reachable, Verdict: rules.Unknown, Want: "an answer of the BMC at " + at, Got: host + ": BMC: GET /redfish/v1/: connection refused", Where: "Redfish"})
		case i > 900:
			one(rules.Finding{Requirement: rules.Identity, Verdict: rules.Fail, Want: "serial number 7" + host, Got: "T" + host[2:], Where: "SerialNumber of " + host[:4]})
		default:
			one(rules.Finding{Requirement: "ra2.ch.008", Verdict: rules.Pass})
		}
	}
	same(t, report.Findings(all), `w-000…w-412 (413 hosts):
fail     ra2.ch.008   413 hosts    Physical CPU quantity: want 2 sockets, got 1 (Processors)
fail     ra2.ch.016   413 hosts    PCIe slots: want 8 slots, got 3 (PCIeSlots)
w-901, w-903, w-905, w-907, w-909, w-911, … (50 hosts):
fail     identity     50 hosts     for example w-901: want serial number 7w-901, got T901 (SerialNumber of w-90)
                                    and 49 other causes; --all shows every finding
w-414, w-416, w-418, w-420, w-422, w-424, … (293 hosts):
unknown  reachable    293 hosts    for example w-414: want an answer of the BMC at https://10.17.1.164, got w-414: BMC: GET /redfish/v1/: connection refused (Redfish)
1000 hosts: 244 fit, 756 not; 1413 findings: 244 pass, 876 fail, 293 unknown
`)
}

// TestFindingsOfAFewHosts checks that no host's own trouble is left out where
// there is room: a wrong password beside a cable.
func TestFindingsOfAFewHosts(t *testing.T) {
	var all []rules.Finding
	for i, got := range []string{"no whole answer", "connection reset", "401 Unauthorized", "503 Service Unavailable", "no route"} {
		all = append(all, rules.Finding{Requirement: rules.Reachable, Host: fmt.Sprintf("w-%d", i), Verdict: rules.Unknown, Want: "an answer", Got: got})
	}
	text := report.Findings(all)
	for _, f := range all {
		if !strings.Contains(text, fmt.Sprintf("unknown  reachable    %-12s want an answer, got %s\n", f.Host, f.Got)) {
			t.Errorf("%s is left out of:\n%s", f.Host, text)
		}
	}
}

// TestFindingsAreAScreen is the property: whatever is wrong, the text is about
// a screen, its last line has all counts, and what is left out is said.
func TestFindingsAreAScreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verdict := rapid.SampledFrom([]rules.Verdict{rules.Pass, rules.Fail, rules.Unknown, rules.Waived, rules.Planned, rules.NotApplicable})
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rules.Finding {
			return rules.Finding{
				Requirement: fmt.Sprintf("ra2.ch.%03d", rapid.IntRange(1, 60).Draw(t, "row")), Host: fmt.Sprintf("w-%d", rapid.IntRange(1, 50).Draw(t, "host")),
				Verdict: verdict.Draw(t, "verdict"), Got: rapid.StringMatching(`[a-c]`).Draw(t, "got"),
			}
		}), 1, 300).Draw(t, "findings")
		text := report.Findings(all)
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) > 50 {
			t.Fatalf("%d lines:\n%s", len(lines), text)
		}
		bad := slices.ContainsFunc(all, func(f rules.Finding) bool { return !f.Passes() })
		if last := lines[len(lines)-1]; bad != regexp.MustCompile(`( not fit|, [0-9]+ not);`).MatchString(last) || !strings.Contains(last, report.Count(len(all), "finding")+": ") {
			t.Fatalf("the last line is %q", last)
		}
		if bad == (len(lines) == 1) && !slices.ContainsFunc(all, func(f rules.Finding) bool { return f.Verdict == rules.Waived }) {
			t.Fatalf("findings stand against the work: %v; it says:\n%s", bad, text)
		}
	})
}

func TestHosts(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"cp-a", "cp-a"},
		{"cp-b cp-a", "cp-a, cp-b"},
		{"c b a d", "a, b, c, d (4 hosts)"},
		{"w-2 w-10 w-1 w-9", "w-1, w-2, w-9, w-10 (4 hosts)"},
		{"w-1 w-2 w-3 cp-a", "cp-a, w-1…w-3 (4 hosts)"},
		{"w-09 w-10 w-11", "w-09…w-11 (3 hosts)"},
		{"w-9 w-10 w-011", "w-9, w-10, w-011"}, // written in another way, it is another row
		{"a c e g i k m", "a, c, e, g, i, k, … (7 hosts)"},
		{"1 2 3", "1…3 (3 hosts)"},
		{"w-99999999999999999999 w-1", "w-1, w-99999999999999999999"},
	} {
		same(t, report.Hosts(strings.Fields(c.names)), c.want)
	}
}

func TestUnreached(t *testing.T) {
	words := map[string]string{
		"a": "a: BMC: GET /redfish/v1/: dial tcp 10.17.1.1:443: connection refused", "b": "b: BMC: 401 Unauthorized",
		"c": "c: BMC: GET /redfish/v1/: dial tcp 10.17.1.3:443: connection refused",
	}
	err := report.Unreached(words)
	same(t, err.Error(), "a, c, for example a: BMC: GET /redfish/v1/: dial tcp 10.17.1.1:443: connection refused\nb: BMC: 401 Unauthorized")
	if err := report.Unreached(map[string]string{"d": ""}); err != nil {
		t.Error(err)
	}
}

func TestNotices(t *testing.T) {
	same(t, report.Notices(map[string]string{"b": "b: expired on 2025-01-01", "a": "a: expired on 2024-12-31", "c": "c: no disk"}),
		"note: a, b, for example a: expired on 2024-12-31\nnote: c: no disk\n")
	same(t, report.Notices(nil), "")
}

func TestAsking(t *testing.T) {
	same(t, report.Asking(observe.Asking{Total: 3, Waiting: []string{"a", "b"}, Deadline: at(290)}, at(10)), "1 of 3 controllers answered; waiting for a, b, at most 5m more, then they are unknown")
	same(t, report.Asking(observe.Asking{Total: 1}, at(10)), "1 of 1 controller answered")
}

func TestCertificates(t *testing.T) {
	year := func(n int) time.Time { return at(0).AddDate(n, 0, 0) }
	same(t, report.Certificates([]report.Certificate{
		{Host: "a", URL: "https://10.17.1.11", Fingerprint: "sha256:aa", Subject: "CN=a", From: year(-1), Until: year(1)},
		{Host: "b", URL: "https://10.17.1.12", Pinned: "sha256:bb", Fingerprint: "sha256:cc", Subject: "CN=b", From: year(-9), Until: year(-1)},
		{Host: "c", Pinned: "sha256:dd", Fingerprint: "sha256:dd"},
		{Host: "d", Err: errors.New("refused")},
		{Host: "e", URL: "https://10.17.1.15", Fingerprint: "sha256:ee", Subject: "CN=e", From: year(40), Until: year(50)},
	}, at(0)), `a            https://10.17.1.11  CN=a, valid from 2025-11-23 to 2027-11-23
             sha256:aa
b            https://10.17.1.12  CN=b, valid from 2017-11-23 to 2025-11-23 (EXPIRED; the pin counts, not the date)
             shows  sha256:cc
             pinned sha256:bb
e            https://10.17.1.15  CN=e, valid from 2066-11-23 to 2076-11-23 (NOT VALID YET; the pin counts, not the date)
             sha256:ee
5 certificates: 2 new, 1 pinned already, 1 not the pinned one, 1 not reached
`)
}
