package provisioner

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// agentPort is where ra2-node finds the agent API.
const agentPort = 8443

// servers answer hosts while a run lasts: netboot and the agent API. Nothing
// is answered to a host without an open install step or a session.
type servers struct {
	cluster inventory.Cluster
	files   imageFiles
	url     string // of the agent API
	pin     string
	program string // file of the signed boot program; empty without Secure Boot
	mirror  *agent.Mirror
	run     string // names this run in tickets
	table   *netboot.Table
	agent   *agent.Server
	signals *act.Signals
	known   knower
	state   state
	notice  func(node, text string)
	stop    context.CancelFunc
	wg      sync.WaitGroup
	failed  chan error
}

// serve opens all sockets and answers until close. A port in use is told
// before any host is switched on.
func serve(ctx context.Context, c inventory.Cluster, st state, files imageFiles, signals *act.Signals, known knower, notice func(node, text string)) (*servers, error) {
	s, key, err := newServers(c, st, files, signals, known, notice)
	if err == nil {
		s.program, err = program(c, files, s.url, s.pin)
	}
	if err != nil {
		return nil, err
	}
	return s, s.listen(ctx, key)
}

// hear opens the agent API alone: hosts can say what they run, and none can boot.
func hear(ctx context.Context, c inventory.Cluster, st state, known knower, notice func(node, text string)) (*servers, error) {
	s, key, err := newServers(c, st, imageFiles{}, &act.Signals{}, known, notice)
	if err != nil {
		return nil, err
	}
	if err := s.listenAgents(ctx, key); err != nil {
		return nil, fmt.Errorf("hosts without a cluster can only tell themselves what they run: %w", err)
	}
	return s, nil
}

// newServers prepares both servers; neither listens.
func newServers(c inventory.Cluster, st state, files imageFiles, signals *act.Signals, known knower, notice func(node, text string)) (*servers, *ecdsa.PrivateKey, error) {
	key, err := st.agentKey()
	if err != nil {
		return nil, nil, err
	}
	pin, err := agent.Pin(key.Public())
	if err != nil {
		return nil, nil, err
	}
	registry, err := mirrorOf(c, key)
	if err != nil {
		return nil, nil, err
	}
	s := &servers{
		cluster: c, files: files, pin: pin, mirror: registry, run: time.Now().UTC().Format("20060102T150405"), table: &netboot.Table{},
		url: agentURL(c), signals: signals, known: known, state: st, notice: notice,
		failed: make(chan error, 2),
	}
	s.agent = agent.NewServer(agent.Config{
		Accept: s.accept, Report: s.report, Hello: s.hello, Notice: notice, File: files.find,
		SaveSessions: func(saved []agent.SavedSession) {
			if err := st.saveSessions(saved); err != nil {
				notice("", "the sessions of the hosts could not be kept: "+err.Error())
			}
		},
	})
	saved, err := st.sessions()
	if err == nil {
		err = s.agent.Restore(saved)
	}
	return s, key, err
}

// agentURL is where hosts find the agent API of an inventory's provisioner.
func agentURL(c inventory.Cluster) string {
	return urlOf(ownAddresses(c)[0], agentPort)
}

// close ends all servers and waits for them.
func (s *servers) close() error {
	s.stop()
	s.wg.Wait()
	select {
	case err := <-s.failed:
		return err
	default:
		return nil
	}
}

// Open implements act.Boots.
func (s *servers) Open(node string) error {
	n, ok := find(s.cluster, node)
	if !ok {
		return noNode(node)
	}
	mac, err := netboot.ParseMAC(n.Boot.MAC)
	if err != nil {
		return err
	}
	args, err := kernelLine(s.cluster, n, s.url, s.pin)
	if err != nil {
		return err
	}
	addrs := make([]netip.Addr, 0, len(n.Addresses))
	for _, a := range n.Addresses {
		addrs = append(addrs, a.Addr())
	}
	ticket := s.agent.Ticket(node, s.run, addrs, time.Now().Add(time.Hour))
	return s.table.Open(netboot.Boot{
		Node: node, MAC: mac, Addrs: n.Addresses, Hostname: node, Method: n.Boot.Method,
		Gateway: family4(s.cluster.Provisioning.Gateways), DNS: s.cluster.Provisioning.DNS, NTP: s.cluster.Provisioning.NTP,
		Kernel: s.files.path(agent.FileKernel), Initrd: s.files.path(agent.FileInitrd), Args: args, Program: s.program, Ticket: secret.New(ticket),
	})
}

// image returns the URL of a host's boot image for virtual media.
func (s *servers) image(node string) string {
	n, _ := find(s.cluster, node)
	mac, _ := netboot.ParseMAC(n.Boot.MAC) // checked with the inventory
	return netboot.Config{Addr: s.addresses()[0]}.MediaURL(mac)
}

// Close implements act.Boots.
func (s *servers) Close(node string) {
	s.agent.Close(node)
	if n, ok := find(s.cluster, node); ok {
		if mac, err := netboot.ParseMAC(n.Boot.MAC); err == nil {
			s.table.Close(mac)
		}
	}
}

// Order implements act.Orders.
func (s *servers) Order(node string, w agent.Word) { s.agent.SetWord(node, w) }

// accept judges a claim: is this the machine of the inventory?
func (s *servers) accept(c agent.Claim) error {
	n, ok := find(s.cluster, c.Node)
	if !ok {
		return noNode(c.Node)
	}
	bmc := s.known(c.Node)
	err := sameSerial(n, bmc, c.Facts)
	if !slices.Contains(c.Facts.MACs, n.Boot.MAC) {
		err = errors.Join(err, fmt.Errorf("it has no NIC with the MAC %s, only %v", n.Boot.MAC, c.Facts.MACs))
	}
	if !slices.ContainsFunc(c.Facts.Disks, func(d agent.Disk) bool { return isDisk(n.Disk, d) }) {
		err = errors.Join(err, fmt.Errorf("it has no disk with %s, only %s", n.Disk, disks(c.Facts.Disks)))
	}
	err = errors.Join(err, s.verified(c.Facts.Hardware))
	if err != nil {
		s.signals.Tell(c.Node, act.Signal{Kind: act.KindRefused, Note: err.Error(), Err: err})
		return err
	}
	if err := s.state.keepHardware(c, bmc, time.Now()); err != nil {
		s.notice(c.Node, "what it told of its hardware could not be kept: "+err.Error())
	}
	s.signals.Tell(c.Node, act.Signal{Kind: act.KindClaim, Note: "the installer claimed its identity; serial " + c.Facts.Serial})
	return nil
}

// sameSerial compares what a machine says that it is with the inventory. By which
// of its numbers a controller is known differs: a Dell tells its kernel the
// service tag. Each number that the controller of this host tells will do.
func sameSerial(n inventory.Node, bmc facts.BMC, in agent.InBand) error {
	bmc.Serials = append([]string{n.Serial}, bmc.Numbers()...)
	known, same := facts.Host{BMC: bmc, Agent: facts.Agent{Serial: in.Serial, UUID: in.UUID}}.Agrees()
	if n.Serial == "" || same || !known {
		return nil
	}
	return fmt.Errorf("it says that its serial is %q, the inventory and its controller say %q", in.Serial, slices.Compact(bmc.Serials))
}

// isDisk reports whether a disk that a host sees is the one of the inventory:
// both that are given, serial and WWN, have to be its own.
func isDisk(want inventory.Disk, got agent.Disk) bool {
	if want.Serial != "" && !strings.EqualFold(want.Serial, strings.TrimSpace(got.Serial)) {
		return false
	}
	return want.WWN == "" || want.WWN == inventory.NormalWWN(got.WWN)
}

// disks lists what a host has, for the person who mends the inventory.
func disks(all []agent.Disk) string {
	if len(all) == 0 {
		return "no disks at all"
	}
	var out []string
	for _, d := range all {
		out = append(out, fmt.Sprintf("%s (%s, serial %s, wwn %s, %.0f GB)", d.Name, orNothing(d.Model), orNothing(d.Serial), orNothing(d.WWN), float64(d.Bytes)/1e9))
	}
	return strings.Join(out, ", ")
}

func (s *servers) report(node string, r agent.Report) {
	note := r.Note
	if note == "" && r.Phase != "" {
		note = r.Phase + ": " + r.Status
		if r.Took > 0 {
			note += fmt.Sprintf(" in %.1f s", float64(r.Took)/1000)
		}
	}
	s.signals.Tell(node, act.Signal{Kind: act.KindReport, Note: note, Evidence: r.Evidence, Report: &r})
}

func (s *servers) hello(node string, h agent.Hello) {
	s.signals.Tell(node, act.Signal{Kind: act.KindHello, Hello: &h})
}

// booted turns what netboot saw into signals.
func (s *servers) booted(e netboot.Event) {
	if s.stranger(e) {
		s.notice(e.Node, fmt.Sprintf("%s read its boot script; that address is not this host's", e.From))
		return
	}
	kinds := map[netboot.Kind]act.Kind{
		netboot.Asked: act.KindDHCP, netboot.Media: act.KindMedia, netboot.Loader: act.KindLoader, netboot.Script: act.KindScript,
		netboot.Program: act.KindScript, netboot.Progress: act.KindLoader, netboot.Fetched: act.KindLoader,
	}
	if e.Kind == netboot.Asked && e.Client.Persona == netboot.Plain {
		return // an operating system that asks for a lease, not firmware
	}
	if kind, ok := kinds[e.Kind]; ok && e.Node != "" {
		s.signals.Tell(e.Node, act.Signal{Kind: kind, Note: strings.TrimPrefix(e.String(), e.Node+" ")})
		return
	}
	switch e.Kind {
	case netboot.Refused, netboot.Loop, netboot.Foreign, netboot.Declined, netboot.Trouble:
		s.notice(e.Node, e.String())
	}
}

// stranger reports whether a boot script was read by somebody else than its
// host. The script is no secret; but a host that reads it has restarted, and
// nobody else may make us believe that. Beside a site's own DHCP server the
// host's address is not known for sure, and the script alone tells.
func (s *servers) stranger(e netboot.Event) bool {
	n, known := find(s.cluster, e.Node)
	from, err := netip.ParseAddrPort(e.From)
	if e.Kind != netboot.Script || s.cluster.Provisioning.DHCP != inventory.DHCPAuthoritative || !known || err != nil {
		return false
	}
	return !slices.ContainsFunc(n.Addresses, func(p netip.Prefix) bool { return p.Addr() == from.Addr().Unmap() })
}

// notices turns a notice into an event of no step.
func notices(tell func(step.Event)) func(node, text string) {
	return func(node, text string) {
		tell(step.Event{Time: time.Now(), Step: "network", Host: node, Status: step.Noted, Note: text})
	}
}
