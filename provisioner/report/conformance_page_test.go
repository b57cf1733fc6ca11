package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// recorded is the snapshot of the lab's cluster.
func recorded(t testing.TB) conform.Snapshot {
	t.Helper()
	var s conform.Snapshot
	data, err := os.ReadFile("../verify/testdata/lab.json")
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// labReport is the report of the lab's cluster, as it was recorded.
func labReport(t *testing.T) report.Conformance {
	t.Helper()
	return conformance(t, recorded(t))
}

// hostileText ends whatever it may stand in: text, an attribute, a comment, a
// style, a script, a section of CDATA; and holds what XML can't.
const hostileText = "\"'>--></script></style></title>]]><script>document.title='hit'</script><img src=x onerror=\"document.title='hit'\">{{.}}\x00\x0b\xff\u202e"

// hostile returns a report of which every word that a cluster or an inventory
// can choose is hostileText.
func hostile(t *testing.T) report.Conformance {
	t.Helper()
	c := labReport(t)
	c.Cluster, c.Kubernetes, c.Version, c.Digest = hostileText, hostileText, hostileText, hostileText
	for i := range c.Rows {
		r := &c.Rows[i]
		r.Title, r.Says, r.Condition = hostileText, hostileText, hostileText
		for j := range r.Findings {
			f := &r.Findings[j]
			f.Subject, f.Want, f.Got, f.Do, f.Missing = hostileText, hostileText, hostileText, hostileText, []string{hostileText}
			f.Waiver = &conform.Waiver{Reason: hostileText, Until: hostileText}
			f.Evidence = []conform.Evidence{{Command: hostileText, Object: hostileText, Path: hostileText, Value: hostileText, File: hostileText, Line: 1}}
		}
	}
	return c
}

func page(t *testing.T, c report.Conformance) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.WritePage(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPage looks at the lab's page: all rows, all evidence, nothing from
// elsewhere, and the same bytes again.
func TestPage(t *testing.T) {
	c := labReport(t)
	text := page(t, c)
	if again := page(t, c); again != text {
		t.Error("the same report gives another page")
	}
	if rows := strings.Count(text, " data-verdict="); rows != len(c.Rows) {
		t.Errorf("%d rows, want %d", rows, len(c.Rows))
	}
	if n := strings.Count(text, `<code class="cmd">`); n < 100 {
		t.Errorf("%d commands", n)
	}
	for _, r := range c.Rows {
		for _, f := range r.Findings {
			for _, e := range f.Evidence { // of things that are alike, the value stands there once
				if value := template.HTMLEscapeString(e.Value); !strings.Contains(text, value) && !strings.Contains(text, strings.ReplaceAll(value, " ", ", ")) {
					t.Errorf("%s of %s: %s isn't there", r.ID, f.Subject, e.Value)
				}
			}
			if name := f.Subject[strings.LastIndex(f.Subject, "/")+1:]; !strings.Contains(text, name) {
				t.Errorf("%s: %s isn't there", r.ID, name)
			}
		}
	}
	for _, elsewhere := range []string{` src=`, `href="http`, `url(`, `@import`, `<link`, ` style="`, ` onclick`} {
		if strings.Contains(text, elsewhere) {
			t.Errorf("the page has %s", elsewhere)
		}
	}
	if !strings.Contains(text, `<html lang="en">`) || !strings.Contains(text, c.Digest) {
		t.Error("the page has no language, or no digest")
	}
	if len(text) > 1<<20 {
		t.Errorf("%d bytes", len(text))
	}
	t.Logf("%d bytes", len(text))
}

// TestPagePolicy wants that the policy lets in just the style and the script
// that are there: a browser runs nothing else.
func TestPagePolicy(t *testing.T) {
	for name, c := range map[string]report.Conformance{"lab": labReport(t), "hostile": hostile(t)} {
		text := page(t, c)
		policy := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]*)">`).FindStringSubmatch(text)
		if policy == nil {
			t.Fatalf("%s has no policy", name)
		}
		want := "default-src &#39;none&#39;;"
		for _, kind := range []string{"style", "script"} {
			found := regexp.MustCompile(`(?s)<`+kind+`>(.*?)</`+kind+`>`).FindAllStringSubmatch(text, -1)
			if len(found) != 1 {
				t.Fatalf("%s has %d of %s", name, len(found), kind)
			}
			sum := sha256.Sum256([]byte(found[0][1]))
			want += fmt.Sprintf(" %s-src &#39;sha256-%s&#39;;", kind, strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;"))
		}
		if want += " base-uri &#39;none&#39;; form-action &#39;none&#39;"; policy[1] != want {
			t.Errorf("%s: the policy is\n%s, want\n%s", name, policy[1], want)
		}
	}
}

// TestPageHostile wants every word escaped: the page of hostile words has the
// elements of the page of harmless ones, and no others.
func TestPageHostile(t *testing.T) {
	c := hostile(t)
	text := page(t, c)
	tags := regexp.MustCompile(`<[a-zA-Z/!][a-z0-9]*`)
	for i := range c.Rows {
		c.Rows[i].Title, c.Rows[i].Says = "x", "x"
	}
	harmless := strings.ReplaceAll(fmt.Sprint(tags.FindAllString(text, -1)), "<img", "!")
	if got := fmt.Sprint(tags.FindAllString(page(t, c), -1)); got != harmless {
		t.Error("hostile words change the page's elements")
	}
	if strings.Contains(text, "<img") || strings.Contains(text, "='hit'") {
		t.Error("hostile words stand unescaped")
	}
}

// TestPageVerdict wants a head that doesn't say more than was judged.
func TestPageVerdict(t *testing.T) {
	lab := labReport(t)
	passing := lab
	passing.Rows, passing.Summary.Verdicts = nil, map[conform.Verdict]int{conform.Pass: 1}
	for _, r := range lab.Rows {
		if r.ID == "ra2.k8s.002" {
			passing.Rows = append(passing.Rows, r)
		}
	}
	for _, want := range []struct {
		c    report.Conformance
		text string
	}{
		{lab, `<h1 class="against">Not conformant</h1>`},
		{passing, `<h1 class="conformant">Conformant, by 1 of 166 rows</h1>`},
	} {
		if text := page(t, want.c); !strings.Contains(text, want.text) {
			t.Errorf("no %s in %s", want.text, text[strings.Index(text, "<h1"):][:300])
		}
	}
}

// TestPageContrast computes from the style that every colour of text has a
// contrast of 4.5 : 1 on every ground, by day, by night and in print (WCAG 2.2,
// 1.4.3).
func TestPageContrast(t *testing.T) {
	style, err := os.ReadFile("page/page.css")
	if err != nil {
		t.Fatal(err)
	}
	themes := regexp.MustCompile(`(?s):root\{([^}]*)\}`).FindAllStringSubmatch(string(style), -1)
	if len(themes) != 3 {
		t.Fatalf("%d themes", len(themes))
	}
	for i, theme := range themes {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+):(#[0-9a-f]+)`).FindAllStringSubmatch(theme[1], -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, ground := range []string{"paper", "card", "wash"} {
			for _, ink := range []string{"ink", "quiet", "link", "fail", "unknown", "waived", "pass", "not-applicable"} {
				a, b := colours[ground], colours[ink]
				if ratio := (max(a, b) + .05) / (min(a, b) + .05); ratio < 4.5 {
					t.Errorf("theme %d: %s on %s has %.2f", i, ink, ground, ratio)
				}
			}
		}
	}
}

// luminance is the relative luminance of WCAG 2.2 of "#rgb" or "#rrggbb".
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	hex = hex[1:]
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
