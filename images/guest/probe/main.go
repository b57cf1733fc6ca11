// Command ra2-probe is what probes run in pods: a small web server that says who
// answers, a client that says who was reached, and what writes and reads files.
//
//	ra2-probe serve [-listen :8080] [-for 0]  answer every GET, and every UDP packet to the same port, with an Answer
//	ra2-probe get [-timeout 5s] [-tries 1] [-host NAME] URL...   ask; udp://HOST:PORT asks by UDP
//	ra2-probe write PATH TEXT                 write a file to its disk, and read it again
//	ra2-probe read PATH...                    tell what files hold
//	ra2-probe fill PATH BYTES                 write a file of that size, and keep it until told to end
//	ra2-probe map PATH BYTES                  make a file of huge pages, and write to each of them
//	ra2-probe processors                      tell which processors it may run on, now and whenever that changes
//	ra2-probe sleep                           do nothing until told to end
//
// Each URL, file and change is one JSON line. Exit status: 0 when every URL answered
// 200 and every file could be used, 1 when one didn't, 2 for wrong usage.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	if len(args) == 0 {
		args = []string{"serve"}
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], errs)
	case "get":
		return get(ctx, args[1:], out, errs)
	case "write", "read", "fill", "map":
		return files(ctx, args, out, errs)
	case "processors":
		return watch(ctx, out)
	case "sleep":
		<-ctx.Done()
		return 0
	}
	fmt.Fprintf(errs, "ra2-probe: %q is no command: use serve, get, write, read, fill, map, processors or sleep\n", args[0])
	return 2
}
