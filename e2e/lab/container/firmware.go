package container

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/pin/tftp/v3"
	"github.com/vishvananda/netlink"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/ipxe"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/network"
)

// persona is who asks DHCP: RFC 4578 option 93, option 60, RFC 3004 option 77.
type persona struct {
	arch  iana.Arch
	class string
	user  string
}

// personas returns firmware's own client and the iPXE that it loads.
func personas(method string) (firmware, loader persona) {
	switch method {
	case "bios-pxe":
		return persona{iana.INTEL_X86PC, "PXEClient:Arch:00000:UNDI:002001", ""}, persona{iana.INTEL_X86PC, "PXEClient:Arch:00000:UNDI:002001", "iPXE"}
	case "uefi-pxe":
		return persona{iana.EFI_X86_64, "PXEClient:Arch:00007:UNDI:003016", ""}, persona{iana.EFI_X86_64, "PXEClient:Arch:00007:UNDI:003010", "iPXE"}
	}
	return persona{iana.EFI_X86_64_HTTP, "HTTPClient:Arch:00016:UNDI:003001", ""}, persona{iana.EFI_X86_64, "PXEClient:Arch:00007:UNDI:003010", "iPXE"}
}

// network boots as UEFI HTTP, UEFI PXE or BIOS PXE firmware does, up to the
// kernel of iPXE's script.
func (f *firmware) network(ctx context.Context, method string) (payload, error) {
	link, err := netlink.LinkByName(NIC)
	if err != nil {
		return payload{}, fmt.Errorf("NIC %s: %w", NIC, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return payload{}, fmt.Errorf("NIC %s up: %w", NIC, err)
	}
	defer f.unconfigure(link)
	first, second := personas(method)
	f.stage("dhcp")
	offer, err := f.ask(ctx, link, first)
	if err != nil {
		return payload{}, err
	}
	if method == "uefi-http" && !strings.HasPrefix(offer.ClassIdentifier(), "HTTPClient") {
		return payload{}, errors.New("the DHCP answer is not for HTTP boot (option 60 is not HTTPClient, UEFI 2.10 section 24.7.3.1)")
	}
	f.stage("loader")
	loader, err := f.loader(ctx, method, offer)
	if err != nil {
		return payload{}, err
	}
	f.Say(fmt.Sprintf("loader: %d bytes; it runs as iPXE", len(loader)))
	f.stage("ipxe")
	offer, err = f.ask(ctx, link, second)
	if err != nil {
		return payload{}, err
	}
	return f.script(ctx, link, offer)
}

// script runs the script that DHCP names for iPXE.
func (f *firmware) script(ctx context.Context, link netlink.Link, offer *dhcpv4.DHCPv4) (payload, error) {
	where := bootFile(offer)
	text, err := f.Fetch(ctx, where)
	if err != nil {
		return payload{}, err
	}
	if !bytes.HasPrefix(text, []byte("#!ipxe")) {
		return payload{}, fmt.Errorf("%s is not a script: DHCP sent iPXE its own loader again (does it match option 77?)", where)
	}
	mac := link.Attrs().HardwareAddr
	settings := map[string]string{"net0/mac": mac.String(), "net0/ip": offer.YourIPAddr.String(), "platform": "efi", "buildarch": "x86_64"}
	f.stage("script")
	r, err := ipxe.Run(ctx, string(text), settings, f, time.Sleep)
	if err != nil {
		return payload{}, fmt.Errorf("script %s: %w", where, err)
	}
	if !isKernel(r.Kernel.Data) {
		return payload{}, fmt.Errorf("%s is not a Linux kernel", r.Kernel.Name)
	}
	k := payload{line: r.Line}
	for _, i := range r.Initrds {
		k.initramfs = append(pad(k.initramfs), i.Data...)
	}
	return k, nil
}

// ask gets an address and the boot file.
func (f *firmware) ask(ctx context.Context, link netlink.Link, p persona) (*dhcpv4.DHCPv4, error) {
	c, err := nclient4.New(NIC, nclient4.WithTimeout(2*time.Second), nclient4.WithRetry(5))
	if err != nil {
		return nil, fmt.Errorf("DHCP on %s: %w", NIC, err)
	}
	defer c.Close()
	options := []dhcpv4.Modifier{
		dhcpv4.WithOption(dhcpv4.OptClientArch(p.arch)),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier(p.class)),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClientNetworkInterfaceIdentifier, []byte{1, 3, 16})),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClientMachineIdentifier, f.guid())),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionTFTPServerName, dhcpv4.OptionBootfileName, dhcpv4.OptionVendorSpecificInformation),
	}
	if p.user != "" {
		options = append(options, dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionUserClassInformation, []byte(p.user))))
	}
	lease, err := c.Request(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("DHCP as %s: no answer for %s (is an install step of this MAC open?): %w", p.class, link.Attrs().HardwareAddr, err)
	}
	f.Say(fmt.Sprintf("DHCP as %s%s: %s from %s, boot file %s", p.class, tail(p.user), lease.ACK.YourIPAddr, lease.ACK.ServerIPAddr, bootFile(lease.ACK)))
	return lease.ACK, f.configure(link, lease.ACK)
}

func tail(user string) string {
	if user == "" {
		return ""
	}
	return " (" + user + ")"
}

// guid is option 97: type 0 and the UUID of the system.
func (f *firmware) guid() []byte {
	raw, err := hex.DecodeString(strings.ReplaceAll(f.spec.UUID, "-", ""))
	if err != nil || len(raw) != 16 {
		raw = make([]byte, 16)
	}
	return append([]byte{0}, raw...)
}

func bootFile(m *dhcpv4.DHCPv4) string {
	if name := m.BootFileNameOption(); name != "" {
		return name
	}
	return m.BootFileName
}

func (f *firmware) configure(link netlink.Link, m *dhcpv4.DHCPv4) error {
	f.unconfigure(link)
	ip, ok := netip.AddrFromSlice(m.YourIPAddr.To4())
	if !ok {
		return errors.New("DHCP gave no address")
	}
	bits, _ := m.SubnetMask().Size()
	if bits == 0 {
		bits = 24
	}
	if err := network.Address(link, netip.PrefixFrom(ip, bits)); err != nil {
		return err
	}
	for _, gw := range m.Router() {
		_ = netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: gw})
	}
	return nil
}

// unconfigure leaves the NIC to the kernel as it was.
func (f *firmware) unconfigure(link netlink.Link) {
	addrs, _ := netlink.AddrList(link, netlink.FAMILY_V4)
	for i := range addrs {
		_ = netlink.AddrDel(link, &addrs[i])
	}
}

// loader fetches the program that the firmware runs.
func (f *firmware) loader(ctx context.Context, method string, m *dhcpv4.DHCPv4) ([]byte, error) {
	name := bootFile(m)
	if name == "" {
		return nil, errors.New("the DHCP answer names no boot file")
	}
	if method == "uefi-http" {
		return f.Fetch(ctx, name)
	}
	server := m.ServerIPAddr
	if name, found := m.TFTPServerName(), net.IP(nil); name != "" {
		if found = net.ParseIP(name); found != nil {
			server = found
		}
	}
	c, err := tftp.NewClient(net.JoinHostPort(server.String(), "69"))
	if err != nil {
		return nil, err
	}
	c.SetBlockSize(1468)
	from, err := c.Receive(name, "octet")
	if err != nil {
		return nil, fmt.Errorf("TFTP %s from %s: %w", name, server, err)
	}
	var b bytes.Buffer
	if _, err := from.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("TFTP %s from %s: %w", name, server, err)
	}
	return b.Bytes(), nil
}

// Fetch gets a file by HTTP and tells the console how fast.
func (f *firmware) Fetch(ctx context.Context, from string) ([]byte, error) {
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "http" {
		return nil, fmt.Errorf("%q is not an http URL", from)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", from, resp.Status)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("GET %s: after %d bytes: %w", from, len(b), err)
	}
	f.Say(fmt.Sprintf("%s... ok (%d bytes, %d ms)", from, len(b), time.Since(began).Milliseconds()))
	return b, nil
}
