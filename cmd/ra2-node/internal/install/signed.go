package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/nic"
	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// Signed is the install by a signed boot program, which is one for all hosts:
// its own table says which of them this machine is. It returns only with an
// error.
func Signed(sys *pid1.System) error {
	text, err := os.ReadFile(agent.HostsFile)
	if err != nil {
		return fmt.Errorf("read the hosts of the boot program: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), linkDeadline)
	defer cancel()
	if sys.Line, err = whoAmI(ctx, string(text), nic.MACs, sys.Say); err != nil {
		return err
	}
	sys.Say("this is %s, by its NIC %s", sys.Line.Node, sys.Line.MAC)
	return Run(sys)
}

// whoAmI waits for a NIC that is in the table: drivers show theirs one after
// the other.
func whoAmI(ctx context.Context, table string, present func() ([]net.HardwareAddr, error), say func(string, ...any)) (agent.KernelLine, error) {
	for told := time.Now(); ; {
		macs, err := present()
		if err != nil {
			return agent.KernelLine{}, err
		}
		line, err := agent.FindHost(table, macs)
		if !errors.Is(err, agent.ErrNoHost) {
			return line, err
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			say("waiting for a NIC of a host that this boot program knows; present: %v", macs)
		}
		select {
		case <-ctx.Done():
			return line, fmt.Errorf("%w: present are %v; is the driver in the installer, is the inventory's MAC right? After a change of the inventory the program is made anew", err, macs)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ticket returns the one-time ticket: laid by the loader, or asked for where a
// signed program was booted, to which no loader can add anything.
func ticket(ctx context.Context, sys *pid1.System) (string, error) {
	if sys.Line.Ticket == "" {
		text, err := os.ReadFile(ticketFile)
		if err != nil {
			return "", fmt.Errorf("read the one-time ticket: %w: was the initrd piece ticket.cpio loaded?", err)
		}
		_ = os.Remove(ticketFile)
		return strings.TrimSpace(string(text)), nil
	}
	var text string
	err := again(ctx, sys.Say, "one-time ticket from "+sys.Line.Ticket, claimDeadline, func(ctx context.Context) (err error) {
		text, err = fetchTicket(ctx, sys.Line.Ticket)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("ask for the one-time ticket: %w", err)
	}
	return text, nil
}

// maxTicket bounds what is taken for a ticket, in bytes.
const maxTicket = 4096

// fetchTicket asks once. It goes over plain HTTP, as a loader would: whoever
// takes the ticket first has only that, and our claim is refused then.
func fetchTicket(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxTicket+1))
	switch {
	case err != nil:
		return "", err
	case res.StatusCode == http.StatusGone:
		return "", &agent.Refused{Request: "GET " + url, Status: res.StatusCode, Text: "it was served before in this install step: another machine took it, or this one restarted"}
	case res.StatusCode != http.StatusOK:
		return "", fmt.Errorf("GET %s: %s", url, res.Status)
	case len(body) > maxTicket:
		return "", fmt.Errorf("GET %s: more than %d bytes are no ticket", url, maxTicket)
	}
	return strings.TrimSpace(string(body)), nil
}
