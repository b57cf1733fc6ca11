package nodes

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts/smbios"
)

// cpu reads the processors as the kernel shows them.
func (s Said) cpu() conform.CPU {
	out := conform.CPU{Model: s.cpuinfo("model name"), SMTControl: s.text(cpus, "smt/control"), IsolatedCPUs: s.text(cpus, "isolated"), NUMANodes: len(list(s.text("/sys/devices/system/node/has_cpu")))}
	if flags := s.cpuinfo("flags"); flags != "" {
		out.Flags = strings.Fields(flags)
	}
	switch s.text(cpus, "smt/active") {
	case "1":
		out.SMTActive = new(true)
	case "0":
		out.SMTActive = new(false)
	}
	cores := map[int64]map[string]bool{}
	for _, name := range s.folders(cpus) {
		number, isCPU := strings.CutPrefix(name, "cpu")
		dir := cpus + "/" + name + "/topology"
		socket, known := s.number(dir, "physical_package_id")
		if _, err := strconv.Atoi(number); err != nil || !isCPU || !known || socket < 0 {
			continue
		}
		if cores[socket] == nil {
			cores[socket] = map[string]bool{}
		}
		cores[socket][s.text(dir, "die_id")+"/"+s.text(dir, "core_id")] = true
		if all := list(s.text(dir, "thread_siblings_list")); all != nil {
			if out.Siblings == nil {
				out.Siblings = map[string][]int{}
			}
			out.Siblings[number] = all
		}
	}
	out.Sockets = len(cores)
	for _, socket := range slices.Sorted(maps.Keys(cores)) {
		out.Cores = append(out.Cores, len(cores[socket]))
	}
	return out
}

// cpuinfo returns a field of the first processor.
func (s Said) cpuinfo(name string) string {
	for line := range strings.Lines(s.Files["/proc/cpuinfo"]) {
		if field, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(field) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// list reads the kernel's form of a list, "0-1,40"; nil when it is none.
func list(text string) []int {
	const most = 1 << 14 // processors that Linux counts
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil || first < 0 || first > most {
			return nil
		}
		last := first
		if ranged {
			if last, err = strconv.Atoi(to); err != nil || last > most {
				return nil
			}
		}
		for n := first; n <= last && len(all) < most; n++ {
			all = append(all, n)
		}
	}
	return all
}

func (s Said) memory() int64 {
	for line := range strings.Lines(s.Files["/proc/meminfo"]) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

// hugePages reads the pool of each size, smallest first.
func (s Said) hugePages() []conform.HugePages {
	var all []conform.HugePages
	for _, name := range s.folders(pools) {
		size, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(name, "hugepages-"), "kB"), 10, 64)
		total, ok := s.number(pools, name, "nr_hugepages")
		if err != nil || !ok {
			continue
		}
		free, _ := s.number(pools, name, "free_hugepages")
		all = append(all, conform.HugePages{SizeKiB: size, Total: total, Free: free})
	}
	slices.SortFunc(all, func(a, b conform.HugePages) int { return int(a.SizeKiB>>10 - b.SizeKiB>>10) })
	return all
}

// disks are the block devices that have a size and are no part of another, with the
// folders of Kubernetes that are on them. Of a virtual disk the kernel doesn't know
// whether it turns, whatever it says.
func (s Said) disks() []conform.Disk {
	holds := s.holds()
	var all []conform.Disk
	for _, name := range s.folders("/sys/block") {
		sectors, ok := s.number("/sys/block", name, "size")
		if !ok || sectors <= 0 || slices.ContainsFunc([]string{"loop", "ram", "zram", "dm-", "sr", "fd"}, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		d := conform.Disk{Name: name, Bytes: sectors << 9, Holds: holds[name]} // sysfs counts sectors of 512 bytes
		if turns, ok := s.number("/sys/block", name, "queue/rotational"); ok && !strings.HasPrefix(name, "vd") && !strings.HasPrefix(name, "xvd") {
			d.Rotational = new(turns == 1)
		}
		all = append(all, d)
	}
	return all
}

// holds says of each disk which folders of Kubernetes are on it.
func (s Said) holds() map[string][]string {
	devices := s.devices()
	out := map[string][]string{}
	for _, dir := range kept() {
		if !s.has(dir) {
			continue
		}
		at := dir
		for devices[at] == "" && at != "/" {
			at = path.Dir(at)
		}
		for _, disk := range s.below(devices[at], map[string]bool{}) {
			out[disk] = append(out[disk], dir)
		}
	}
	return out
}

// devices says of each mount point which block device ("8:2") is mounted there:
// the third and the fifth field of mountinfo (proc_pid_mountinfo(5)). The last mount
// covers those before.
func (s Said) devices() map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(s.Files["/proc/1/mountinfo"]) {
		if f := strings.Fields(line); len(f) > 5 {
			all[plain(f[4])] = f[2]
		}
	}
	return all
}

// below returns the disks that a block device lies on: one, or those that make up a
// mapped device or a RAID. seen are those that were looked at: a document may have
// devices in a circle.
func (s Said) below(device string, seen map[string]bool) []string {
	_, at, ok := strings.Cut(s.Links["/sys/dev/block/"+device], "/block/")
	if !ok || seen[device] {
		return nil
	}
	seen[device] = true
	disk, _, _ := strings.Cut(at, "/") // "sda" of "sda/sda2"
	slaves := s.named("/sys/block/"+disk+"/slaves", "*")
	if len(slaves) == 0 {
		return []string{disk}
	}
	var all []string
	for number, link := range s.Links {
		if dev, ok := strings.CutPrefix(number, "/sys/dev/block/"); ok && slices.Contains(slaves, path.Base(link)) {
			all = append(all, s.below(dev, seen)...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// verity reports whether the root's device is one of dm-verity's; nil where the root
// isn't on a device that is known.
func (s Said) verity() *bool {
	_, at, ok := strings.Cut(s.Links["/sys/dev/block/"+s.devices()["/"]], "/block/")
	if !ok {
		return nil
	}
	return new(strings.HasPrefix(s.text("/sys/block", at, "dm/uuid"), "CRYPT-VERITY-"))
}

// nics are the network interfaces that have a device or carry Ethernet; ones on USB
// are often the way to the BMC, and count as none of the server's ports.
func (s Said) nics() []conform.NIC {
	var all []conform.NIC
	for _, name := range s.folders(links) {
		dir := links + "/" + name
		if !s.has(dir + "/device") {
			continue
		}
		n := conform.NIC{Name: name, Driver: s.link(dir, "device/driver"), MAC: s.text(dir, "address")}
		n.Physical = s.text(dir, "type") == "1" && !s.has(dir+"/device/physfn") && s.link(dir, "device/subsystem") != "usb"
		if mbps, ok := s.number(dir, "speed"); ok && mbps > 0 && mbps < 1<<30 { // -1 while the link is down
			n.Mbps = int(mbps)
		}
		n.TotalVFs, n.VFs = s.count(dir, "device/sriov_totalvfs"), s.count(dir, "device/sriov_numvfs")
		n.PTPClock = new(len(s.named(dir+"/device/ptp", "ptp*")) > 0)
		all = append(all, n)
	}
	return all
}

// link returns the last name that a link leads to.
func (s Said) link(at ...string) string {
	if target := s.Links[strings.Join(at, "/")]; target != "" {
		return path.Base(target)
	}
	return ""
}

func (s Said) count(path ...string) *int {
	n, ok := s.number(path...)
	if !ok || n < 0 || n > 1<<16 {
		return nil
	}
	return new(int(n))
}

// slots are nil when SMBIOS tells of none: firmware that describes no slots looks
// like a board without.
func (s Said) slots() []conform.PCIeSlot {
	table, _ := smbios.Parse(append(s.Bytes[smbiosAt], s.Files[smbiosAt]...))
	var all []conform.PCIeSlot
	for _, slot := range table.Slots() {
		all = append(all, conform.PCIeSlot{Name: slot.Name, Generation: slot.Generation, Lanes: slot.Lanes})
	}
	return all
}
