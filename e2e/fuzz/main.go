// Command fuzz runs every fuzz target of the project for a while, one after
// the other, and ends at the first that finds something.
//
//	go run ./e2e/fuzz [DURATION]
package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

func main() {
	each := time.Minute
	if len(os.Args) > 1 {
		d, err := time.ParseDuration(os.Args[1])
		if err != nil {
			fmt.Fprintf(os.Stderr, "fuzz: %v\n", err)
			os.Exit(2)
		}
		each = d
	}
	if err := run(each); err != nil {
		fmt.Fprintf(os.Stderr, "fuzz: %v\n", err)
		os.Exit(1)
	}
}

// target is one fuzz function.
type target struct{ pkg, name string }

func run(each time.Duration) error {
	all, err := targets()
	if err != nil {
		return err
	}
	fmt.Printf("%d targets, %v each\n", len(all), each)
	for _, t := range all {
		fmt.Printf("\n== %s %s\n", t.pkg, t.name)
		// Making one input smaller takes up to a minute by default, in which nothing else is tried.
		cmd := exec.Command("go", "test", t.pkg, "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", each.String(), "-fuzzminimizetime", "1s")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s of %s: %w", t.name, t.pkg, err)
		}
	}
	return nil
}

// targets finds the fuzz functions by their files; building every package to
// ask it takes minutes.
func targets() ([]target, error) {
	out, err := exec.Command("go", "list", "-f", `{{range .TestGoFiles}}{{$.ImportPath}} {{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$.ImportPath}} {{$.Dir}}/{{.}}{{"\n"}}{{end}}`, "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages: %w", err)
	}
	function := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	var all []target
	for line := range strings.Lines(string(out)) {
		pkg, file, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range function.FindAllStringSubmatch(string(src), -1) {
			all = append(all, target{pkg, m[1]})
		}
	}
	return all, nil
}
