package agent

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
)

// HostsFile is in the initrd of a signed boot program: the kernel line of each
// host that may boot it. The signature covers it, so that nobody on the network
// can tell a host another disk, another provisioner or another pin.
const HostsFile = "/ra2/hosts"

// FormatHosts writes HostsFile.
func FormatHosts(hosts []KernelLine) string {
	var text strings.Builder
	for _, h := range hosts {
		text.WriteString(h.String() + "\n")
	}
	return text.String()
}

// ErrNoHost says that none of the MACs is one of the file.
var ErrNoHost = errors.New("no host of the boot program has this machine's NICs")

// FindHost returns the line of the host that has one of these NICs. Two such
// hosts are an error: the machine is neither for sure.
func FindHost(text string, macs []net.HardwareAddr) (KernelLine, error) {
	var found []KernelLine
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		k, err := ParseKernelLine(line)
		if err != nil {
			return k, fmt.Errorf("read %s: %w", HostsFile, err)
		}
		for _, mac := range macs {
			if len(mac) > 0 && bytes.Equal(mac, k.MAC) {
				found = append(found, k)
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return KernelLine{}, ErrNoHost
	case 1:
		return found[0], nil
	}
	return KernelLine{}, fmt.Errorf("this machine has the boot NICs of %s and of %s; the inventory gives one machine two names", found[0].Node, found[1].Node)
}
