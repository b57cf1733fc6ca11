package netboot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// signed opens a boot with a signed program of these bytes.
func signed(t *testing.T, table *Table, program string) {
	t.Helper()
	b := aBoot(t)
	b.Program = filepath.Join(t.TempDir(), "installer.efi")
	if err := os.WriteFile(b.Program, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := table.Open(b); err != nil {
		t.Fatal(err)
	}
}

// TestProgramHTTP: beside the signed program and the ticket there is nothing,
// and the ticket goes out once, as text.
func TestProgramHTTP(t *testing.T) {
	s, table, d := web(t)
	signed(t, table, "MZ program")
	for _, file := range []string{"ipxe", "autoexec.ipxe", "kernel", "initrd", "ticket.cpio", "ipxe.iso", "snponly.efi"} {
		if got := get(s, reserved, bootPath+file).Code; got != 404 {
			t.Errorf("GET %s: %d", file, got)
		}
	}
	w := get(s, reserved, bootPath+"ra2.efi")
	if w.Code != 200 || w.Body.String() != "MZ program" || w.Header().Get("Content-Type") != "application/efi" {
		t.Errorf("ra2.efi: %d %q %v", w.Code, w.Body, w.Header())
	}
	if n := len(d.all(Program, nil)); n != 1 {
		t.Errorf("%d programs are told", n)
	}
	if got := get(s, stranger, bootPath+"ticket").Code; got != 404 {
		t.Errorf("the ticket for another address: %d", got)
	}
	if got := get(s, reserved, bootPath+"ticket"); got.Code != 200 || got.Body.String() != "one-time" {
		t.Errorf("the ticket: %d %q", got.Code, got.Body)
	}
	if got := get(s, reserved, bootPath+"ticket").Code; got != 410 {
		t.Errorf("the ticket a second time: %d", got)
	}
}

// TestProgramRefused: firmware that refuses the program asks for it again and
// again; that is told, and what to look for.
func TestProgramRefused(t *testing.T) {
	s, table, d := web(t)
	signed(t, table, "MZ program")
	get(s, reserved, bootPath+"ra2.efi")
	get(s, reserved, bootPath+"ticket") // the installer spoke
	get(s, reserved, bootPath+"ra2.efi")
	if n := len(d.all(Loop, nil)); n != 0 {
		t.Fatalf("a second boot is told as refused:\n%s", d)
	}
	get(s, reserved, bootPath+"ra2.efi")
	told := d.all(Loop, func(e Event) bool { return strings.Contains(e.Next, "Security Violation") })
	if len(told) != 1 {
		t.Errorf("told %d times:\n%s", len(told), d)
	}
}

// TestProgramTFTP: the same by TFTP.
func TestProgramTFTP(t *testing.T) {
	s, table, d := web(t)
	big := strings.Repeat("MZ program ", 100_000)
	signed(t, table, big)
	c := tftpOn(t, s)
	const dir = "52-54-00-17-00-11/"
	if got, err := fetch(c, dir+"ra2.efi"); err != nil || got != big {
		t.Errorf("ra2.efi: %d bytes, %v", len(got), err)
	}
	d.await(t, Program, 1)
	for _, file := range []string{"snponly.efi", "autoexec.ipxe", "ticket"} {
		if got, err := fetch(c, dir+file); err == nil {
			t.Errorf("%s: %d bytes", file, len(got))
		}
	}
}

// TestProgramFile: who asks decides; what can't run a program of x86-64 is told
// of nothing.
func TestProgramFile(t *testing.T) {
	const url = "http://10.17.0.1:8080/boot/52-54-00-17-00-11/ra2.efi"
	pxe := class("PXEClient:Arch:00007:UNDI:003016")
	for name, test := range map[string]struct {
		mods []dhcpv4.Modifier
		file string
	}{
		"UEFI HTTP":       {[]dhcpv4.Modifier{class("HTTPClient:Arch:00016:UNDI:003001"), arch(16)}, url},
		"UEFI PXE":        {[]dhcpv4.Modifier{pxe, arch(7)}, "52-54-00-17-00-11/ra2.efi"},
		"iPXE":            {[]dhcpv4.Modifier{pxe, arch(7), option(dhcpv4.OptionUserClassInformation, []byte("iPXE")...)}, url},
		"UEFI HTTP arm64": {[]dhcpv4.Modifier{class("HTTPClient:Arch:00019:UNDI:003001"), arch(19)}, ""},
		"BIOS":            {[]dhcpv4.Modifier{class("PXEClient:Arch:00000:UNDI:002001"), arch(0)}, ""},
	} {
		conf := testConfig(t, Authoritative)
		signed(t, conf.Book.(*Table), "MZ")
		r := exchange(t, conf, message(t, discoverType, test.mods...)).message
		if got := r.BootFileNameOption(); got != test.file {
			t.Errorf("%s: %q, wanted %q", name, got, test.file)
		}
	}
}
