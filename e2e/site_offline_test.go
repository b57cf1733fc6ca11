package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOffline installs one machine from the exported file of a bundle and from
// nothing else. About a minute where the image is built.
func TestOffline(t *testing.T) {
	needsLab(t)
	b := newBench(t, "t-offline", "small.yaml", "host-a", host, "kind: qemu", "kind: container")
	b.offline()
}

// TestOfflineSite does the same with Kubernetes: the node becomes Ready from the
// file alone.
func TestOfflineSite(t *testing.T) {
	needsSite(t)
	b := newBench(t, "e2e-offline", "small.yaml", "host-a", host, "kind: qemu", "kind: container", "kubernetes: false", "kubernetes: true")
	b.offline()
	r := b.must(b.inside("status", b.inventory()))
	if !strings.Contains(r.out, "Ready") {
		b.Errorf("%s", r)
	}
}

// offline carries a bundle to a place that has ra2-deploy, the inventory and this
// one file: no ra2-node, no built image, no other program, no way out.
func (b *bench) offline() {
	b.Helper()
	top := filepath.Dir(b.dir)
	file, public := b.carried(top)
	place := filepath.Join(top, "place")
	if err := os.MkdirAll(place, 0o755); err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(b.program)
	if err != nil {
		b.Fatal(err)
	}
	program := filepath.Join(place, "ra2-deploy")
	if err := os.WriteFile(program, data, 0o755); err != nil {
		b.Fatal(err)
	}
	b.noWayOut()
	alone := func(args ...string) result {
		line := append([]string{"ip", "netns", "exec", b.namespace(), "env", "-i", "PATH=" + filepath.Join(place, "nothing"), "RA2_CACHE=" + filepath.Join(place, "cache"), program}, args...)
		return b.start(line...).wait()
	}
	r := b.exits(alone("plan", b.inventory()), 2)
	if !strings.Contains(r.err, "image build") {
		b.Errorf("without the bundle nothing says where an image comes from\n%s", r)
	}
	b.must(alone("up", "--yes", "--bundle", file, "--key", public, b.inventory()))
	r = b.must(alone("plan", "--exit-code", b.inventory())) // which isn't told of the bundle any more
	if !strings.Contains(r.out, "Nothing to do") {
		b.Errorf("%s", r)
	}
}

// carried makes a signed bundle with the finished image as one file, and returns it
// with the public key.
func (b *bench) carried(top string) (file, public string) {
	b.Helper()
	key, dir := filepath.Join(top, "site"), filepath.Join(top, "bundle")
	file = filepath.Join(top, "site.tar")
	b.must(b.run("bundle", "key", "--no-password", key))
	b.must(b.run("bundle", "create", "--image", "--sign", key+".key", b.inventory(), dir))
	b.must(b.run("bundle", "export", dir, file))
	if err := os.RemoveAll(dir); err != nil {
		b.Fatal(err)
	}
	return file, key + ".pub"
}

// noWayOut wants the lab's network to have no route but to itself, so that an
// install which succeeds has asked nobody outside.
func (b *bench) noWayOut() {
	b.Helper()
	for _, family := range []string{"-4", "-6"} {
		r := b.must(b.start("ip", "-n", b.namespace(), family, "route", "show", "default").wait())
		if r.out != "" {
			b.Fatalf("the lab's network has a way out:\n%s", r)
		}
	}
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", "netns", "exec", b.namespace(), "bash", "-c", "exec 3<>/dev/tcp/192.0.2.1/80").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "unreachable") {
		b.Fatalf("an address outside is not unreachable: %v: %s", err, fmt.Sprint(string(out)))
	}
}
