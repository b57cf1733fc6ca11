// Package netboot answers hosts that boot from the network: DHCP (RFC 2131,
// 2132, 4578; or proxy DHCP beside a site's own server, PXE specification 2.1),
// TFTP (RFC 1350, 2347, 2348, 2349) for the loader alone, and plain HTTP for
// script, kernel, initrd and the one-time ticket.
//
// It answers open boots only. A host has an open boot while its install step
// runs (see Book); to all others there is no DHCP answer, TFTP ends with an
// error, HTTP says 404. So a machine that shares the network and happens to try
// its network first is left alone.
//
// What a host is told depends on what asks:
//
//	UEFI HTTP boot (class HTTPClient)    option 67 = http://…/boot/<mac>/snponly.efi
//	UEFI PXE (arch 7, 9, 11)             <mac>/snponly.efi by TFTP
//	BIOS PXE (arch 0)                    <mac>/undionly.kpxe by TFTP
//	iPXE (user class iPXE, option 175)   http://…/boot/<mac>/ipxe
//	anything else                        its address, nothing to boot
//
// A boot with a signed program (Boot.Program, for Secure Boot) has that program
// in the place of all loaders, as ra2.efi, and neither script, kernel nor initrd.
//
// File names carry the MAC, for the address doesn't tell who asks where a
// site's own DHCP server hands out addresses. The iPXE script gives the NIC its
// reserved address in every mode, so the ticket can be bound to that address.
//
// Measured with the lab tests (go test -lab -run Lab; QEMU 10 with TCG, OVMF
// 2022.11, iPXE 1.0.0+git-20190125, two cores), in seconds from power-on:
//
//	                    DHCP  loader  script  ticket
//	SeaBIOS, iPXE ROM    2.2     -      2.2     2.4
//	OVMF PXE             3.9    7.8     9.9    10.5
//	OVMF HTTP boot       3.7    7.6     9.7     9.9
//
// The same beside a site's own DHCP server. Of that, our own code takes about
// 0.005 s: OVMF collects offers for 4 s, iPXE shows its banner for 2 s.
//
// The package knows no plan: what it sees goes out as Events.
package netboot
