package provisioner

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// controller is one host's management controller as doers and observers want it.
type controller struct {
	client *redfish.Client
	mu     sync.Mutex
	notice string       // what a person should know and what ends nothing
	tell   func(string) // hears what the client waits for; nil is nobody
}

// openControllers prepares one client for each host. Every secret that can't
// be had is told at once. Deep asks for what no rule judges, too.
func openControllers(c inventory.Cluster, beside string, deep bool) (map[string]*controller, error) {
	out := map[string]*controller{}
	wanted := map[string]func(name, display string) bool{} // by class: it holds a hundred patterns
	for name, class := range c.Classes {
		wanted[name] = bios.Wanted(class.BIOS)
	}
	var errs []error
	for _, n := range c.Nodes {
		password, err := reveal(n.BMC.Password, beside)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: the password of its management controller (%s): %w", n.Name, n.BMC.Password, err))
			continue
		}
		one := &controller{}
		one.client, err = redfish.New(redfish.Config{
			Host: n.Name, URL: n.BMC.URL, Username: n.BMC.Username, Password: password, Fingerprint: n.BMC.Fingerprint, Serial: n.Serial,
			Deep: deep, Waiting: one.waiting, Notice: one.note, Attributes: wanted[n.Class],
		})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[n.Name] = one
	}
	return out, errors.Join(errs...)
}

// closeControllers ends all sessions, at once: a rack has many.
func closeControllers(ctx context.Context, all map[string]*controller) error {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		errs []error
	)
	for _, c := range all {
		wg.Go(func() {
			if err := c.client.Close(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// note keeps what a person should know of this controller.
func (c *controller) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notice = text
}

// Notices returns what a person should know of the controllers and what ended
// nothing, by host.
func (r *Run) Notices() map[string]string {
	out := map[string]string{}
	for host, c := range r.controllers {
		c.mu.Lock()
		if c.notice != "" {
			out[host] = host + ": " + c.notice
		}
		c.mu.Unlock()
	}
	return out
}

func (c *controller) waiting(w redfish.Wait) {
	c.mu.Lock()
	tell := c.tell
	c.mu.Unlock()
	if tell != nil {
		tell(fmt.Sprintf("waiting for %s; last seen: %s", w.For, w.Last))
	}
}

// Facts implements observe.Controller.
func (c *controller) Facts(ctx context.Context) (facts.BMC, error) { return c.client.Facts(ctx) }

// once is a controller that is asked one time in this run: it is left as soon
// as it told its facts, for a rack has many and most wait for the slowest.
type once struct{ *controller }

// Facts implements observe.Controller.
func (o once) Facts(ctx context.Context) (facts.BMC, error) {
	got, err := o.controller.Facts(ctx)
	return got, errors.Join(err, o.client.Close(ctx))
}

// SetBoot implements act.Machine.
func (c *controller) SetBoot(ctx context.Context, method string) error {
	return c.client.SetBoot(ctx, method)
}

// Power implements act.Machine.
func (c *controller) Power(ctx context.Context, to string, tell func(string)) error {
	words := map[string]redfish.Power{act.PowerOn: redfish.On, act.PowerOff: redfish.Off, act.PowerCycle: redfish.Cycle}
	c.mu.Lock()
	c.tell = tell
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.tell = nil
		c.mu.Unlock()
	}()
	return c.client.Power(ctx, words[to])
}

// BIOS implements act.Machine.
func (c *controller) BIOS(ctx context.Context) (map[string]any, error) { return c.client.BIOS(ctx) }

// SetBIOS implements act.Firmware.
func (c *controller) SetBIOS(ctx context.Context, attributes map[string]any) error {
	_, err := c.client.SetBIOS(ctx, attributes)
	return err
}

// BIOSJob tells how the job of the last SetBIOS stands.
func (c *controller) BIOSJob(ctx context.Context) (said string, failed bool, err error) {
	j, err := c.client.BIOSJob(ctx)
	return j.String(), j.State == redfish.JobFailed, err
}
