package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts/smbios"
)

// processors counts sockets, cores and threads as the kernel sees them; where
// it shows no topology, as SMBIOS does.
func (r Root) processors(table smbios.Table) []facts.Processor {
	type seen struct{ cores, threads map[string]bool }
	sockets := map[int]seen{}
	for _, cpu := range r.list("sys/devices/system/cpu") {
		number, isCPU := strings.CutPrefix(cpu, "cpu")
		topology := func(file string) string { return r.text("sys/devices/system/cpu", cpu, "topology", file) }
		socket, err := strconv.Atoi(topology("physical_package_id"))
		if _, bad := strconv.Atoi(number); !isCPU || bad != nil || err != nil || socket < 0 {
			continue
		}
		if sockets[socket].cores == nil {
			sockets[socket] = seen{map[string]bool{}, map[string]bool{}}
		}
		sockets[socket].cores[topology("die_id")+"/"+topology("core_id")] = true
		sockets[socket].threads[cpu] = true
	}
	var out []facts.Processor
	for _, s := range sockets {
		out = append(out, facts.Processor{Model: r.cpuModel(), Cores: len(s.cores), Threads: len(s.threads), From: "sysfs devices/system/cpu"})
	}
	if out != nil {
		return out
	}
	for _, p := range table.Processors() {
		out = append(out, facts.Processor{Model: p.Model, Cores: p.Cores, Threads: p.Threads, From: "SMBIOS type 4"})
	}
	return out
}

func (r Root) cpuModel() string {
	for line := range strings.Lines(r.text("proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// drives are the disks, with what the kernel knows of their kind. Of a virtual
// disk it doesn't know.
func (r Root) drives() []facts.Drive {
	out := []facts.Drive{}
	for _, d := range r.Disks() {
		f := facts.Drive{Name: d.Name, Model: d.Model, Serial: d.Serial, WWN: d.WWN, Bytes: d.Bytes, From: "sysfs block/" + d.Name}
		if rotational := r.text("sys/block", d.Name, "queue/rotational"); rotational != "" && !strings.HasPrefix(d.Name, "vd") {
			f.Media = map[string]string{"0": "SSD", "1": "HDD"}[rotational]
		}
		switch _, err := os.Stat(r.path("sys/block", d.Name, "device/sas_address")); {
		case strings.HasPrefix(d.Name, "nvme"):
			f.Protocol = "NVMe"
		case r.text("sys/block", d.Name, "device/vendor") == "ATA":
			f.Protocol = "SATA"
		case err == nil:
			f.Protocol = "SAS"
		}
		out = append(out, f)
	}
	return out
}

// Modes returns the fastest link that a NIC can do, from what its driver says.
type Modes func(nic string) (gbps float64, ok bool)

// ports are the Ethernet ports of cards: no virtual functions, no NIC on USB
// (that is often the way to the BMC), nothing that software made.
func (r Root) ports(modes Modes) []facts.Port {
	out := []facts.Port{}
	for _, name := range r.list("sys/class/net") {
		dir := func(file string) []string { return []string{"sys/class/net", name, file} }
		if _, err := os.Stat(r.path(dir("device")...)); err != nil || r.text(dir("type")...) != "1" {
			continue
		}
		if r.link(dir("device/physfn")...) != "" || r.link(dir("device/subsystem")...) == "usb" {
			continue
		}
		p := facts.Port{MAC: strings.ToLower(r.text(dir("address")...)), Adapter: r.adapter(name), From: "sysfs class/net/" + name}
		if gbps, ok := modes(name); ok {
			p.SpeedGbps, p.From = &gbps, p.From+", ethtool"
		}
		if mbps := r.number(dir("speed")...); mbps > 0 { // -1 or an error while the link is down
			p.LinkGbps = new(float64(mbps) / 1000)
		}
		if carrier := r.text(dir("carrier")...); carrier != "" {
			p.LinkUp = new(carrier == "1")
		}
		if n := int(r.number(dir("device/sriov_totalvfs")...)); n > 0 {
			p.SRIOV, p.MaxVFs = new(true), &n // that the file isn't there says little: a card's own settings can hide it
		}
		out = append(out, p)
	}
	return out
}

// adapter names a card by its driver and its PCI ids: "i40e 8086:1572".
func (r Root) adapter(nic string) string {
	ids := make([]string, 0, 2)
	for _, file := range []string{"vendor", "device"} {
		if id := strings.TrimPrefix(r.text("sys/class/net", nic, "device", file), "0x"); id != "" {
			ids = append(ids, id)
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", r.link("sys/class/net", nic, "device/driver"), strings.Join(ids, ":")))
}

// link returns the last name that a symbolic link points to.
func (r Root) link(parts ...string) string {
	target, err := os.Readlink(r.path(parts...))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}
