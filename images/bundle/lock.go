package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Lock is a recipe resolved to exact content: every item by version and digest.
// What is made of local files isn't in it, since those are not fetched.
type Lock struct {
	Compiler string // the Go that built what comes from Go modules, "go1.26.8"; empty when nothing does
	Items    []Item // sorted as those of a bundle
}

// lockFormat is the first line of a lock.
const lockFormat = "ra2-deploy bundle lock v1"

// String writes the lock as a file: one line for each item, the same lock the
// same bytes.
func (l Lock) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n# `ra2-deploy bundle lock` makes this file anew. Each line: kind, name, version, architecture, digest, bytes, source.\n", lockFormat)
	if l.Compiler != "" {
		fmt.Fprintf(&b, "compiler %s\n", l.Compiler)
	}
	for _, i := range l.Items {
		fmt.Fprintf(&b, "%s %s %s %s %s %d %s\n", i.Kind, i.Name, dash(i.Version), dash(i.Arch), i.Digest, i.Size, i.Source)
	}
	return b.String()
}

// dash writes what is empty as a word.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ReadLock reads a lock strictly; the error has all that is wrong with it, each
// with its line.
func ReadLock(text []byte) (Lock, error) {
	var (
		l     Lock
		wrong []error
	)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		if err := l.line(n, lines.Text()); err != nil {
			wrong = append(wrong, fmt.Errorf("line %d: %w", n, err))
		}
	}
	if err := errors.Join(append(wrong, lines.Err())...); err != nil {
		return Lock{}, fmt.Errorf("read the lock: %w", err)
	}
	if len(l.Items) == 0 {
		return Lock{}, errors.New("read the lock: it has no items")
	}
	if err := checkAll(l.Items); err != nil {
		return Lock{}, fmt.Errorf("read the lock: %w", err)
	}
	return l, nil
}

// line reads one line.
func (l *Lock) line(n int, line string) error {
	switch {
	case n == 1 && line != "# "+lockFormat:
		return fmt.Errorf("it is %q and should be %q: this is no lock, or one of another ra2-deploy", line, "# "+lockFormat)
	case line == "" || strings.HasPrefix(line, "#"):
		return nil
	}
	if compiler, ok := strings.CutPrefix(line, "compiler "); ok {
		l.Compiler = compiler
		return nil
	}
	word := strings.SplitN(line, " ", 7)
	if len(word) != 7 {
		return fmt.Errorf("it has %d words, want kind, name, version, architecture, digest, bytes and source", len(word))
	}
	size, err := strconv.ParseInt(word[5], 10, 64)
	if err != nil {
		return err
	}
	i := Item{Kind(word[0]), word[1], word[2], word[3], word[6], Digest(word[4]), size}
	for _, field := range []*string{&i.Version, &i.Arch} {
		if *field == "-" {
			*field = ""
		}
	}
	l.Items = append(l.Items, i)
	return nil
}

// LockOf locks what a bundle was made of.
func LockOf(compiler string, items []Item) Lock {
	items = slices.DeleteFunc(slices.Clone(items), func(i Item) bool { return i.Scheme() == "file" })
	slices.SortFunc(items, compare)
	if !slices.ContainsFunc(items, func(i Item) bool { return i.Scheme() == "go" }) {
		compiler = ""
	}
	return Lock{compiler, items}
}
