package lab_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/container"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/ipmisim"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/network"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

var labFlag = flag.Bool("lab", false, "make real labs (root)")

// TestMain is the program that the lab starts again: as its daemon, as a
// machine, and here also as the netboot server.
func TestMain(m *testing.M) {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 3 && args[0] == "lab" && args[1] == "serve":
		err = lab.Serve(context.Background(), args[2])
	case len(args) > 4 && args[0] == "lab" && args[1] == "chassis":
		var said string
		if said, err = lab.Chassis(context.Background(), args[2], args[3], args[4:]); err == nil {
			fmt.Println(said)
			return
		}
	case len(args) == 2 && args[0] == "lab" && args[1] == "machine":
		err = container.Child(context.Background())
	case len(args) == 3 && args[0] == "netboot":
		err = serveNetboot(args[1], args[2])
	default:
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func serveNetboot(dir, mac string) error {
	hw, err := netboot.ParseMAC(mac)
	if err != nil {
		return err
	}
	var book netboot.Table
	err = book.Open(netboot.Boot{
		Node: "m1", MAC: hw, Addrs: []netip.Prefix{netip.MustParsePrefix("10.17.0.11/24")},
		Kernel: dir + "/kernel", Initrd: dir + "/initrd", Args: []string{"mode=install", "a=b", "console=ttyS0,115200", "no5lvl"}, Ticket: secret.New("one-time"),
	})
	if err != nil {
		return err
	}
	s, err := netboot.Listen(netboot.Config{
		Interface: "prov", Addr: netip.MustParseAddr("10.17.0.1"), Loaders: dir, Book: &book,
		Report: func(e netboot.Event) { fmt.Println(e) },
	})
	if err != nil {
		return err
	}
	return s.Serve(context.Background())
}

func needsLab(t *testing.T) {
	t.Helper()
	if !*labFlag || os.Geteuid() != 0 {
		t.Skip("makes namespaces and machines: run go test ./e2e/lab -lab as root")
	}
}

// site is one lab that is up.
type site struct {
	*testing.T
	name, dir string
}

func up(t *testing.T, name, machines string) site {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "in.yaml")
	text := "apiVersion: ra2-deploy/v1alpha1\nkind: Lab\nmetadata: {name: " + name + "}\nspec:\n  machines:\n" + machines
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := site{t, name, dir + "/lab"}
	if err := lab.Up(t.Context(), file, s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.show("m1")
		}
		if err := lab.Down(context.Background(), s.dir); err != nil {
			t.Error(err)
		}
		s.clean()
	})
	return s
}

func (s site) show(machine string) {
	var b bytes.Buffer
	_ = lab.Console(s.Context(), s.dir, machine, false, &b)
	log, _ := os.ReadFile(s.dir + "/lab.log")
	s.Logf("console:\n%s\nlog:\n%s", b.String(), log)
}

// clean checks that nothing of the lab is left on the host.
func (s site) clean() {
	s.Helper()
	if network.Exists("ra2-" + s.name) {
		s.Error("the network namespace is left")
	}
	if pids := container.Members(s.name); len(pids) > 0 {
		s.Errorf("processes are left: %v", pids)
	}
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range commands {
		if line, _ := os.ReadFile(f); strings.HasPrefix(string(line), "/usr/bin/"+ipmisim.Program) && strings.Contains(string(line), s.dir) {
			s.Errorf("%s is left: %s", f, line)
		}
	}
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, f := range files {
		if back, _ := os.ReadFile(f); strings.HasPrefix(string(back), s.dir) {
			s.Errorf("%s is left: %s", f, back)
		}
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/ra2-" + s.name)
	if len(groups) > 0 {
		s.Errorf("cgroups are left: %v", groups)
	}
}

// client dials from inside of the lab.
func (s site) client() *http.Client {
	dial := func(ctx context.Context, kind, addr string) (conn net.Conn, err error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread()
			var ns netns.NsHandle
			if ns, err = netns.GetFromName("ra2-" + s.name); err != nil {
				return
			}
			defer ns.Close()
			if err = netns.Set(ns); err == nil {
				conn, err = new(net.Dialer).DialContext(ctx, kind, addr)
			}
		}()
		<-done
		return conn, err
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
}

func (s site) redfish(method, path, body string) map[string]any {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, "https://10.17.1.11/redfish/v1"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	password, err := os.ReadFile(s.dir + "/bmc-password")
	if err != nil {
		s.Fatal(err)
	}
	r.SetBasicAuth("admin", string(password))
	resp, err := s.client().Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode >= 300 {
		s.Fatalf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	var out map[string]any
	_ = json.Unmarshal(text, &out)
	return out
}

func (s site) reset(kind string) {
	s.Helper()
	s.redfish("POST", "/Systems/1/Actions/ComputerSystem.Reset", `{"ResetType":"`+kind+`"}`)
}

// until waits for a power state.
func (s site) until(power string, limit time.Duration) {
	s.Helper()
	end := time.Now().Add(limit)
	for {
		now := s.redfish("GET", "/Systems/1", "")["PowerState"]
		if now == power {
			return
		}
		if time.Now().After(end) {
			s.Fatalf("power is %v and not %s after %s", now, power, limit)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// says waits for a text on the console.
func (s site) says(text string, limit time.Duration) {
	s.Helper()
	end := time.Now().Add(limit)
	for {
		var b bytes.Buffer
		if err := lab.Console(s.Context(), s.dir, "m1", false, &b); err != nil {
			s.Fatal(err)
		}
		if strings.Contains(b.String(), text) {
			return
		}
		if time.Now().After(end) {
			s.Fatalf("the console does not say %q within %s", text, limit)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// netboot starts a netboot server inside of the lab.
func (s site) netboot(dir string) {
	s.Helper()
	self, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command(self, "netboot", dir, "52:54:00:17:00:11")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := network.Start("ra2-"+s.name, cmd); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if s.Failed() {
			s.Logf("netboot:\n%s", said.String())
		}
	})
}

// content writes a loader, a kernel and an initrd whose init is testdata/init
// and which holds a disk image that boots the same init.
func content(t *testing.T, bootLine string) string {
	t.Helper()
	dir := t.TempDir()
	run := func(name string, args ...string) {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	kernel := make([]byte, 4096)
	copy(kernel[0x202:], "HdrS")
	for name, b := range map[string][]byte{"snponly.efi": []byte("MZ loader"), "undionly.kpxe": []byte("loader"), "kernel": kernel} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "init"), "./testdata/init")
	build.Dir, build.Env = here, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build init: %v: %s", err, out)
	}
	run("sh", "-c", "mkdir dev && mknod dev/console c 5 1")
	run("sh", "-c", "echo init | cpio --quiet -o -H newc | gzip > small")
	if err := makeImage(dir, bootLine); err != nil {
		t.Fatal(err)
	}
	run("sh", "-c", "printf 'init\\ndev\\ndev/console\\ndisk.img\\n' | cpio --quiet -o -H newc | zstd -q -1 > initrd")
	return dir
}

// realKernel returns a small real kernel: Debian's, as the module u-root keeps
// it for tests of its own, or the one that RA2_LAB_KERNEL names.
func realKernel(t *testing.T) string {
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

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Skipf("needs the Debian package ipxe: %v", err)
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
