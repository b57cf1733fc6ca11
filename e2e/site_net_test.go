package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// within runs f in a network namespace, on a thread that is not used again.
func within(open func() (netns.NsHandle, error), f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			ns, err := open()
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := netns.Set(ns); err != nil {
				return err
			}
			return f()
		}()
	}()
	return <-done
}

// lab is the namespace of the provisioner and the controllers.
func (b *bench) lab() (netns.NsHandle, error) { return netns.GetFromName(b.namespace()) }

// client speaks HTTP from inside of a namespace.
func client(open func() (netns.NsHandle, error), conf *tls.Config) *http.Client {
	dial := func(ctx context.Context, kind, addr string) (conn net.Conn, err error) {
		err = within(open, func() error {
			conn, err = new(net.Dialer).DialContext(ctx, kind, addr)
			return err
		})
		return conn, err
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dial, TLSClientConfig: conf, DisableKeepAlives: true}}
}

// ask sends one request; status is 0 when nobody answers.
func ask(c *http.Client, method, url, body string, with func(*http.Request)) (status int, text string) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	if with != nil {
		with(r)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(all)
}

// machines of every site here, in the order of their numbers: the first has
// 10.17.0.11, fd00:17::11 and the controller 10.17.1.11.
func machines() []string {
	return []string{"cp-a", "cp-b", "cp-c", "worker-a", "worker-b", "worker-c"}
}

func number(machine string) int {
	for i, m := range machines() {
		if m == machine {
			return 11 + i
		}
	}
	return 0
}

func mac(machine string) string { return fmt.Sprintf("52-54-00-17-00-%02d", number(machine)) }

// reset switches a machine's power by its controller, as a person would who
// knows the password.
func (b *bench) reset(machine, kind string) {
	b.Helper()
	status, text := b.redfish(machine, http.MethodPost, b.system(machine)+"/Actions/ComputerSystem.Reset", `{"ResetType":"`+kind+`"}`)
	if status >= 300 || status == 0 {
		b.Fatalf("%s of %s: %d %s", kind, machine, status, text)
	}
}

// system is where the controller of a machine has the one system that it
// manages: each vendor has its own place for it.
func (b *bench) system(machine string) string {
	b.Helper()
	var list struct {
		Members []struct {
			Path string `json:"@odata.id"`
		}
	}
	status, text := b.redfish(machine, http.MethodGet, "/Systems", "")
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Members) != 1 {
		b.Fatalf("the systems of %s: %d %s", machine, status, text)
	}
	return strings.TrimPrefix(list.Members[0].Path, "/redfish/v1")
}

func (b *bench) redfish(machine, method, path, body string) (int, string) {
	b.Helper()
	password, err := os.ReadFile(b.dir + "/bmc-password")
	if err != nil {
		b.Fatal(err)
	}
	url := fmt.Sprintf("https://10.17.1.%d/redfish/v1%s", number(machine), path)
	return ask(client(b.lab, &tls.Config{InsecureSkipVerify: true}), method, url, body, func(r *http.Request) { r.SetBasicAuth("admin", string(password)) })
}

// off waits until a machine has no power.
func (b *bench) off(machine string) {
	b.Helper()
	at := b.system(machine)
	b.until(machine+" to be off", 20*time.Second, func() (bool, string) {
		_, text := b.redfish(machine, http.MethodGet, at, "")
		return strings.Contains(text, `"PowerState":"Off"`) || strings.Contains(text, `"PowerState": "Off"`), text
	})
}

// kube is the cluster as its administrator reaches it.
type kube struct{ *http.Client }

// kube reads the kubeconfig that ra2-deploy keeps.
func (b *bench) kube() kube {
	b.Helper()
	text, err := os.ReadFile(b.state("secrets/kubeconfig"))
	if err != nil {
		b.Fatal(err)
	}
	return kube{b.kubeOf(string(text))}
}

// kubeOf is a client of the cluster that a kubeconfig leads to.
func (b *bench) kubeOf(kubeconfig string) *http.Client {
	b.Helper()
	c := readKubeconfig(b.T, []byte(kubeconfig))
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.ca) {
		b.Fatal("the kubeconfig has no CA")
	}
	return client(b.lab, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}})
}

type kubeconfig struct{ ca, cert, key []byte }

func readKubeconfig(t *testing.T, text []byte) kubeconfig {
	t.Helper()
	var f struct {
		Clusters []struct {
			Cluster struct {
				CA string `yaml:"certificate-authority-data"`
			} `yaml:"cluster"`
		} `yaml:"clusters"`
		Users []struct {
			User struct {
				Cert string `yaml:"client-certificate-data"`
				Key  string `yaml:"client-key-data"`
			} `yaml:"user"`
		} `yaml:"users"`
	}
	if err := yaml.Unmarshal(text, &f); err != nil || len(f.Clusters) == 0 || len(f.Users) == 0 {
		t.Fatalf("read the kubeconfig: %v", err)
	}
	var c kubeconfig
	for _, v := range []struct {
		to   *[]byte
		from string
	}{{&c.ca, f.Clusters[0].Cluster.CA}, {&c.cert, f.Users[0].User.Cert}, {&c.key, f.Users[0].User.Key}} {
		raw, err := base64.StdEncoding.DecodeString(v.from)
		if err != nil {
			t.Fatal(err)
		}
		*v.to = raw
	}
	return c
}

// get reads an object of the cluster by the virtual address.
func (k kube) get(path string, into any) error {
	status, text := ask(k.Client, http.MethodGet, "https://10.17.0.10:6443"+path, "", nil)
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, status, text)
	}
	return json.Unmarshal([]byte(text), into)
}

// A tap listens on the provisioning network, as anybody there could: it counts
// what a DHCP server sends and reads the tickets that pass by.
type tap struct {
	fd      int
	mu      sync.Mutex
	answers int
	tickets []string
}

// tap begins to listen, until the test ends.
func (b *bench) tap() *tap {
	b.Helper()
	w := &tap{}
	if err := within(b.lab, w.open); err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); w.listen() }()
	b.Cleanup(func() {
		_ = unix.Shutdown(w.fd, unix.SHUT_RDWR)
		_ = unix.Close(w.fd)
		<-done
	})
	return w
}

// open makes a socket that sees IPv4 from port 67 (DHCP) and 8080 (netboot).
func (w *tap) open() error {
	nic, err := net.InterfaceByName("prov")
	if err != nil {
		return err
	}
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL)) // network byte order
	if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all)); err != nil {
		return err
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 12},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 5, K: unix.ETH_P_IP},
		{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 14},
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: 14},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: 67},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: 8080},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 18},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	if err := unix.SetsockoptSockFprog(w.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}); err != nil {
		return err
	}
	// A read ends now and then, so that listen sees when the socket is closed.
	if err := unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000}); err != nil {
		return err
	}
	return unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: nic.Index})
}

func (w *tap) listen() {
	ticket := regexp.MustCompile(`ra2/ticket\x00+([A-Za-z0-9_-]{43})`)
	frame := make([]byte, 1<<18)
	for {
		n, err := unix.Read(w.fd, frame)
		if err == unix.EAGAIN || err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		if n < 34 {
			continue
		}
		w.mu.Lock()
		if port := 14 + int(frame[14]&15)*4; frame[23] == unix.IPPROTO_UDP && n > port+1 && binary.BigEndian.Uint16(frame[port:]) == 67 {
			w.answers++
		} else if m := ticket.FindSubmatch(frame[:n]); m != nil && !slices.Contains(w.tickets, string(m[1])) {
			w.tickets = append(w.tickets, string(m[1]))
		}
		w.mu.Unlock()
	}
}

// heard returns how many DHCP answers passed, and all tickets.
func (w *tap) heard() (answers int, tickets []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers, slices.Clone(w.tickets)
}
