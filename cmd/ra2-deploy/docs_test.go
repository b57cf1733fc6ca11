package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab"
	"github.com/ra2-deploy/ra2-deploy/inventory/v1alpha1"
)

// pages returns what users read, by path from here.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(names) < 4 {
		t.Fatalf("pages %v, error %v", names, err)
	}
	all := map[string]string{}
	for _, name := range append(names, "../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

// snippet is one command as a page shows it.
type snippet struct {
	text   string
	inline bool // in a sentence, where arguments may be left out
}

var (
	fenced  = regexp.MustCompile("(?ms)^```\n(.*?)^```$")
	anyCode = regexp.MustCompile("(?ms)^```.*?^```$")
	inlined = regexp.MustCompile("`([^`\n]+)`")
	comment = regexp.MustCompile(`\s+(#|   ).*$|\s+> \S+$|\s+\(goes on.*$`)
)

// snippets returns the commands of a page that begin with this word, without
// what goes before them (a network namespace) and after them (a comment).
func snippets(page, word string) []snippet {
	var out []snippet
	add := func(line string, inline bool) {
		line = comment.ReplaceAllString(comment.ReplaceAllString(line, ""), "")
		line = strings.TrimPrefix(strings.TrimPrefix(line, "ip netns exec ra2-demo "), "bin/")
		if rest, ok := strings.CutPrefix(line, word+" "); ok {
			out = append(out, snippet{strings.TrimSpace(rest), inline})
		}
	}
	for _, block := range fenced.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			add(strings.TrimRight(line, "\n"), false)
		}
	}
	for _, code := range inlined.FindAllStringSubmatch(anyCode.ReplaceAllString(page, ""), -1) {
		add(code[1], true)
	}
	return out
}

// call is a command line as the program understands it.
type call struct {
	path  string // "image build"
	flags []string
}

// understand parses a command line as the program does, and runs nothing.
func understand(s snippet) (call, error) {
	cmd, rest, err := root().Find(strings.Fields(s.text))
	if err != nil {
		return call{}, err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return call{}, err
	}
	c := call{path: strings.TrimPrefix(cmd.CommandPath(), "ra2-deploy ")}
	cmd.Flags().Visit(func(f *pflag.Flag) { c.flags = append(c.flags, f.Name) })
	args := cmd.Flags().Args()
	if cmd.DisableFlagsInUseLine { // see strict: it only holds others
		return c, fmt.Errorf("%s is no whole command", cmd.CommandPath())
	}
	if s.inline && len(args) == 0 {
		return c, nil
	}
	return c, cmd.ValidateArgs(args)
}

// TestDocsCommands checks that each command that a page shows is one, with
// these flags and arguments; and that a script in testdata runs it, unless it
// needs root and a lab.
func TestDocsCommands(t *testing.T) {
	ran := scripted(t)
	n := 0
	for name, page := range pages(t) {
		for _, s := range snippets(page, "ra2-deploy") {
			n++
			c, err := understand(s)
			if err != nil {
				t.Errorf("%s: ra2-deploy %s: %v", name, s.text, err)
				continue
			}
			if strings.HasPrefix(c.path, "lab ") || c.path == "image build" {
				continue // e2e runs them
			}
			if !slices.ContainsFunc(ran, func(r call) bool { return r.path == c.path && containsAll(r.flags, c.flags) }) {
				t.Errorf("%s: no script runs ra2-deploy %s", name, s.text)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d commands were found: the pages are not read as they are written", n)
	}
}

// scripted returns what the scripts run.
func scripted(t *testing.T) []call {
	t.Helper()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all []call
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^exits [01234] ra2-deploy (.+)$`).FindAllStringSubmatch(string(text), -1) {
			if c, err := understand(snippet{text: m[1]}); err == nil { // some are wrong on purpose
				all = append(all, c)
			}
		}
	}
	return all
}

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// TestDocsTasks checks that each task that a page names is in Taskfile.yml.
func TestDocsTasks(t *testing.T) {
	text, err := os.ReadFile("../../Taskfile.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tasks map[string]any `yaml:"tasks"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if n := len(file.Tasks); n > 10 {
		t.Errorf("Taskfile.yml has %d tasks, ten are enough", n)
	}
	n := 0
	for name, page := range pages(t) {
		for _, s := range snippets(page, "go tool task") {
			n++
			if task := strings.Fields(s.text)[0]; !hasTask(file.Tasks, task) {
				t.Errorf("%s: go tool task %s: there is no such task", name, s.text)
			}
		}
	}
	if n < 3 {
		t.Errorf("only %d tasks were found", n)
	}
}

// hasTask reports whether one of the tasks has this name, or a star in its name
// that stands for a part of it.
func hasTask(tasks map[string]any, name string) bool {
	for pattern := range tasks {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

// TestDocsLinks checks that what a page points to is there.
func TestDocsLinks(t *testing.T) {
	for name, page := range pages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(page, -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestDocsInventory checks that the sample has no problem, and that no key of
// the format is left out.
func TestDocsInventory(t *testing.T) {
	page := pages(t)["../../docs/inventory.md"]
	sample := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindStringSubmatch(page)
	if sample == nil {
		t.Fatal("the page has no sample")
	}
	path := filepath.Join(t.TempDir(), "edge.yaml")
	if err := os.WriteFile(path, []byte(sample[1]), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if status := run(t.Context(), []string{"validate", path}, strings.NewReader(""), &out, &errs); status != exitDone {
		t.Errorf("exit status %d:\n%s", status, errs.String())
	}
	_, tables, _ := strings.Cut(page, "## The keys")
	missing(t, tables, keys(reflect.TypeFor[v1alpha1.File](), "json"))
}

// TestDocsLab checks that no key of a lab's machine is left out.
func TestDocsLab(t *testing.T) {
	missing(t, pages(t)["../../docs/lab.md"], keys(reflect.TypeFor[lab.Machine](), "yaml"))
}

// missing reports keys that a page has in no code.
func missing(t *testing.T, page string, keys []string) {
	t.Helper()
	var code strings.Builder
	for _, m := range inlined.FindAllStringSubmatch(page, -1) {
		code.WriteString(m[1] + "\n")
	}
	for _, key := range keys {
		if !regexp.MustCompile(`\b` + key + `\b`).MatchString(code.String()) {
			t.Errorf("the page doesn't explain %s", key)
		}
	}
}

// keys returns the names of all keys of a struct and of those inside, but not
// of what a list in a claim holds.
func keys(t reflect.Type, tag string) []string {
	var out []string
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
		if name == "" {
			continue
		}
		out = append(out, name)
		if tag == "json" || f.Type.Kind() != reflect.Slice && name != "hardware" {
			out = append(out, keys(f.Type, tag)...)
		}
	}
	return out
}
