// Package install is the network-booted system: it claims the host's identity,
// asks what to do, writes the disk that it is told to and starts what it wrote.
package install

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/host"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/nic"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// Deadlines of the waits. The provisioner's own are shorter: these only keep a
// forgotten host from waiting for ever.
const (
	linkDeadline  = 90 * time.Second
	claimDeadline = 10 * time.Minute
	wordDeadline  = time.Hour
)

// ticketFile is laid by the one-shot initrd piece.
const ticketFile = "/ra2/ticket"

// Run is the whole install. It returns only with an error.
func Run(sys *pid1.System) error {
	ctx := context.Background()
	if err := network(ctx, sys); err != nil {
		return err
	}
	client, err := agent.NewClient(sys.Line.Server, sys.Line.Pin, "")
	if err != nil {
		return err
	}
	var skew time.Duration
	client.Skew = func(d time.Duration) { skew = d }
	if err := claim(ctx, sys, client); err != nil {
		return err
	}
	client.Skew = nil
	if pid1.SetClock(skew) {
		sys.Say("clock moved by %s to that of the provisioner", skew.Round(time.Second))
	}
	t := &teller{client: client, say: sys.Say}
	order, err := wait(ctx, sys, client)
	if err == nil {
		err = newWorker(sys, client, t).do(ctx, order)
	}
	t.failed(ctx, err)
	return err
}

func network(ctx context.Context, sys *pid1.System) error {
	ctx, cancel := context.WithTimeout(ctx, linkDeadline)
	defer cancel()
	line := sys.Line
	if err := nic.Up(ctx, nic.Settings{MAC: line.MAC, Addresses: line.Addresses, Gateways: line.Gateways}, sys.Say); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	sys.Say("network is up: %v on %s", line.Addresses, line.MAC)
	return nil
}

// claim shows the ticket. Only when no answer came is it shown again: the
// server may be starting. A refusal is final.
func claim(ctx context.Context, sys *pid1.System, client *agent.Client) error {
	ticket, err := ticket(ctx, sys)
	if err != nil {
		return err
	}
	pid1.MountVariables()
	c := agent.Claim{Node: sys.Line.Node, Ticket: ticket, Facts: settled(host.Root("/"), sys.Line.Disk)}
	sys.Say("this is %s; %d CPUs, %d MiB, disks: %s", orUnknown(c.Facts.Serial), c.Facts.CPUs, c.Facts.MemoryKiB>>10, disks(c.Facts.Disks))
	err = again(ctx, sys.Say, "an answer to the claim from "+sys.Line.Server, claimDeadline, func(ctx context.Context) error {
		c.Clock = time.Now()
		return client.Claim(ctx, c)
	})
	if err != nil {
		return fmt.Errorf("claim the identity of %s: %w", sys.Line.Node, err)
	}
	sys.Say("the provisioner knows this host as %s", sys.Line.Node)
	return nil
}

// settled reads the facts once the disk to write is there: controllers show
// their disks one after the other. After 20 s it tells what there is; the
// provisioner refuses the claim and names the disks.
func settled(root host.Root, disk string) agent.InBand {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if _, err := host.FindDisk(root.Disks(), disk); err == nil {
			break
		}
		time.Sleep(250 * time.Millisecond)
	}
	return root.Facts()
}

// wait asks for the order to install until it comes.
func wait(ctx context.Context, sys *pid1.System, client *agent.Client) (agent.Install, error) {
	end := time.Now().Add(wordDeadline)
	sys.Say("waiting for the order to install, until %s", end.Format(time.TimeOnly))
	for time.Now().Before(end) {
		var word agent.Word
		err := again(ctx, sys.Say, "a word from "+sys.Line.Server, time.Until(end), func(ctx context.Context) (err error) {
			word, err = client.Word(ctx, agent.Hello{Stage: agent.StageInstaller, Clock: time.Now()})
			return err
		})
		if err != nil {
			return agent.Install{}, fmt.Errorf("wait for the order to install: %w", err)
		}
		if word.Install != nil {
			return *word.Install, nil
		}
	}
	return agent.Install{}, fmt.Errorf("no order to install came within %s", wordDeadline)
}

// again calls try until it succeeds, is refused, or the deadline passes.
func again(ctx context.Context, say func(string, ...any), what string, limit time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		err := try(ctx)
		if err == nil || final(err) {
			return err
		}
		say("no %s: %v; asking again in %s", what, err, pause)
		select {
		case <-ctx.Done():
			return fmt.Errorf("no %s within %s: %w", what, limit, err)
		case <-time.After(pause):
		}
	}
}

// final reports whether asking again can't help.
func final(err error) bool {
	var refused *agent.Refused
	var pin *agent.PinError
	return errors.As(err, &refused) && !refused.Temporary() || errors.As(err, &pin)
}

func disks(list []agent.Disk) string {
	var texts []string
	for _, d := range list {
		texts = append(texts, host.Disk{Disk: d}.String())
	}
	if texts == nil {
		return "none"
	}
	return strings.Join(texts, ", ")
}

func orUnknown(serial string) string {
	if serial == "" {
		return "a machine without a serial number"
	}
	return "serial " + serial
}
