package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// newHost is a directory on this host where the program runs, without a lab.
func newHost(t *testing.T, name string) *bench {
	t.Helper()
	bin := programs(t)
	top, err := os.MkdirTemp("", "ra2-e2e-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, name: name, dir: filepath.Join(top, "lab"), program: filepath.Join(bin, "ra2-deploy"), commands: new(atomic.Int32)}
	if err := os.MkdirAll(b.outputs(), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.Failed() || *keepFlag {
			b.Logf("kept: %s", top)
		} else if err := os.RemoveAll(top); err != nil {
			b.Error(err)
		}
	})
	return b
}

// file is a path beside the outputs.
func (b *bench) file(name string) string { return filepath.Join(filepath.Dir(b.dir), name) }

// named is how the commands call a bundle.
var named = regexp.MustCompile(`bundle (sha256:[0-9a-f]{64})`)

// bundleOf returns the digest that a command printed.
func (b *bench) bundleOf(r result) string {
	b.Helper()
	m := named.FindStringSubmatch(b.must(r).out)
	if m == nil {
		b.Fatalf("it names no bundle: %s", r)
	}
	return m[1]
}

// TestBundle makes a bundle of what Debian's mirror has today, by a lock made just
// now, and carries it as one file to where there is no network.
func TestBundle(t *testing.T) {
	needsLab(t)
	b := newHost(t, "bundle")
	text := strings.Replace(b.must(b.run("init")).out, "    distribution: debian-13\n", "    distribution: debian-13\n    kubernetes: false\n", 1)
	inventory, lock := b.file("edge.yaml"), b.file("edge.lock")
	if err := os.WriteFile(inventory, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.must(b.run("bundle", "key", "--no-password", b.file("site")))
	b.must(b.run("bundle", "lock", inventory, lock))
	made := b.bundleOf(b.run("bundle", "create", "--lock", lock, "--sign", b.file("site.key"), inventory, b.file("edge.bundle")))
	b.sameWithoutLock(made, inventory, lock)

	b.must(b.run("bundle", "export", b.file("edge.bundle"), b.file("edge.tar")))
	offline := func(args ...string) result {
		return b.start(append([]string{"unshare", "--net", b.program, "bundle"}, args...)...).wait()
	}
	if got := b.bundleOf(offline("import", b.file("edge.tar"), b.file("copy.bundle"), "--key", b.file("site.pub"))); got != made {
		t.Errorf("bundle %s was imported of the file of %s", got, made)
	}
	b.must(offline("verify", b.file("copy.bundle"), "--key", b.file("site.pub")))
	list := b.must(offline("list", b.file("copy.bundle"))).out
	for _, want := range []string{"systemd", "linux-image-amd64", "ipxe", "ra2-node"} {
		if !regexp.MustCompile(`(?m)^deb +` + want + ` `).MatchString(list) {
			t.Errorf("the list has no package %s:\n%s", want, list)
		}
	}
	if tool, err := exec.LookPath("minisign"); err == nil {
		b.must(b.start(tool, "-V", "-p", b.file("site.pub"), "-m", b.file("copy.bundle/bundle.json")).wait())
	}
}

// sameWithoutLock makes the bundle of what the mirror has, and wants the same,
// unless the mirror has moved on since the lock was made.
func (b *bench) sameWithoutLock(made, inventory, lock string) {
	b.Helper()
	got := b.bundleOf(b.run("bundle", "create", inventory, b.file("today.bundle")))
	if got == made {
		return
	}
	b.must(b.run("bundle", "lock", inventory, b.file("today.lock")))
	if diff := b.start("diff", lock, b.file("today.lock")).wait(); diff.code == 0 {
		b.Errorf("bundle %s is made by the lock, and %s without it, of the same packages", made, got)
	} else {
		b.Logf("the mirror moved on:\n%s", diff.out)
	}
}
