// Package host reads what a machine tells of itself: SMBIOS, processors,
// memory, NICs and disks, from sysfs and procfs below a root.
package host

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// Root is where sysfs, procfs and devices are found: "/", or a folder in tests.
type Root string

// Facts returns what the machine tells. What can't be read stays empty.
func (r Root) Facts() agent.InBand {
	in := agent.InBand{
		Serial:    r.text("sys/class/dmi/id/product_serial"),
		UUID:      r.text("sys/class/dmi/id/product_uuid"),
		MemoryKiB: r.memory(),
		CPUs:      r.cpus(),
		MACs:      r.macs(),
		Hardware:  new(r.Hardware(Ethtool)),
	}
	in.SMT = in.Hardware.SMT
	for _, d := range r.Disks() {
		in.Disks = append(in.Disks, d.Disk)
	}
	return in
}

func (r Root) path(parts ...string) string {
	return filepath.Join(append([]string{string(r)}, parts...)...)
}

// text returns the content of a small file without the spaces around it.
func (r Root) text(parts ...string) string {
	data, err := os.ReadFile(r.path(parts...))
	if err != nil {
		return ""
	}
	return strings.Trim(string(data), " \t\n\x00")
}

func (r Root) number(parts ...string) int64 {
	n, _ := strconv.ParseInt(r.text(parts...), 10, 64)
	return n
}

func (r Root) memory() int64 {
	for line := range strings.Lines(r.text("proc/meminfo")) {
		if words := strings.Fields(line); len(words) >= 2 && words[0] == "MemTotal:" {
			n, _ := strconv.ParseInt(words[1], 10, 64)
			return n
		}
	}
	return 0
}

// cpus counts the online processors.
func (r Root) cpus() int {
	if n := count(r.text("sys/devices/system/cpu/online")); n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// count counts the numbers of a list as the kernel writes it, "0-3,8".
func count(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		to := from
		if ranged {
			to, _ = strconv.Atoi(last)
		}
		n += to - from + 1
	}
	return n
}

// macs lists the addresses of the Ethernet NICs (ARPHRD_ETHER), sorted.
func (r Root) macs() []string {
	var macs []string
	for _, name := range r.list("sys/class/net") {
		mac := r.text("sys/class/net", name, "address")
		if r.text("sys/class/net", name, "type") == "1" && mac != "" && !slices.Contains(macs, mac) {
			macs = append(macs, strings.ToLower(mac))
		}
	}
	slices.Sort(macs)
	return macs
}

// list returns the names in a folder; none when it isn't there.
func (r Root) list(parts ...string) []string {
	entries, _ := os.ReadDir(r.path(parts...))
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.SortFunc(names, cmp.Compare[string])
	return names
}
