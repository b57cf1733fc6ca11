package main

import (
	"context"
	_ "embed" // the script
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed facts.py
var factsScript string

// python is Debian's, which finds Debian's python3-sushy.
const python = "/usr/bin/python3"

// sushy asks one controller for the same facts by python3-sushy, which is what
// Ironic asks with, and prints its figures beside ours. Both are counted from
// the first request to the last answer: the start of Python is left out.
func sushy(ctx context.Context, dir string, delay time.Duration) error {
	if err := exec.CommandContext(ctx, python, "-c", "import sushy").Run(); err != nil {
		fmt.Println("python3-sushy                    skipped: it is not installed (apt-get install python3-sushy)")
		return nil
	}
	script := filepath.Join(dir, "facts.py")
	if err := os.WriteFile(script, []byte(factsScript), 0o600); err != nil {
		return err
	}
	r, err := openRack(ctx, 1, delay)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, python, "-W", "ignore", script, r.places[0].URL, "admin", password)
	cmd.Env = []string{"HOME=" + dir} // variables for requests, like a bundle of authorities, outweigh what the script says
	out, err := cmd.Output()
	c, counting := r.counts()
	if err := errors.Join(err, counting, r.close()); err != nil {
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w:\n%s", err, failed.Stderr)
		}
		return fmt.Errorf("facts by python3-sushy: %w", err)
	}
	var said struct {
		Seconds float64
		Told    map[string]any
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return fmt.Errorf("facts by python3-sushy: %w: %s", err, out)
	}
	fmt.Printf("%-26s %8.2f s %14d", "1 host, python3-sushy", said.Seconds, c.Requests)
	var missing []string
	for part, what := range said.Told {
		if text, ok := what.(string); ok && strings.HasPrefix(text, "not told") {
			missing = append(missing, part)
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		fmt.Printf("   (it doesn't tell of: %s)", strings.Join(append(missing, "slots"), ", "))
	}
	fmt.Println()
	return nil
}
