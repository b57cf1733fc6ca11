package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// Checker looks at the data of a workload, and says what it saw. An error means
// that the data, or the way to it, isn't there.
type Checker func(context.Context) (said string, err error)

// NewChecker returns the check that a user writes: an address that has to answer
// with 2xx, or a command of the shell that has to end with 0.
func NewChecker(text string) Checker {
	if strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://") {
		return func(ctx context.Context) (string, error) { return get(ctx, text) }
	}
	return func(ctx context.Context) (string, error) {
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", text)
		cmd.WaitDelay = time.Second // what it started may hold its output open
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
}

// get asks on a connection of its own: one that is kept would hide that no new one
// can be made.
func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err == nil && resp.StatusCode/100 != 2 {
		err = errors.New(resp.Status)
	}
	return strings.TrimSpace(string(body)), err
}

// check makes one check.
func (c Checker) check(ctx context.Context, when string, longest time.Duration) app.Check {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	began := time.Now()
	said, err := c(ctx)
	out := app.Check{When: when, OK: err == nil, Said: conform.Trim(said), Took: time.Since(began), At: began.UTC()}
	if err != nil {
		out.Said = conform.Trim(strings.TrimSuffix(fmt.Sprintf("%v: %s", err, said), ": "))
	}
	return out
}
