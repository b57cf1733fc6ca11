package report_test

import (
	"strconv"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// What a reader sees of the page, in the words of a program.
const (
	visibleRows = `[...document.querySelectorAll("tr[data-verdict]")].filter((r) => r.checkVisibility()).length`
	unseen      = drawn + `.then(() => ` + unseenNow + `)`
	unseenNow   = `[...document.querySelectorAll(".findings li")].filter((f) => f.getBoundingClientRect().height < 5 || !f.checkVisibility({contentVisibilityAuto: true})).length` // needs no frame, which a page without scripts never hears of
	drawn       = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`                                                                                // what was unfolded is there after the next frame
	settled     = `new Promise((done) => setTimeout(done))`                                                                                                                        // a reset is heard before it is done
)

// count counts the rows that a filter is to show.
func count(c report.Conformance, ok func(conform.Result) bool) string {
	n := 0
	for _, r := range c.Rows {
		if ok(r) {
			n++
		}
	}
	return strconv.Itoa(n)
}

// TestPageFilters uses the page as a reader does.
func TestPageFilters(t *testing.T) {
	c, b := labReport(t), chromium(t)
	b.open(page(t, c))
	b.wants(visibleRows, strconv.Itoa(len(c.Rows)))
	fails := func(r conform.Result) bool { return r.Verdict == conform.Fail }
	b.do(`document.querySelector("input[value=fail]").click()`)
	b.wants(visibleRows, count(c, fails))
	b.wants(`document.getElementById("shown").textContent`, count(c, fails)+" of 166 rows (only: fail)")
	b.do(`document.querySelector("input[value=unknown]").click()`)
	b.wants(visibleRows, count(c, func(r conform.Result) bool { return fails(r) || r.Verdict == conform.Unknown }))
	b.do(`document.querySelector("input[value=unknown]").click()`)
	choose := func(name, value string) {
		b.do(`{ const s = document.querySelector("select[name=` + name + `]"); s.value = "` + value + `"; s.dispatchEvent(new Event("input", {bubbles: true})) }`)
	}
	choose("section", "k8s")
	b.wants(visibleRows, count(c, func(r conform.Result) bool { return fails(r) && r.ID[:7] == "ra2.k8s" }))
	choose("level", "should")
	b.wants(visibleRows, "1")
	choose("level", "may")
	b.wants(visibleRows, "0")
	b.wants(`document.getElementById("nothing").checkVisibility()`, "true")
	b.do(`document.querySelector("#nothing button").click()`)
	b.do(settled)
	b.wants(visibleRows, "166")
	b.do(`document.querySelector("input[name=text]").focus()`)
	b.call("Input.insertText", map[string]any{"text": "HUGE pages"}, nil)
	b.wants(`document.querySelector("tr[data-verdict]:not([hidden])").id`, "ra2.ch.001")
	if n := b.do(visibleRows); n == "0" || n == "166" {
		t.Errorf("%s rows have these words", n)
	}
	b.do(`location.hash = "ra2.k8s.011"`) // a link to a row that isn't shown
	b.do(settled + ".then(() => " + settled + ")")
	b.wants(`document.getElementById("ra2.k8s.011").querySelector(".says").checkVisibility({contentVisibilityAuto: true})`, "true")
	if b.problems != nil {
		t.Errorf("the browser complains: %v", b.problems)
	}
}

// TestPageKeys unfolds a row by the keyboard, and copies its command.
func TestPageKeys(t *testing.T) {
	b := chromium(t)
	b.open(page(t, labReport(t)))
	b.do(`document.getElementById("ra2.ch.001").querySelector("summary").focus()`)
	for _, kind := range []string{"keyDown", "keyUp"} {
		b.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13}, nil)
	}
	b.wants(`document.getElementById("ra2.ch.001").querySelector("details").open`, "true")
	b.do(`document.querySelector(".copy").click()`)
	b.wants(`new Promise((done) => new MutationObserver(() => done(["copied", "marked"].includes(document.querySelector(".copy").textContent))).observe(document.querySelector(".copy"), {childList: true}) ||
		document.querySelector(".copy").textContent !== "copy" && done(true))`, "true")
	if b.do(`document.querySelector(".copy").textContent`) == "marked" { // by the browser's rules: the words are marked to be copied
		b.wants(`getSelection().toString() === document.querySelector(".cmd").textContent`, "true")
	}
}

// TestPagePrints wants of paper what is folded on the screen, and no controls;
// and of a browser that runs no scripts all rows.
func TestPagePrints(t *testing.T) {
	b := chromium(t)
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	b.open(page(t, labReport(t)))
	b.wants(visibleRows, "166")
	b.wants(`document.getElementById("filter").checkVisibility()`, "false")
	if b.do(unseenNow) == "0" {
		t.Error("nothing is folded on a screen")
	}
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	b.wants(unseenNow, "0")
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil)
	b.open(page(t, labReport(t)))
	b.wants(unseenNow, "0")
	b.wants(`[...document.querySelectorAll("form, button, .skip")].some((e) => e.checkVisibility())`, "false")
}

// TestPageWidths wants no page that must be moved sideways, and letters that
// can be seen, from a small phone to a large screen.
func TestPageWidths(t *testing.T) {
	c, b := labReport(t), chromium(t)
	for _, width := range []int{320, 390, 700, 1024, 1920} {
		b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
		b.open(page(t, c))
		b.do(`document.getElementById("unfold").click()`)
		b.wants(unseen, "0")
		if got, err := strconv.Atoi(b.do(`document.documentElement.scrollWidth`)); err != nil || got > width {
			t.Errorf("a window of %d pixels shows a page of %d: %s", width, got, b.do(`[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth).slice(0, 3).map((e) => e.outerHTML.slice(0, 80)).join(" ")`))
		}
	}
}

// TestPageRunsNothing opens the page of hostile words, of which none may run.
func TestPageRunsNothing(t *testing.T) {
	b := chromium(t)
	b.open(page(t, hostile(t)))
	b.wants(`document.title === "hit"`, "false")
	b.wants(`document.images.length + document.scripts.length`, "1")
	b.wants(visibleRows, "166")
	b.wants(`document.getElementById("shown").textContent`, "166 of 166 rows")
	if b.problems != nil {
		t.Errorf("the browser complains: %v", b.problems)
	}
}
