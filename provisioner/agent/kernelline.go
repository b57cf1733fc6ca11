package agent

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Modes of ra2-node as PID 1, told by ra2.mode on the kernel line.
const (
	ModeInstall = "install" // network-booted: write a disk
	ModeBoot    = "boot"    // from disk or kexec: bring up the installed system
	ModeNetboot = "netboot" // network-booted by a signed program: HostsFile says which host this is, and what its line would be
)

// KernelLine is what the kernel line tells ra2-node. Nothing in it is secret:
// every process of the host can read it.
type KernelLine struct {
	Mode      string
	Node      string           // ra2.node: inventory name
	Server    string           // ra2.server: URL of the agent API
	Pin       string           // ra2.pin: "sha256:<hex>" of the server's SubjectPublicKeyInfo
	MAC       net.HardwareAddr // ra2.mac: the NIC that booted
	Addresses []netip.Prefix   // ra2.ip: static, one per family
	Gateways  []netip.Addr     // ra2.gw
	Root      string           // ra2.root: "PARTLABEL=ra2-root"
	Verity    string           // ra2.verity: root hash of the root partition (dm-verity), 64 hexadecimal digits
	Initrd    string           // ra2.initrd: sha256 of the system partition's initrd, hexadecimal, on the line of a signed image
	Disk      string           // ra2.disk: "serial:<s>" or "wwn:<w>": the disk to write, or to boot when more than one holds a system
	Kexec     bool             // ra2.kexec=1: ra2-node started this kernel itself, to bring what the class adds into force
	Ticket    string           // ra2.ticket: URL of the one-time ticket, where no loader brings it
	Retry     time.Duration    // ra2.retry: pause before the reboot that follows a failure; zero is the default
}

// String returns the ra2 parameters, for the kernel line of a network boot.
func (k KernelLine) String() string {
	var words []string
	add := func(key, value string) {
		if value != "" {
			words = append(words, key+"="+value)
		}
	}
	add("ra2.mode", k.Mode)
	add("ra2.node", k.Node)
	add("ra2.server", k.Server)
	add("ra2.pin", k.Pin)
	add("ra2.mac", k.MAC.String())
	add("ra2.ip", join(k.Addresses))
	add("ra2.gw", join(k.Gateways))
	add("ra2.root", k.Root)
	add("ra2.verity", k.Verity)
	add("ra2.initrd", k.Initrd)
	add("ra2.disk", k.Disk)
	if k.Kexec {
		add("ra2.kexec", "1")
	}
	add("ra2.ticket", k.Ticket)
	if k.Retry > 0 {
		add("ra2.retry", k.Retry.String())
	}
	return strings.Join(words, " ")
}

// ParseKernelLine reads the ra2 parameters of a kernel line and skips all
// others. The last of two equal keys wins, as in the kernel; but a second root
// hash is refused: the first may be the signed one.
func ParseKernelLine(text string) (KernelLine, error) {
	var k KernelLine
	for word := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(word, "=")
		if !strings.HasPrefix(key, "ra2.") {
			continue
		}
		if err := k.set(key, value); err != nil {
			return k, fmt.Errorf("kernel line: %s=%s: %w", key, value, err)
		}
	}
	return k, k.check()
}

func (k *KernelLine) set(key, value string) (err error) {
	switch key {
	case "ra2.mode":
		k.Mode = value
	case "ra2.node":
		k.Node = value
	case "ra2.server":
		k.Server = value
	case "ra2.pin":
		k.Pin = value
	case "ra2.root":
		k.Root = value
	case "ra2.verity":
		if k.Verity != "" && k.Verity != value {
			return fmt.Errorf("the line names another root hash, %s, before it", k.Verity)
		}
		k.Verity = value
	case "ra2.initrd":
		k.Initrd = value
	case "ra2.disk":
		k.Disk = value
	case "ra2.ticket":
		k.Ticket = value
	case "ra2.mac":
		k.MAC, err = net.ParseMAC(value)
	case "ra2.ip":
		k.Addresses, err = split(value, netip.ParsePrefix)
	case "ra2.gw":
		k.Gateways, err = split(value, netip.ParseAddr)
	case "ra2.kexec":
		k.Kexec = value == "1"
	case "ra2.retry":
		k.Retry, err = time.ParseDuration(value)
	}
	return err
}

func (k KernelLine) check() error {
	switch k.Mode {
	case ModeBoot, ModeNetboot:
		return nil
	case ModeInstall:
	default:
		return fmt.Errorf("kernel line: ra2.mode is %q and should be %q, %q or %q", k.Mode, ModeInstall, ModeBoot, ModeNetboot)
	}
	missing := []string{}
	for key, absent := range map[string]bool{
		"ra2.node": k.Node == "", "ra2.server": k.Server == "", "ra2.pin": k.Pin == "",
		"ra2.mac": k.MAC == nil, "ra2.ip": len(k.Addresses) == 0,
	} {
		if absent {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("kernel line: %s missing, needed for ra2.mode=install", strings.Join(missing, ", "))
	}
	return nil
}

func join[T fmt.Stringer](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.String()
	}
	return strings.Join(texts, ",")
}

func split[T any](text string, parse func(string) (T, error)) ([]T, error) {
	var values []T
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		v, err := parse(part)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}
