package e2e

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stranger tries what a machine could that is in the same network while a host
// installs: read what is served for it, and use a ticket that it saw pass by.
func (b *bench) stranger(host string, w *tap) {
	b.Helper()
	base := "http://10.17.0.1:8080/boot/" + mac(host) + "/"
	outside, same := client(b.lab, nil), client(b.netOf(host), nil)
	keep := filepath.Join(filepath.Dir(b.dir), "served")
	if err := os.MkdirAll(keep, 0o755); err != nil {
		b.Fatal(err)
	}
	for _, file := range []string{"ipxe", "autoexec.ipxe", "kernel", "initrd", "snponly.efi"} {
		status, text := ask(outside, http.MethodGet, base+file, "", nil)
		if status != http.StatusOK {
			b.Errorf("%s while a step is open: %d", file, status)
		}
		if err := os.WriteFile(filepath.Join(keep, file), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	line, err := os.ReadFile(b.root(host, "/proc/cmdline"))
	if err != nil || !strings.Contains(string(line), "ra2.mode=install") {
		b.Errorf("the installer's kernel line: %q, %v", line, err)
	}
	if err := os.WriteFile(filepath.Join(keep, "cmdline"), line, 0o600); err != nil {
		b.Fatal(err)
	}
	for name, c := range map[string]struct {
		from *http.Client
		url  string
		want int
	}{
		"ticket, another address":  {outside, base + "ticket.cpio", http.StatusNotFound},
		"ticket, a second time":    {same, base + "ticket.cpio", http.StatusGone},
		"no boot of this MAC":      {outside, "http://10.17.0.1:8080/boot/52-54-00-99-99-99/ipxe", http.StatusNotFound},
		"image without a session":  {insecure(outside), "https://10.17.0.1:8443/v1/image/" + strings.Repeat("0", 64) + ".raw.zst", http.StatusUnauthorized},
		"kernel without a session": {insecure(outside), "https://10.17.0.1:8443/v1/boot/" + strings.Repeat("0", 64) + "/kernel", http.StatusUnauthorized},
	} {
		if status, text := ask(c.from, http.MethodGet, c.url, "", nil); status != c.want {
			b.Errorf("%s: %d %s; want %d", name, status, text, c.want)
		}
	}
	b.replay(host, insecure(same), w)
}

// insecure is a client that trusts anybody, as a thief does.
func insecure(c *http.Client) *http.Client {
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return c
}

// replay claims the host's identity with its own ticket, from its own address,
// with its own hardware: all that a thief could know.
func (b *bench) replay(host string, c *http.Client, w *tap) {
	b.Helper()
	b.until("tickets on the wire", 10*time.Second, func() (bool, string) {
		_, tickets := w.heard()
		return len(tickets) > 0, "none"
	})
	colons := strings.ReplaceAll(mac(host), "-", ":")
	_, tickets := w.heard()
	var answers []string
	for _, ticket := range tickets {
		claim, err := json.Marshal(map[string]any{"node": host, "ticket": ticket, "facts": map[string]any{"macs": []string{colons}}})
		if err != nil {
			b.Fatal(err)
		}
		status, text := ask(c, http.MethodPost, "https://10.17.0.1:8443/v1/claim", string(claim), nil)
		answers = append(answers, text)
		if status != http.StatusForbidden {
			b.Errorf("a second claim with the ticket of %s: %d", host, status)
		}
	}
	if !slices.ContainsFunc(answers, func(a string) bool { return strings.Contains(a, "used before") }) {
		b.Errorf("none of %d tickets was that of %s: %q", len(tickets), host, answers)
	}
}
