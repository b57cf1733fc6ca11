package netboot

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// The tests of this file start real firmware in QEMU: go test
// ./provisioner/netboot -lab -run Lab. Each machine goes from power-on
// through our server into a real Linux kernel, whose first process tells what it
// was given.

const ovmf = "/usr/share/OVMF/"

// needsLab skips unless the flag is given and all is there.
func needsLab(t *testing.T) {
	t.Helper()
	if !*lab {
		t.Skip("starts QEMU: run go test ./provisioner/netboot -lab -run Lab as root")
	}
	for _, path := range []string{ovmf + "OVMF_CODE_4M.fd", "/usr/lib/ipxe/snponly.efi"} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("needs the Debian packages ovmf and ipxe: %v", err)
		}
	}
}

// labKernel returns a small real kernel: Debian's, as the module u-root keeps it
// for tests of its own, or the one that RA2_LAB_KERNEL names.
func labKernel(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("RA2_LAB_KERNEL"); path != "" {
		return path
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/u-root/u-root").CombinedOutput()
	found, _ := filepath.Glob(strings.TrimSpace(string(out)) + "/pkg/boot/bzimage/testdata/bzImage-debian-signed-*")
	if err != nil || len(found) == 0 {
		t.Skipf("needs a kernel: set RA2_LAB_KERNEL to the path of one (go list: %v %s)", err, out)
	}
	return found[0]
}

// labInitrd builds a gzip initrd of an odd length, whose init is testdata/init:
// what comes behind it in memory is aligned only if somebody takes care.
func labInitrd(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir+"/init", "./testdata/init")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build init: %v\n%s", err, out)
	}
	sh(t, fmt.Sprintf("cd %s && mkdir dev && mknod dev/console c 5 1 && printf 'init\\ndev\\ndev/console\\n' | cpio --quiet -o -H newc > tree", dir))
	tree, err := os.ReadFile(dir + "/tree")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for n := 0; out.Len()%4 != 1; n++ {
		out.Reset()
		z := gzip.NewWriter(&out)
		z.Name = strings.Repeat("x", n+1) // one more byte of header each time
		if _, err := z.Write(tree); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	path := dir + "/initrd"
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// qemu starts a machine with its NIC on the bridge and returns the file of its
// serial console and a channel that closes when it is off.
func qemu(t *testing.T, args ...string) (string, <-chan struct{}) {
	t.Helper()
	sh(t, "ip tuntap add tap0 mode tap; ip link set tap0 master prov up")
	serial := t.TempDir() + "/serial"
	argv := append([]string{"-machine", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-m", "1024", "-smp", "1",
		"-display", "none", "-no-reboot", "-nodefaults", "-vga", "none", "-serial", "file:" + serial, "-monitor", "none",
		"-netdev", "tap,id=n,ifname=tap0,script=no,downscript=no"}, args...)
	cmd := exec.Command("qemu-system-x86_64", argv...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	off := make(chan struct{})
	go func() { _ = cmd.Wait(); close(off) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-off
		if t.Failed() {
			console, _ := os.ReadFile(serial)
			t.Logf("qemu: %s\nconsole:\n%s", said.String(), console)
		}
	})
	return serial, off
}

// efi returns the arguments of a machine with OVMF that boots from its NIC by
// OVMF's own drivers: an empty romfile keeps QEMU's iPXE ROM out.
func efi(t *testing.T, extra ...string) []string {
	t.Helper()
	vars := t.TempDir() + "/vars"
	sh(t, "cp "+ovmf+"OVMF_VARS_4M.fd "+vars)
	return append([]string{
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + ovmf + "OVMF_CODE_4M.fd",
		"-drive", "if=pflash,format=raw,unit=1,file=" + vars,
		"-device", "virtio-rng-pci",
		"-device", "virtio-net-pci,netdev=n,bootindex=1,romfile=,mac=" + hostMAC,
		// Debian's OVMF offers IPv4 and IPv6, PXE and HTTP, in this order.
		"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n",
	}, extra...)
}

// bootThrough boots a machine against a server and judges what both saw.
func bootThrough(t *testing.T, c Config, personas []Persona, machine ...string) {
	t.Helper()
	bootBehind(t, c, nil, personas, machine...)
}

// bootBehind does so with something in front of the server.
func bootBehind(t *testing.T, c Config, front func(*Server, *diary), personas []Persona, machine ...string) {
	t.Helper()
	b := aBoot(t)
	b.Kernel, b.Initrd = labKernel(t), labInitrd(t)
	b.Args = []string{"ra2.mode=install", "console=ttyS0,115200", "mitigations=off", "no5lvl"}
	c.Interface, c.Addr, c.Loaders, c.Book = "prov", netip.MustParseAddr("10.17.0.1"), "/usr/lib/ipxe", open(t, b)
	srv, d := serve(t, c)
	if front != nil {
		front(srv, d)
	}
	serial, off := qemu(t, machine...)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	select {
	case <-off:
	case <-ctx.Done():
		t.Errorf("the machine was not off after 5 minutes")
	}
	console, err := os.ReadFile(serial)
	if err != nil {
		t.Fatal(err)
	}
	ticket := fmt.Sprintf("init: ticket %x mode %o", sha256.Sum256([]byte(b.Ticket.Reveal())), 0o600)
	for _, line := range []string{"init: kernel line", "ra2.mode=install", ticket, "init: end"} {
		if !bytes.Contains(console, []byte(line)) {
			t.Errorf("the console has no %q", line)
		}
	}
	var asked []Persona
	for _, e := range d.all(Asked, nil) {
		asked = append(asked, e.Client.Persona)
	}
	if !slices.Equal(asked, personas) {
		t.Errorf("these asked: %v, expected %v", asked, personas)
	}
	// Without a router's advertisement it is 16 s more.
	for _, ask := range d.all(Asked, func(e Event) bool { return e.Client.Persona == IPXE }) {
		for _, e := range d.all(Script, nil) {
			if gap := e.Time.Sub(ask.Time); gap > 12*time.Second {
				t.Errorf("iPXE took %s from its first DHCP message to its script", gap)
			}
		}
	}
	for _, kind := range []Kind{Script, Ticketed} {
		if n := len(d.all(kind, nil)); n != 1 {
			t.Errorf("%d events %q, expected 1", n, kind)
		}
	}
	if n := len(d.all(Fetched, nil)); n != 2 {
		t.Errorf("%d files fetched, expected kernel and initrd", n)
	}
}

func TestLabBIOS(t *testing.T) {
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "cpio", "ip") {
		return
	}
	makeSite(t)
	// SeaBIOS runs the PXE ROM of the NIC, which is iPXE and says so.
	bootThrough(t, Config{}, []Persona{IPXE},
		"-device", "virtio-net-pci,netdev=n,bootindex=1,mac="+hostMAC)
}

// The PXE ROM of a NIC that is no iPXE gets undionly.kpxe by TFTP. No such ROM
// comes with QEMU, so its iPXE is answered as if it were one until it has
// the loader; what runs then is undionly.kpxe.
func TestLabBIOSLoader(t *testing.T) {
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "cpio", "ip") {
		return
	}
	makeSite(t)
	conn, err := alone("prov", 67)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	front := func(s *Server, d *diary) {
		c := s.conf
		c.Mode = Authoritative
		go read(t.Context(), conn, func(_ netip.AddrPort, raw []byte) {
			m, a, b, _ := s.consider(raw, func(b Boot, cl Client, m *dhcpv4.DHCPv4) answer {
				if len(d.all(Loader, nil)) == 0 {
					cl.Persona = BIOSPXE
				}
				return c.lease(b, cl, m)
			})
			if a.message != nil {
				s.send(conn, b, destination(m, a.message), a.message)
			}
		})
	}
	bootBehind(t, Config{Mode: Off}, front, nil, "-device", "virtio-net-pci,netdev=n,bootindex=1,mac="+hostMAC)
}

func TestLabUEFIPXE(t *testing.T) {
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "cpio", "ip") {
		return
	}
	makeSite(t)
	bootThrough(t, Config{}, []Persona{UEFIPXE, IPXE}, efi(t)...)
}

func TestLabUEFIHTTP(t *testing.T) {
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "cpio", "ip") {
		return
	}
	makeSite(t)
	bootThrough(t, Config{}, []Persona{UEFIHTTP, IPXE},
		efi(t, "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n")...)
}

// A proxy beside the site's own server: the firmware has its address from
// dnsmasq, the boot file from us, and the ticket still goes to the reserved
// address.
func TestLabProxyBIOS(t *testing.T) {
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "cpio", "ip", "dnsmasq") {
		return
	}
	makeSite(t)
	dnsmasq(t, "--dhcp-range=10.17.0.200,10.17.0.220,1h")
	bootThrough(t, Config{Mode: Proxy}, []Persona{IPXE},
		"-device", "virtio-net-pci,netdev=n,bootindex=1,mac="+hostMAC)
}

func TestLabProxyUEFIPXE(t *testing.T) {
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "cpio", "ip", "dnsmasq") {
		return
	}
	makeSite(t)
	dnsmasq(t, "--dhcp-range=10.17.0.200,10.17.0.220,1h")
	bootThrough(t, Config{Mode: Proxy}, []Persona{UEFIPXE, IPXE}, efi(t)...)
}

func TestLabProxyUEFIHTTP(t *testing.T) {
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "cpio", "ip", "dnsmasq") {
		return
	}
	makeSite(t)
	dnsmasq(t, "--dhcp-range=10.17.0.200,10.17.0.220,1h")
	bootThrough(t, Config{Mode: Proxy}, []Persona{UEFIHTTP, IPXE},
		efi(t, "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n")...)
}

// A site's server that names the loader to iPXE as well sends undionly.kpxe to
// itself for ever. It is said within the second round.
func TestLabLoop(t *testing.T) {
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "ip", "dnsmasq") {
		return
	}
	makeSite(t)
	b := aBoot(t)
	dnsmasq(t, "--dhcp-range=10.17.0.200,10.17.0.220,1h", "--dhcp-boot="+b.MAC.Dashes()+"/undionly.kpxe,,10.17.0.1")
	_, d := serve(t, Config{Interface: "prov", Addr: prov, Mode: Off, Loaders: "/usr/lib/ipxe", Book: open(t, b)})
	qemu(t, "-device", "virtio-net-pci,netdev=n,bootindex=1,mac="+hostMAC)
	awaitTrue(t, "the loop to be reported", 3*time.Minute, func() bool { return len(d.all(Loop, nil)) > 0 })
}

// Firmware whose Secure Boot is on loads the unsigned loader and refuses to start
// it; it says so on its own console only. (What a signed program does there is
// proven by the install in e2e.)
func TestLabSecureRefuses(t *testing.T) {
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "ip") {
		return
	}
	makeSite(t)
	vars := t.TempDir() + "/vars"
	sh(t, "cp "+ovmf+"OVMF_VARS_4M.ms.fd "+vars)
	_, d := serve(t, Config{Interface: "prov", Addr: prov, Loaders: "/usr/lib/ipxe", Book: open(t, aBoot(t))})
	serial, _ := qemu(t, "-machine", "smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on",
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file="+ovmf+"OVMF_CODE_4M.secboot.fd",
		"-drive", "if=pflash,format=raw,unit=1,file="+vars, "-device", "virtio-rng-pci",
		"-device", "virtio-net-pci,netdev=n,bootindex=1,romfile=,mac="+hostMAC,
		"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n", "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n")
	awaitTrue(t, "the firmware to refuse the loader", 3*time.Minute, func() bool {
		console, _ := os.ReadFile(serial)
		return bytes.Contains(console, []byte("Access Denied")) || bytes.Contains(console, []byte("Security Violation"))
	})
	if len(d.all(Loader, nil)) == 0 {
		t.Error("the loader was not fetched: something else was refused")
	}
	if n := len(d.all(Script, nil)); n != 0 {
		t.Error("the loader was started")
	}
}
