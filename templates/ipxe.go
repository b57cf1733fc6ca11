package templates

import (
	_ "embed"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"text/template"
)

//go:embed ipxe.tmpl
var ipxeText string

// ipxeTries is how often the script tries each of link, kernel and initrd.
const ipxeTries = 5

// IPXE is what the script of one host says.
type IPXE struct {
	Node    string       // inventory name
	MAC     string       // of the boot NIC, lower case with colons
	Address netip.Prefix // IPv4, given to the NIC whatever DHCP said
	Gateway netip.Addr   // IPv4, zero when there is none
	Base    string       // URL in which kernel, initrd and ticket.cpio are
	Args    []string     // the kernel line
}

// An ipxeFile is one file that iPXE loads before the ticket.
type ipxeFile struct{ Command, Name, Args string }

// RenderIPXE returns the iPXE script of one host. A value that iPXE would read
// as more than text (a line break, a space, "${") is an error.
//
// The order of the initrds is ticket first. BIOS iPXE joins them in the order of
// loading, so the kernel sees the compressed initrd first there: iPXE pads each
// to four bytes, as the kernel wants before a cpio header. The EFI stub joins
// them in the order of the kernel line and doesn't pad, so the line names the
// ticket first, whose length is a multiple of four (initrd= is ignored where
// iPXE offers one joined initrd by LoadFile2).
func RenderIPXE(s IPXE) (string, error) {
	for _, word := range append([]string{s.Node, s.MAC, s.Base}, s.Args...) {
		if word == "" || strings.ContainsAny(word, " \t\r\n\x00#'\"\\`") || strings.Contains(word, "${") {
			return "", fmt.Errorf("render the iPXE script of %s: %q is not one plain word", s.Node, word)
		}
	}
	if !s.Address.Addr().Is4() {
		return "", fmt.Errorf("render the iPXE script of %s: %s is not an IPv4 address with prefix length", s.Node, s.Address)
	}
	t, err := template.New("ipxe.tmpl").Option("missingkey=error").Parse(ipxeText)
	if err != nil {
		return "", err
	}
	line := "initrd=ticket.cpio initrd=initrd " + strings.Join(s.Args, " ")
	var out strings.Builder
	err = t.Execute(&out, struct {
		IPXE
		IP      netip.Addr
		Netmask string
		Tries   int
		Files   []ipxeFile
	}{s, s.Address.Addr(), net.IP(net.CIDRMask(s.Address.Bits(), 32)).String(), ipxeTries,
		[]ipxeFile{{"kernel", "kernel", strings.TrimSpace(line)}, {"initrd", "initrd", ""}}})
	return out.String(), err
}
