package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/verify"
)

const (
	routerTime = 10 * time.Second // that one question may take
	routerSays = 4 << 20          // bytes of an answer that are read
)

// routers returns those that the user names by commands. A command is the shell's, and
// finds the address that is asked for in ADDRESS, and in FAMILY "ipv4" or "ipv6".
func routers(commands []string) []verify.Router {
	var all []verify.Router
	for _, command := range commands {
		all = append(all, verify.Router{Name: command, Ask: func(ctx context.Context, a netip.Addr) ([]byte, error) { return askRouter(ctx, command, a) }})
	}
	return all
}

func askRouter(ctx context.Context, command string, a netip.Addr) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, routerTime, fmt.Errorf("a router may take %v to answer", routerTime))
	defer cancel()
	family := "ipv4"
	if a.Is6() {
		family = "ipv6"
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = append(os.Environ(), "ADDRESS="+a.String(), "FAMILY="+family)
	told := limited{&out, routerSays}
	cmd.Stdout, cmd.Stderr = &told, &limited{&errs, routerSays}
	cmd.WaitDelay = time.Second // a child of the shell may keep its output open
	err := cmd.Run()
	switch {
	case told.left < 0: // the command ended by its closed output
		return nil, told.full()
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, cmp.Or(strings.TrimSpace(errs.String()), "it printed no error"))
	}
	return out.Bytes(), nil
}

// limited takes so many bytes, and then no more: a router of the internet's core has
// a million routes.
type limited struct {
	to   *bytes.Buffer
	left int
}

// Write implements io.Writer.
func (l *limited) Write(data []byte) (int, error) {
	if l.left -= len(data); l.left < 0 {
		return 0, l.full()
	}
	return l.to.Write(data)
}

func (l *limited) full() error {
	return fmt.Errorf("it prints more than %d MiB: ask for one address, $ADDRESS", routerSays>>20)
}
