package provisioner

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/act"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/ipmi"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/provisioner/plan"
	"github.com/ra2-deploy/ra2-deploy/provisioner/rules"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/templates"
)

// wanted returns what hosts and cluster are to become.
func (r *Run) wanted(files imageFiles, seen facts.Seen) (plan.Want, error) {
	w := plan.Want{
		Cluster: r.want, Image: files.digest(),
		Generations: map[string]string{}, Firmware: map[string]map[string]any{},
	}
	objects, err := templates.Objects(r.want)
	if err != nil {
		return w, err
	}
	w.Objects = digest(objects)
	w.Certificate = r.certificate()
	var errs []error
	for _, n := range r.want.Nodes {
		w.Generations[n.Name] = r.generation(n, files)
		h, ok := seen.Hosts[n.Name]
		if !ok {
			continue
		}
		differs, err := bios.Diff(r.want.Classes[n.Class].BIOS, h.BMC)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: %s: %w", ErrUsage, n.Name, err))
		}
		w.Firmware[n.Name] = differs
	}
	return w, errors.Join(errs...)
}

// certificate is the fingerprint of what firmware is given by us; empty is none.
func (r *Run) certificate() string {
	if s := r.want.SecureBoot; s == nil || !s.Enroll {
		return ""
	}
	return r.bootKeys.fingerprint()
}

// judge holds what was seen against RA2's minimums and against the inventory.
func (r *Run) judge(seen facts.Seen) []rules.Finding {
	all := append(rules.Judge(r.want, switches(seen), time.Now()), unsettable(r.want, seen)...)
	return append(all, rules.JudgeSecureBoot(r.want, seen, r.bootKeys.fingerprint())...)
}

// unsettable returns a finding for each firmware setting that a host can't
// have, so that all of them are told before anything is touched. A host whose
// settings can be brought about has none.
func unsettable(want inventory.Cluster, seen facts.Seen) []rules.Finding {
	var all []rules.Finding
	for _, n := range want.Nodes {
		h := seen.Hosts[n.Name]
		if !h.BMC.Reached {
			continue
		}
		_, err := bios.Diff(want.Classes[n.Class].BIOS, h.BMC)
		for _, refused := range bios.Refusals(err) {
			all = append(all, rules.Finding{
				Requirement: rules.Settings, Host: n.Name, Verdict: rules.Fail,
				Want: "firmware that takes the settings of class " + n.Class, Got: refused.Error(), Where: "Bios Attributes",
			})
		}
	}
	return all
}

// switches adds what the firmware's settings say of SMT where nobody else does.
func switches(seen facts.Seen) facts.Seen {
	hosts := maps.Clone(seen.Hosts)
	for name, h := range hosts {
		on, attribute := bios.State(bios.SMT, h.BMC)
		if h.BMC.SMT != nil || on == nil {
			continue
		}
		h.BMC.SMT, h.BMC.From = on, maps.Clone(h.BMC.From)
		if h.BMC.From == nil {
			h.BMC.From = map[string]string{}
		}
		h.BMC.From["smt"] = "BIOS attribute " + attribute
		hosts[name] = h
	}
	seen.Hosts = hosts
	return seen
}

// methods returns the ways to boot a host, best first: the inventory's own,
// then the other that its kind of firmware knows, then those that change more
// than one boot, then PXE asked for by IPMI and iPXE from the virtual CD. One that
// the inventory sends to virtual media can't do better.
func (r *Run) methods(node string) []string {
	n, _ := find(r.want, node)
	out, pxe := []string{n.Boot.Method}, ipmi.UEFIPXE
	switch {
	case n.Boot.Method == redfish.VirtualMedia, n.BMC.OnlyIPMI():
		return out
	case r.want.SecureBoot != nil:
		return r.signedMethods(n)
	case n.Boot.Method == ipmi.BIOSPXE:
		pxe = ipmi.BIOSPXE
	case n.Boot.Method == redfish.UEFIHTTP:
		out = append(out, redfish.UEFIPXE, act.BootOrder)
	default:
		out = append(out, redfish.UEFIHTTP, act.BootOrder)
	}
	if n.BMC.IPMI != "" {
		out = append(out, viaIPMI+pxe)
	}
	return append(out, act.VirtualMedia)
}

// signedMethods are the ways on which a signed program comes: firmware loads it
// itself. What a virtual CD holds is iPXE, which nobody signed.
func (r *Run) signedMethods(n inventory.Node) []string {
	other := redfish.UEFIHTTP
	if n.Boot.Method == redfish.UEFIHTTP {
		other = redfish.UEFIPXE
	}
	out := []string{n.Boot.Method, other, act.BootOrder}
	if n.BMC.IPMI != "" {
		out = append(out, viaIPMI+ipmi.UEFIPXE)
	}
	return out
}

// workflow returns how a host's installation is ordered: as the actions of a
// Tinkerbell Template, and the node's own configuration.
func (r *Run) workflow(files imageFiles) func(string, step.Install) (agent.Install, error) {
	return func(node string, v step.Install) (agent.Install, error) {
		n, ok := find(r.want, node)
		if !ok {
			return agent.Install{}, noNode(node)
		}
		actions, err := templates.InstallActions(files.install(v.Disk, v.KernelLine))
		config := r.nodeConfig(n, v)
		config.Addon = files.addons[v.KernelLine].digest
		return agent.Install{Actions: actions, Config: config}, err
	}
}

// nodeConfig is what differs between two nodes of one image. The installer
// adds its session, the only secret in it.
func (r *Run) nodeConfig(n inventory.Node, v step.Install) agent.NodeConfig {
	p := r.want.Provisioning
	c := agent.NodeConfig{
		Node: n.Name, Image: v.Image, Generation: v.Generation, MAC: n.Boot.MAC, ControlPlane: n.ControlPlane,
		Addresses: texts(n.Addresses), Gateways: texts(p.Gateways), DNS: texts(p.DNS), NTP: texts(p.NTP),
		Server: r.servers.url, Pin: r.servers.pin, Mirror: r.servers.mirror, KernelLine: v.KernelLine, Hosts: map[string]string{},
	}
	for _, vip := range r.want.Kubernetes.Endpoint.VIPs {
		c.Hosts[vip.String()] = r.want.Kubernetes.Endpoint.Host
	}
	for _, a := range n.Addresses {
		c.Hosts[a.Addr().String()] = n.Name
	}
	return c
}

// token returns the bootstrap token of one form or join. Forming makes its own
// with kubeadm; a join's is made in the cluster, which may be busy for a while.
func (r *Run) token(ctx context.Context, form bool) (secret.Value, error) {
	if form {
		return kubeadm.NewToken(rand.Reader)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	token, err := r.cluster.CreateBootstrapToken(ctx, kubeadm.TokenTTL)
	if err != nil {
		err = &step.Retry{After: 5 * time.Second, Reason: "the cluster gave no bootstrap token", Err: err}
	}
	return token, err
}

func texts[T fmt.Stringer](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
