package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ulikunitz/xz"
	"golang.org/x/sys/unix"
)

// Few machines on which tests run have netem. TestNetemInQEMU boots Debian's kernel,
// whose first process is this very test: it makes a pod of a network namespace,
// lets the program disturb it, and measures.

var lab = flag.Bool("lab", false, "start QEMU")

// guest is set on the kernel line, and so in the environment of the first process;
// echo is set for the process that plays the pod.
const (
	guest = "RA2_DISTURB_TEST_IS_GUEST"
	echo  = "RA2_DISTURB_TEST_IS_ECHO"
)

func TestNetemInQEMU(t *testing.T) {
	if !*lab {
		t.Skip("starts QEMU: run go test ./images/guest/disturb -lab")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skipf("needs QEMU: %v", err)
	}
	kernel, modules := kernelPackage(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,-cx16", "-m", "768", "-nographic", "-no-reboot", "-nic", "none",
		"-kernel", kernel, "-initrd", initrd(t, modules), "-append", "console=ttyS0 quiet panic=-1 mitigations=off "+guest+"=1").CombinedOutput()
	text := string(out)
	if err != nil || !strings.Contains(text, "measured everything") {
		t.Fatalf("%v\n%s", err, text)
	}
	judge(t, text)
}

// kernelPackage returns Debian's kernel and the modules netem and veth, which an
// image build keeps.
func kernelPackage(t *testing.T) (kernel string, modules []string) {
	t.Helper()
	cache := os.Getenv("RA2_CACHE")
	if cache == "" {
		cache = "/var/cache/ra2-deploy"
	}
	for _, dir := range glob(cache + "/package/*") {
		k, n, v := glob(dir+"/boot/vmlinuz-*"), glob(dir+"/usr/lib/modules/*/kernel/net/sched/sch_netem.ko*"), glob(dir+"/usr/lib/modules/*/kernel/drivers/net/veth.ko*")
		if len(k) > 0 && len(n) > 0 && len(v) > 0 {
			return k[0], []string{n[0], v[0]}
		}
	}
	t.Skipf("needs a kernel with netem: `image build` leaves one in %s", cache)
	return "", nil
}

func glob(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

// initrd packs this test and the modules. It has to be static: there is nothing else.
func initrd(t *testing.T, modules []string) string {
	t.Helper()
	if info, err := buildinfo.ReadFile("/proc/self/exe"); err == nil {
		for _, s := range info.Settings {
			if s.Key == "CGO_ENABLED" && s.Value != "0" {
				t.Skip("needs CGO_ENABLED=0: it is the only program of the machine")
			}
		}
	}
	var out bytes.Buffer
	add := func(name string, mode int, data []byte) {
		fmt.Fprintf(&out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", out.Len(), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
		out.WriteString(name + "\x00")
		out.Write(make([]byte, -out.Len()&3))
		out.Write(data)
		out.Write(make([]byte, -out.Len()&3))
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	add("init", 0o100755, self)
	for _, dir := range []string{"proc", "sys", "tmp", "dev"} {
		add(dir, 0o40755, nil)
	}
	for i, m := range modules {
		add(fmt.Sprintf("module%d", i), 0o100644, unpacked(t, m))
	}
	add("TRAILER!!!", 0, nil)
	path := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func unpacked(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) != ".xz" {
		return data
	}
	r, err := xz.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = io.ReadAll(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// asGuest is the first process of the machine. It never returns.
func asGuest() {
	runtime.LockOSThread()
	for _, dir := range []string{"proc", "sysfs", "devtmpfs"} {
		at := map[string]string{"proc": "/proc", "sysfs": "/sys", "devtmpfs": "/dev"}[dir]
		if err := unix.Mount(dir, at, dir, 0, ""); err != nil {
			fmt.Println("wrong: mount", dir, err)
		}
	}
	if err := measure(); err != nil {
		fmt.Println("wrong:", err)
	}
	fmt.Println("measured everything")
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) // -no-reboot ends QEMU
	select {}
}
