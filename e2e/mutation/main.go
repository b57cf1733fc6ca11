// Command mutation breaks what rows of RA2 ask for, one thing after the other, and
// prints how many checks see it: in a snapshot in memory, on a real API server
// through the collector, and with --lab on the nodes of a lab's cluster (root).
//
//	go run ./e2e/mutation [--lab]
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/mutate"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

func main() {
	lab := len(os.Args) == 2 && os.Args[1] == "--lab"
	if len(os.Args) > 1 && !lab {
		fmt.Fprintln(os.Stderr, "mutation: write nothing, or --lab")
		os.Exit(2)
	}
	if err := run(lab); err != nil {
		fmt.Fprintf(os.Stderr, "mutation: %v\n", err)
		os.Exit(1)
	}
}

// place is where a test makes mutations.
type place struct {
	name string // of its column
	args []string
}

func run(lab bool) error {
	rows, err := conform.Rows()
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r conform.Row) bool { return r.Section() == "app" })
	outcomes, err := mutate.Run(rows, mutate.All())
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ra2-mutations-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	table := mutate.Table{Rows: rows, Columns: []mutate.Column{mutate.Memory(outcomes)}}
	places := []place{{"api", []string{"./provisioner/verify", "-run", "^TestMutationsOnServer$"}}}
	if lab {
		places = append(places, place{"lab", []string{"./e2e", "-run", "^TestSiteMutations$", "-lab", "-site", "-timeout", "40m"}})
	}
	var failed []error
	for _, p := range places {
		column, err := p.made(dir)
		table.Columns, failed = append(table.Columns, column), append(failed, err)
	}
	fmt.Print("\n", table)
	if !lab {
		fmt.Println("\nlab: not run; --lab breaks the nodes of a lab's cluster (root, container machines)")
	}
	if err := later(); err != nil {
		failed = append(failed, err)
	}
	workloads, err := test(dir, "./provisioner/conform/app", "-run", "^TestViolations$")
	for line := range strings.Lines(workloads) {
		if _, told, ok := strings.Cut(line, "ra2.app: "); ok {
			fmt.Printf("\nworkloads, in memory: %s", told)
		}
	}
	failed = append(failed, err)
	if left := table.Survivors(); len(left) > 0 {
		failed = append(failed, fmt.Errorf("%d mutations survived", len(left)))
	}
	return errors.Join(failed...)
}

// later prints the scores of the releases after the default one, in memory: what they
// add is told by the same API, facts and probes.
func later() error {
	for _, release := range ra2.Releases()[1:] {
		rows, err := conform.RowsOf(release)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r conform.Row) bool { return r.Section() == "app" })
		outcomes, err := mutate.Run(rows, mutate.Of(release))
		if err != nil {
			return err
		}
		score := mutate.Sum(rows, outcomes)
		fmt.Printf("\nRA2 %s, in memory: %s", release, score)
		if n := len(score.Survived) + len(score.Untried); n > 0 {
			return fmt.Errorf("RA2 %s: %d mutations survived or are missing", release, n)
		}
	}
	return nil
}

// made runs the test of a place, and reads what it kept. A test that was skipped kept
// nothing, and its column says why.
func (p place) made(dir string) (mutate.Column, error) {
	out, err := test(dir, p.args...)
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", p.name, err, failures(out))
	}
	column := mutate.Column{Place: p.name, Why: map[string]string{}}
	data, missing := os.ReadFile(filepath.Join(dir, p.name+".json"))
	switch {
	case errors.Is(missing, fs.ErrNotExist) && err != nil:
	case errors.Is(missing, fs.ErrNotExist):
		for _, m := range mutate.All() {
			column.Why[m.Row] = "not run: " + skipped(out)
		}
	case missing != nil:
		err = errors.Join(err, missing)
	default:
		err = errors.Join(err, json.Unmarshal(data, &column))
	}
	return column, err
}

// skipped returns why a test was skipped: the line before go test says that it was.
func skipped(out string) string {
	last := "its test said nothing"
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "--- SKIP") {
			break
		}
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return last
}

// failures returns the lines of a test that name its source, and its last.
func failures(out string) string {
	lines := slices.Collect(strings.Lines(out))
	keep := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return !strings.Contains(line, "_test.go:") && !strings.Contains(line, "--- FAIL")
	})
	return strings.Join(append(keep, lines[max(0, len(lines)-3):]...), "")
}

// test runs go test; what mutations came to is kept in dir.
func test(dir string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command("go", append([]string{"test", "-count", "1", "-v"}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &out, append(os.Environ(), "RA2_MUTATIONS="+dir)
	fmt.Fprintf(os.Stderr, "$ %s\n", cmd)
	err := cmd.Run()
	return out.String(), err
}
