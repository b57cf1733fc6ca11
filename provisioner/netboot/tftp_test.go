package netboot

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pin/tftp/v3"
)

// tftpOn serves s by TFTP on a port of the loopback and returns a client.
func tftpOn(t *testing.T, s *Server) *tftp.Client {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s.tftp = conn
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.serveTFTP(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = conn.Close()
		if err := <-done; err != nil {
			t.Errorf("serveTFTP: %v", err)
		}
	})
	c, err := tftp.NewClient(conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetTimeout(2 * time.Second)
	c.SetBlockSize(1468)
	return c
}

func fetch(c *tftp.Client, name string) (string, error) {
	from, err := c.Receive(name, "octet")
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	_, err = from.WriteTo(&out)
	return out.String(), err
}

func TestTFTP(t *testing.T) {
	s, table, d := web(t)
	big := strings.Repeat("0123456789", 20000)
	if err := os.WriteFile(filepath.Join(s.conf.Loaders, "undionly.kpxe"), []byte(big), 0o644); err != nil {
		t.Fatal(err)
	}
	c := tftpOn(t, s)
	const dir = "52-54-00-17-00-11/"
	if got, err := fetch(c, dir+"undionly.kpxe"); err != nil || got != big {
		t.Errorf("undionly.kpxe: %d bytes, %v", len(got), err)
	}
	if got, err := fetch(c, "/"+dir+"autoexec.ipxe"); err != nil || !strings.HasPrefix(got, "#!ipxe\n") {
		t.Errorf("autoexec.ipxe: %q, %v", got, err)
	}
	d.await(t, Loader, 1)
	if n := len(d.all(Loader, func(e Event) bool { return e.By == "tftp" && e.Bytes == int64(len(big)) && e.Speed() > 0 })); n != 1 {
		t.Errorf("the loader is not reported once:\n%s", d)
	}
	table.Close(mustMAC(t))
	for _, name := range []string{dir + "undionly.kpxe", dir + "autoexec.ipxe", "undionly.kpxe", "../" + dir + "x", dir + "../../etc/passwd"} {
		if got, err := fetch(c, name); err == nil {
			t.Errorf("%s without an open boot: %d bytes", name, len(got))
		}
	}
}

// The name needs no MAC where the sender's address tells who it is.
func TestWhose(t *testing.T) {
	s, _, _ := web(t)
	for _, test := range []struct {
		name, from, file string
		open             bool
	}{
		{"52-54-00-17-00-11/snponly.efi", "10.17.0.99", "snponly.efi", true},
		{`52-54-00-17-00-11\snponly.efi`, "10.17.0.99", "snponly.efi", true},
		{"/snponly.efi", "10.17.0.11", "snponly.efi", true},
		{"snponly.efi", "10.17.0.99", "snponly.efi", false},
		{"52-54-00-17-00-99/snponly.efi", "10.17.0.11", "snponly.efi", false},
		{"a/52-54-00-17-00-11/snponly.efi", "10.17.0.11", "", false},
	} {
		_, file, ok := s.whose(test.name, address(net.ParseIP(test.from)))
		if ok != test.open || ok && file != test.file {
			t.Errorf("%s from %s: %q, %v", test.name, test.from, file, ok)
		}
	}
}
