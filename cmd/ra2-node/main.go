// Command ra2-node is the part of ra2-deploy that runs on a host: PID 1 of the
// initramfs (of the installer and of the installed system), the service that
// makes a node of the installed system, and the watch of its verified root.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/boot"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/install"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/kmod"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/say"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/serve"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/watch"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

func main() {
	switch {
	case filepath.Base(os.Args[0]) == "modprobe":
		os.Exit(modprobe(os.Args[1:]))
	case os.Getpid() == 1:
		pid1.Main(map[string]pid1.Mode{agent.ModeInstall: install.Run, agent.ModeNetboot: install.Signed, agent.ModeBoot: boot.Run})
	case len(os.Args) == 2 && os.Args[1] == "serve":
		os.Exit(service("serve", serve.Run))
	case len(os.Args) == 2 && os.Args[1] == "watch":
		os.Exit(service("watch", watch.Run))
	case len(os.Args) == 2 && os.Args[1] == "version":
		fmt.Println("ra2-node", version())
	default:
		fmt.Fprintln(os.Stderr, "usage: ra2-node serve|watch|version; as PID 1 it reads ra2.mode from the kernel line")
		os.Exit(2)
	}
}

func service(name string, run func(context.Context, func(string, ...any)) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	err := run(ctx, say.New(os.Stdout).Say)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "ra2-node "+name+":", err)
		return 1
	}
	return 0
}

// modprobe answers the kernel's own request for a module: "modprobe -q -- name".
func modprobe(args []string) int {
	var uts unix.Utsname
	if len(args) == 0 || unix.Uname(&uts) != nil {
		return 1
	}
	modules, err := kmod.Open("/", unix.ByteSliceToString(uts.Release[:]))
	if err != nil || modules.Load(args[len(args)-1]) != nil {
		return 1
	}
	return 0
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
