package e2e

import (
	"fmt"
	"strings"
	"time"
)

// sabotages are what is done, in groups of what is done at once.
func sabotages() [][]sabotage {
	all := [][]sabotage{ofHardware(), ofSystems()}
	all = append(all, ofServices()...)
	all = append(all, ofControl()...)
	return append(all, ofBehaviour()...)
}

// ofHardware breaks what the kernel's files of a machine say.
func ofHardware() []sabotage {
	file := func(row, name, path, good, bad string) sabotage {
		return sabotage{rows: row, name: name, do: []string{"worker-a: echo " + bad + " > " + path}, undo: []string{"worker-a: echo " + good + " > " + path}}
	}
	on := func(row, name, do, undo string) sabotage {
		return sabotage{rows: row, name: name, do: []string{"worker-a: " + do}, undo: []string{"worker-a: " + undo}}
	}
	const net, smt = "/run/server/net/ens1f", "/run/server/cpu/smt/"
	return []sabotage{
		on("ra2.ch.002", "cards without SR-IOV", "for i in 0 1 2 3; do echo 0 > "+net+"$i/device/sriov_totalvfs; done", "for i in 0 1 2 3; do echo 64 > "+net+"$i/device/sriov_totalvfs; done"),
		on("ra2.ch.003", "virtual functions that were not made", "for i in 0 1 2 3; do echo 0 > "+net+"$i/device/sriov_numvfs; done", "for i in 0 1 2 3; do echo 8 > "+net+"$i/device/sriov_numvfs; done"),
		on("ra2.ch.004", "SMT off", "echo 0 > "+smt+"active; echo forceoff > "+smt+"control", "echo 1 > "+smt+"active; echo on > "+smt+"control"),
		on("ra2.ch.008", "19 cores in a socket", "for c in 19 59; do echo 0 > /run/server/cpu/cpu$c/topology/core_id; done", "for c in 19 59; do echo 19 > /run/server/cpu/cpu$c/topology/core_id; done"),
		file("ra2.ch.009", "a hard disk", "/sys/block/sda/queue/rotational", "0", "1"),
		on("ra2.ch.013 ra2.ch.014 ra2.ch.015", "three ports", "mv "+net+"3 /run/port", "mv /run/port "+net+"3"),
		on("ra2.ch.016", "seven slots", "cd /run/server/firmware/dmi/tables; cp DMI /run/DMI; tail -c +24 /run/DMI > DMI", "cat /run/DMI > /run/server/firmware/dmi/tables/DMI"),
		on("ra2.ch.012", "16 GiB of memory", memory("16777216"), memory("268435456")),
	}
}

// memory lets a machine have so many KiB; the file stays the one that is laid over.
func memory(kib string) string {
	return "sed 's/^MemTotal:.*/MemTotal: " + kib + " kB/' /proc/meminfo > /run/memory; cat /run/memory > /run/server/meminfo; systemctl restart kubelet"
}

// kubelet sets a key of a kubelet's configuration.
func kubelet(node, key, value string) string {
	return fmt.Sprintf("%s: sh /run/kubelet %s %s", node, key, value)
}

// daemonSet makes one that is known by its image, and runs nowhere.
func daemonSet(name, image string) (on, off []string) {
	object := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"namespace":"kube-system","name":%q},"spec":{"selector":{"matchLabels":{"app":%[1]q}},`+
		`"template":{"metadata":{"labels":{"app":%[1]q}},"spec":{"nodeSelector":{"runs":"nowhere"},"containers":[{"name":"main","image":%q}]}}}}`, name, image)
	return []string{"kubectl apply -f - <<END\n" + object + "\nEND"}, []string{"kubectl delete daemonset -n kube-system " + name}
}

// ofSystems breaks systems, runtimes and kubelets of nodes.
func ofSystems() []sabotage {
	return []sabotage{
		{rows: "ra2.crt.001", name: "an OCI runtime of an old specification",
			do:   []string{"worker-a: cp /usr/sbin/runc /run/server/runc.real; printf '#!/bin/sh\\n[ \"$1\" = --version ] && printf \"runc version 0.1.1\\\\nspec: 0.6.0\\\\n\" && exit\\nexec /run/server/runc.real \"$@\"\\n' > /run/server/runc; chmod 755 /run/server/runc; mount --bind /run/server/runc /usr/sbin/runc"},
			undo: []string{"worker-a: umount /usr/sbin/runc"}},
		{rows: "ra2.os.001", name: "a control plane without packages",
			do:   []string{"cp-a: sed 's/^PRETTY_NAME=.*/PRETTY_NAME=\"Alpine Linux v3.22\"/' /etc/os-release > /run/os-release; mount --bind /run/os-release /usr/lib/os-release; mkdir -p /run/none; mount --bind /run/none /var/lib/dpkg; systemctl restart kubelet"},
			undo: []string{"cp-a: umount /usr/lib/os-release /var/lib/dpkg; systemctl restart kubelet"}},
		{rows: "ra2.os.004", name: "a setting of one worker that others haven't",
			do: []string{"worker-a: echo vm.swappiness=10 > /etc/sysctl.d/99-odd.conf"}, undo: []string{"worker-a: rm /etc/sysctl.d/99-odd.conf"}},
		{rows: "ra2.ch.017", name: "a node of which nobody knows from which image it runs",
			do: []string{"kubectl label node worker-a ra2-deploy.io/image-"}, undo: []string{`kubectl label node worker-a ra2-deploy.io/image=$(kubectl get node worker-b -o jsonpath={.metadata.labels.ra2-deploy\\.io/image})`}},
		{rows: "ra2.ch.007", name: "a kubelet that tells one address",
			do:   []string{"worker-a: cp /var/lib/kubelet/kubeadm-flags.env /run/; sed -i 's/,fd00:17::12//' /var/lib/kubelet/kubeadm-flags.env; systemctl restart kubelet"},
			undo: []string{"worker-a: cp /run/kubeadm-flags.env /var/lib/kubelet/; systemctl restart kubelet"}},
		{rows: "ra2.k8s.008", name: "a kubelet that keeps no processors for the system",
			do: []string{kubelet("worker-a", "reservedSystemCPUs", "")}, undo: []string{kubelet("worker-a", "reservedSystemCPUs", "0,40")}},
		{rows: "ra2.ntw.010", name: "no CNI plugin for user space",
			do: []string{"worker-a: mkdir -p /run/cni; cp /usr/lib/cni/* /run/cni/; rm /run/cni/host-device; mount --bind /run/cni /usr/lib/cni"}, undo: []string{"worker-a: umount /usr/lib/cni"}},
		{rows: "ra2.ch.006", name: "a workload without a limit", do: []string{"kubectl run hungry --image ra2-deploy.io/probe:v1 --image-pull-policy Never --command -- /ra2-probe serve"}, undo: []string{"kubectl delete pod hungry --now"}},
	}
}

// ofServices breaks what nodes do for pods, and with whose clock.
func ofServices() [][]sabotage {
	multus, noMultus := daemonSet("multus", "ghcr.io/k8snetworkplumbingwg/multus-cni:v4")
	logs, noLogs := daemonSet("logs", "cr.fluentbit.io/fluent/fluent-bit:4.1")
	each := func(script string) (all []string) {
		for _, m := range []string{"cp-a", "worker-a", "worker-b"} {
			all = append(all, m+": "+script)
		}
		return all
	}
	const first = `printf '{"cniVersion":"1.0.0","name":"ra2","type":"multus","delegate":{"type":"ptp"}}' > /etc/cni/net.d/00-multus.conf; ln -sf /usr/lib/cni/flannel /opt/cni/bin/multus`
	const clock = `printf 'server %s iburst\nport 0\npidfile /run/clock.pid\n' > /run/clock.conf; chronyd -x -u root -f /run/clock.conf`
	const noClock = `kill $(cat /run/clock.pid); while [ -e /run/clock.pid ]; do sleep 0.1; done`
	return [][]sabotage{
		{
			{rows: "ra2.k8s.006", name: "a kubelet that pins processors in one NUMA node, where it didn't",
				do:   []string{kubelet("worker-a", "topologyManagerPolicy", "single-numa-node"), kubelet("worker-a", "cpuManagerPolicy", "static")},
				undo: []string{kubelet("worker-a", "topologyManagerPolicy", ""), kubelet("worker-a", "cpuManagerPolicy", "")}},
		},
		{
			{rows: "ra2.ntw.006", name: "another configuration comes first", on: append(multus, each(first)...), off: append(noMultus, each("rm -f /etc/cni/net.d/00-multus.conf /opt/cni/bin/multus")...),
				do: []string{"worker-a: mv /etc/cni/net.d/00-multus.conf /etc/cni/net.d/99-multus.conf"}, undo: []string{"worker-a: mv /etc/cni/net.d/99-multus.conf /etc/cni/net.d/00-multus.conf"}},
			{rows: "ra2.plat.025", name: "a clock that follows nobody", off: append(noLogs, append(each(noClock), "worker-b: kill $(cat /run/source.pid)")...),
				on: append(append(logs, "worker-b: printf 'local stratum 8\\nallow all\\ncmdport 0\\nbindcmdaddress /\\npidfile /run/source.pid\\n' > /run/source.conf; chronyd -x -u root -f /run/source.conf"), each(fmt.Sprintf(clock, "10.17.0.13"))...),
				do: []string{"worker-a: " + noClock + "; " + fmt.Sprintf(clock, "10.17.0.99")}, undo: []string{"worker-a: " + noClock + "; " + fmt.Sprintf(clock, "10.17.0.13")}},
		},
	}
}

// ofControl breaks the control plane, and what it says of nodes.
func ofControl() [][]sabotage {
	const flags = "cp-a: sed -i 's/^    - kube-apiserver$/&\\n    - --runtime-config=api\\/alpha=true,api\\/beta=true/' /etc/kubernetes/manifests/kube-apiserver.yaml"
	return [][]sabotage{
		{
			{rows: "ra2.k8s.004", name: "a zone whose workers are cordoned", do: []string{"kubectl cordon worker-a worker-b"}, undo: []string{"kubectl uncordon worker-a worker-b"}},
			{rows: "ra2.k8s.003", name: "a zone whose control plane lost its label", do: []string{"kubectl label node cp-a node-role.kubernetes.io/control-plane-"}, undo: []string{"kubectl label node cp-a node-role.kubernetes.io/control-plane="}},
		},
		{
			{rows: "ra2.k8s.011", name: "a worker without a label of its profile", do: []string{"kubectl label node worker-b profile.anuket.io/basic-"}, undo: []string{"kubectl label node worker-b profile.anuket.io/basic=true"}},
			{rows: "ra2.k8s.012a", name: "a control plane without a scheduler", do: []string{"cp-a: mv /etc/kubernetes/manifests/kube-scheduler.yaml /run/"}, undo: []string{"cp-a: mv /run/kube-scheduler.yaml /etc/kubernetes/manifests/"}},
			{rows: "ra2.k8s.012b ra2.k8s.019", name: "an API server with alpha and beta APIs on", do: []string{flags}, undo: []string{"cp-a: sed -i '/runtime-config=api/d' /etc/kubernetes/manifests/kube-apiserver.yaml"}},
		},
	}
}

// ofBehaviour breaks, or mends, what probes find out. What concerns other rows is done
// at once: each look takes a minute.
func ofBehaviour() [][]sabotage {
	return [][]sabotage{
		{{rows: "ra2.k8s.014 ra2.k8s.015 ra2.k8s.017 ra2.k8s.018 ra2.ntw.014 ra2.ntw.017 ra2.ntw.018", play: (*bench).hands,
			name: "policies are enforced and a Service gets an address, by hand; but node ports are shut, and there is no DNS",
			do: []string{"worker-b: nft 'table inet shut { chain c { type filter hook prerouting priority -300; tcp dport 30000-32767 drop; }; }'", "kubectl scale deployment -n kube-system coredns --replicas 0",
				"worker-a: ip addr add 10.17.0.200/32 dev eth0; ip addr add fd00:17::200/128 dev eth0 nodad"},
			undo: []string{"worker-b: nft delete table inet shut", "kubectl scale deployment -n kube-system coredns --replicas 2", "kubectl rollout status deployment -n kube-system coredns --timeout 2m",
				"worker-a: ip addr del 10.17.0.200/32 dev eth0; ip addr del fd00:17::200/128 dev eth0; nft delete table inet byhand 2>/dev/null || true"}}},
		{{rows: "ra2.k8s.010 ra2.ntw.013", name: "pods whose IPv6 doesn't go from node to node",
			do: []string{"worker-b: nft 'table ip6 shut { chain c { type filter hook forward priority -300; drop; }; }'"}, undo: []string{"worker-b: nft delete table ip6 shut"}}},
	}
}

// list is what kubectl tells of pods, Services and policies.
type list struct {
	Items []struct {
		Metadata struct {
			Namespace, Name string
			Labels          map[string]string
		}
		Spec struct {
			Type string
		}
		Status struct {
			PodIPs       []struct{ IP string }
			LoadBalancer struct{ Ingress []struct{ IP string } }
		}
	}
}

// hands does what controllers would do for Services and policies of a probe, until it is
// ended: a Service of type LoadBalancer gets addresses that worker-a has; a pod that
// policies are about is shut for all but the friends that a second policy lets in.
func (b *bench) hands(ended <-chan struct{}) {
	for last := ""; ; {
		select {
		case <-ended:
			return
		case <-time.After(200 * time.Millisecond):
		}
		if err := b.handle(); err != nil && err.Error() != last {
			last = err.Error()
			b.Logf("by hand: %v", err) // the probe's namespace comes and goes
		}
	}
}

func (b *bench) handle() error {
	var all list
	if err := b.objects("services,networkpolicies,pods -A -l ra2-deploy.io/verify", &all); err != nil {
		return err
	}
	policies, guarded, friends := 0, []string{}, []string{}
	for _, o := range all.Items {
		at := "-n " + o.Metadata.Namespace + " service " + o.Metadata.Name
		switch {
		case o.Spec.Type == "LoadBalancer" && len(o.Status.LoadBalancer.Ingress) == 0:
			b.kubectl("patch " + at + ` --subresource status --type merge -p '{"status":{"loadBalancer":{"ingress":[{"ip":"10.17.0.200"},{"ip":"fd00:17::200"}]}}}'`)
		case o.Metadata.Name == "deny" || o.Metadata.Name == "allow":
			policies++
		}
		for _, ip := range o.Status.PodIPs {
			if o.Metadata.Labels["server"] == "0" {
				guarded = append(guarded, ip.IP)
			}
			if o.Metadata.Labels["friend"] == "true" {
				friends = append(friends, ip.IP)
			}
		}
	}
	return b.police(policies, guarded, friends)
}

// police shuts pods that run on worker-a.
func (b *bench) police(policies int, guarded, friends []string) error {
	rules := "table inet byhand\ndelete table inet byhand\n"
	if policies > 0 {
		rules += "table inet byhand { chain c { type filter hook forward priority -10;\n"
		for _, ip := range guarded {
			family := map[bool]string{true: "ip6", false: "ip"}[strings.Contains(ip, ":")]
			for _, friend := range friends {
				if policies > 1 && strings.Contains(friend, ":") == strings.Contains(ip, ":") {
					rules += fmt.Sprintf("%[1]s saddr %[2]s %[1]s daddr %[3]s accept\n", family, friend, ip)
				}
			}
			rules += fmt.Sprintf("%s daddr %s tcp dport 8080 drop\n", family, ip)
		}
		rules += "}; }\n"
	}
	if r := b.node("worker-a", "nft -f - <<'END'\n"+rules+"END"); r.code != 0 {
		return fmt.Errorf("%s", r)
	}
	return nil
}
