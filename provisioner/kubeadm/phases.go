package kubeadm

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
)

// minute is the unit of wire.Phase.Timeout.
const minute int64 = 60

// Form is the order for the first control plane: kubeadm init, phase by phase.
// extra are files that the node needs beside those of kubeadm (keepalived's
// configuration at KeepalivedPath).
func Form(in Input, pki PKI, extra ...wire.File) (wire.Join, error) {
	config, err := Init(in)
	if err != nil {
		return wire.Join{}, err
	}
	files, err := pki.controlPlaneFiles()
	if err != nil {
		return wire.Join{}, err
	}
	files = append(files, configFile(config), resolvConf(in.Cluster.Provisioning))
	return wire.Join{Files: append(files, extra...), Phases: initPhases()}, nil
}

// JoinNode is the order for a node that joins a cluster that was formed, as
// control plane or as worker as its inventory says.
func JoinNode(in Input, pki PKI, extra ...wire.File) (wire.Join, error) {
	config, err := Join(in)
	if err != nil {
		return wire.Join{}, err
	}
	discovery, err := pki.Kubeconfig(in.Cluster.Name, "https://"+endpoint(in.Cluster.Kubernetes), in.Node.Name, Leaf{})
	if err != nil {
		return wire.Join{}, fmt.Errorf("render the discovery file of %s: %w", in.Node.Name, err)
	}
	files := []wire.File{
		configFile(config),
		resolvConf(in.Cluster.Provisioning),
		{Path: DiscoveryPath, Mode: 0o600, Data: []byte(discovery.Reveal())},
	}
	if !in.Node.ControlPlane {
		// A worker must not have ca.crt yet: kubeadm writes it, and its preflight
		// takes an existing one for the remains of another cluster.
		return wire.Join{Files: append(files, extra...), Phases: workerPhases()}, nil
	}
	shared, err := pki.controlPlaneFiles()
	if err != nil {
		return wire.Join{}, err
	}
	files = append(shared, files...)
	return wire.Join{Files: append(files, extra...), Phases: controlPlanePhases()}, nil
}

func configFile(config []byte) wire.File {
	return wire.File{Path: ConfigPath, Mode: 0o600, Data: config}
}

// resolvConf is what pods resolve by. CoreDNS refuses to start when it has no
// name server to forward to, so a site without one gets an address that never
// answers (192.0.2.1, RFC 5737): names outside of the cluster then fail, names
// inside don't.
func resolvConf(p inventory.Provisioning) wire.File {
	servers := p.DNS
	if len(servers) == 0 {
		servers = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, 1})}
	}
	var text strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&text, "nameserver %s\n", s)
	}
	return wire.File{Path: ResolvConfPath, Mode: 0o644, Data: []byte(text.String())}
}

// keepalived is up before the API server; it takes the address only when the
// API server answers /readyz.
func keepalived() wire.Phase {
	return wire.Phase{Name: "keepalived", Command: []string{"systemctl", "restart", "keepalived.service"}, Tries: 3, Timeout: 1 * minute}
}

// initPhases are the phases of "kubeadm init" that apply here, in kubeadm's
// order. upload-certs is left out (the keys come as files), and
// show-join-command, which would print a token.
func initPhases() []wire.Phase {
	phase := func(name string, tries int, minutes int64, args ...string) wire.Phase {
		command := append(append([]string{"kubeadm", "init", "phase"}, strings.Fields(name)...), "--config", ConfigPath)
		return wire.Phase{Name: "init " + name, Command: append(command, args...), Tries: tries, Timeout: minutes * minute}
	}
	return []wire.Phase{
		keepalived(),
		phase("preflight", 5, 3),
		phase("certs all", 3, 2),
		phase("kubeconfig all", 3, 2),
		phase("etcd local", 3, 2),
		phase("control-plane all", 3, 2),
		phase("kubelet-start", 3, 3),
		only("init", "wait-control-plane", 3, 15,
			"preflight", "certs", "kubeconfig", "etcd", "control-plane", "kubelet-start", "upload-config", "upload-certs",
			"mark-control-plane", "bootstrap-token", "kubelet-finalize", "addon", "show-join-command"),
		phase("upload-config all", 5, 4),
		phase("mark-control-plane", 5, 4),
		phase("bootstrap-token", 5, 4, "--skip-token-print"),
		phase("kubelet-finalize all", 5, 4),
		phase("addon coredns", 5, 4),
		phase("addon kube-proxy", 5, 4),
	}
}

// controlPlanePhases are the phases of "kubeadm join" for another control
// plane. etcd-join has the most tries: kubeadm gives each call to etcd two
// seconds, and a learner can't be promoted before it has caught up.
func controlPlanePhases() []wire.Phase {
	return []wire.Phase{
		keepalived(),
		joinPhase("preflight", 5, 5),
		joinPhase("control-plane-prepare certs", 5, 4),
		joinPhase("control-plane-prepare kubeconfig", 5, 4),
		joinPhase("control-plane-prepare control-plane", 5, 4),
		joinPhase("kubelet-start", 5, 5),
		joinPhase("etcd-join", 20, 6),
		joinPhase("kubelet-wait-bootstrap", 3, 12),
		joinPhase("control-plane-join mark-control-plane", 5, 4),
		// Not skipping check-etcd is on purpose: it looks at etcd's health once
		// more, and reads the cluster's configuration, which join's last words need.
		only("join", "wait-control-plane", 5, 15,
			"preflight", "control-plane-prepare", "kubelet-start", "etcd-join", "kubelet-wait-bootstrap", "control-plane-join"),
	}
}

// workerPhases are the phases of "kubeadm join" for a worker.
func workerPhases() []wire.Phase {
	return []wire.Phase{
		joinPhase("preflight", 5, 5),
		joinPhase("kubelet-start", 5, 5),
		// As a phase of its own this one wants admin.conf, which a worker never has
		// (newJoinData in cmd/kubeadm/app/cmd/join.go).
		only("join", "kubelet-wait-bootstrap", 3, 12,
			"preflight", "control-plane-prepare", "check-etcd", "kubelet-start", "etcd-join", "control-plane-join", "wait-control-plane"),
	}
}

func joinPhase(name string, tries int, minutes int64) wire.Phase {
	command := append(append([]string{"kubeadm", "join", "phase"}, strings.Fields(name)...), "--config", ConfigPath)
	return wire.Phase{Name: "join " + name, Command: command, Tries: tries, Timeout: minutes * minute}
}

// only runs one phase by skipping all others. "kubeadm init phase
// wait-control-plane" and its sister of join take no --config: they would fall
// back to the address of the default route and to a version found on the internet.
func only(command, name string, tries int, minutes int64, skip ...string) wire.Phase {
	return wire.Phase{
		Name:    command + " " + name,
		Command: []string{"kubeadm", command, "--config", ConfigPath, "--skip-phases", strings.Join(skip, ",")},
		Tries:   tries, Timeout: minutes * minute,
	}
}
