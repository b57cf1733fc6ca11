package netboot

import (
	"strconv"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// A Persona is the kind of program that asks.
type Persona string

// The personas. Firmware and iPXE on the same NIC are two.
const (
	Plain    Persona = "plain"     // a DHCP client that doesn't boot from the network
	IPXE     Persona = "ipxe"      // iPXE, from a ROM or from our loader
	UEFIHTTP Persona = "uefi-http" // UEFI specification 2.10, 24.7 HTTP boot
	UEFIPXE  Persona = "uefi-pxe"  // PXE 2.1 in UEFI
	BIOSPXE  Persona = "bios-pxe"  // PXE 2.1 in a BIOS option ROM
)

// A Client is what a DHCP message tells about its sender.
type Client struct {
	Persona Persona
	Arch    uint16 // DHCP option 93 (RFC 4578, IANA processor architecture types); NoArch when not told
	Class   string // DHCP option 60
}

// NoArch stands for a client that tells no architecture.
const NoArch uint16 = 0xffff

// optionIPXE is the encapsulated option space of iPXE ("Etherboot").
const optionIPXE = 175

// identify reads who sent the message.
//
// iPXE is looked for first, since it repeats the class and architecture of the
// firmware below it ("PXEClient:Arch:00007…").
func identify(m *dhcpv4.DHCPv4) Client {
	c := Client{Persona: Plain, Arch: NoArch, Class: printable(m.ClassIdentifier())}
	if archs := m.ClientArch(); len(archs) > 0 {
		c.Arch = uint16(archs[0])
	} else if arch, ok := classArch(c.Class); ok {
		c.Arch = arch
	}
	http := strings.HasPrefix(c.Class, "HTTPClient")
	switch {
	case saysIPXE(m.Options.Get(dhcpv4.OptionUserClassInformation)), m.Options.Has(dhcpv4.GenericOptionCode(optionIPXE)):
		c.Persona = IPXE
	case http:
		c.Persona = UEFIHTTP
	case !strings.HasPrefix(c.Class, "PXEClient"):
	case c.Arch == uint16(iana.INTEL_X86PC), c.Arch == NoArch:
		c.Persona = BIOSPXE
	default:
		c.Persona = UEFIPXE
	}
	return c
}

// saysIPXE reads DHCP option 77. RFC 3004 wants each class behind its
// length; iPXE (and most who match it) sends the bare text.
func saysIPXE(raw []byte) bool {
	if string(raw) == "iPXE" {
		return true
	}
	for len(raw) > 1 {
		n := int(raw[0])
		if n == 0 || n > len(raw)-1 {
			return false
		}
		if string(raw[1:1+n]) == "iPXE" {
			return true
		}
		raw = raw[1+n:]
	}
	return false
}

// classArch reads the architecture from "PXEClient:Arch:00007:UNDI:003016"
// (PXE 2.1, table 2-1), for firmware that sends no option 93.
func classArch(class string) (uint16, bool) {
	parts := strings.Split(class, ":")
	if len(parts) < 3 || parts[1] != "Arch" {
		return 0, false
	}
	n, err := strconv.ParseUint(parts[2], 10, 16)
	return uint16(n), err == nil
}

// loader returns the loader file for the architecture, empty when there is none.
//
// Types 7 and 9: RFC 4578 calls 7 "EFI BC" and 9 "EFI x86-64"; firmware sends
// either for x86-64. Types 15 and 17 get the x86-64 program too: a firmware that
// can't run it says so on its console, which tells more than silence.
func (c Client) loader() string {
	switch iana.Arch(c.Arch) {
	case iana.EFI_X86_64, iana.EFI_BC, iana.EFI_X86_HTTP, iana.EFI_X86_64_HTTP, iana.EFI_BC_HTTP:
		return "snponly.efi"
	case iana.EFI_ARM64, iana.EFI_ARM64_HTTP:
		return "snponly-arm64.efi"
	}
	if c.Persona == BIOSPXE {
		return "undionly.kpxe"
	}
	return ""
}

// printable drops what a terminal would act on; the text comes from the network.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
}

// archText returns the architecture for people: number and IANA's name.
func (c Client) archText() string {
	if c.Arch == NoArch {
		return "not told"
	}
	return strconv.Itoa(int(c.Arch)) + " (" + iana.Arch(c.Arch).String() + ")"
}
