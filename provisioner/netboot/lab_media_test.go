package netboot

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// readAsBMC copies the boot image in pieces, as a management controller reads
// it for its virtual CD.
func readAsBMC(t *testing.T, s *Server, to string) {
	t.Helper()
	url := s.conf.MediaURL(mustMAC(t))
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	const piece = 1 << 20
	for from := 0; ; from += piece {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+piece-1))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(out, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
			return // the last piece was whole
		}
		if err != nil || resp.StatusCode != http.StatusPartialContent {
			t.Fatalf("GET %s: %s %v", url, resp.Status, err)
		}
		if n < piece {
			return
		}
	}
}

// bootMedia boots a machine whose NIC has no ROM from the virtual CD. Only iPXE
// may be heard: the firmware itself asks for nothing.
func bootMedia(t *testing.T, machine func(*testing.T) []string) {
	t.Helper()
	needsLab(t)
	if !inSite(t, "qemu-system-x86_64", "cpio", "ip") {
		return
	}
	makeSite(t)
	cd := filepath.Join(t.TempDir(), mediaName)
	front := func(s *Server, d *diary) {
		readAsBMC(t, s, cd)
		if n := len(d.all(Media, nil)); n != 1 {
			t.Errorf("%d first reads are told", n)
		}
	}
	bootBehind(t, Config{}, front, []Persona{IPXE}, append(machine(t),
		"-drive", "if=none,id=cd,media=cdrom,readonly=on,format=raw,file="+cd, "-device", "ide-cd,drive=cd,bootindex=0")...)
}

func TestLabMediaUEFI(t *testing.T) {
	bootMedia(t, func(t *testing.T) []string { return efi(t) })
}

func TestLabMediaBIOS(t *testing.T) {
	bootMedia(t, func(*testing.T) []string {
		return []string{"-device", "virtio-net-pci,netdev=n,romfile=,mac=" + hostMAC}
	})
}
