// Command bench measures ra2-deploy as a user feels it, beside another way to
// do the same where there is one.
//
//	go run ./e2e/bench NAME [FLAGS]
//
// The programs in bin/ are measured, as `go tool task bench:NAME` builds them.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// benches are the measurements by name. Each gets the rest of the command line.
func benches() map[string]func(ctx context.Context, args []string) error {
	return map[string]func(context.Context, []string) error{
		"image":    benchImage,
		"up":       benchUp,
		"serve":    benchServe,
		"validate": benchValidate,
		"verify":   benchVerify,
		"rack":     serveRack, // by benchValidate, as a process of its own
		"served":   serveFile, // by benchServe, as a process of its own
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	all := benches()
	if len(os.Args) < 2 || all[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "bench: name one of %s\n", strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		os.Exit(2)
	}
	if err := all[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
