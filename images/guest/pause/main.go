// Command pause holds the namespaces of a pod: it sleeps, reaps the children
// that others left to it, and ends on a signal. It does what Kubernetes' own
// pause does (build/pause/linux/pause.c), without a C compiler.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-v" {
		fmt.Println("pause 3.10.2 (ra2-deploy)")
		return
	}
	os.Exit(wait(signals()))
}

func signals() <-chan os.Signal {
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	return ch
}

// wait reaps until it is told to end.
func wait(ch <-chan os.Signal) int {
	for s := range ch {
		if s != syscall.SIGCHLD {
			return 0
		}
		for reap() {
		}
	}
	return 0
}

// reap takes one ended child away and tells whether there was one.
func reap() bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	return err == syscall.EINTR || pid > 0
}
