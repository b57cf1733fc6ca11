package mirror_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// containerd is a real one with a store of its own.
type containerd struct {
	testing.TB
	dir, ctr string
}

// containerdConf keeps everything in one folder. The CRI plugin wants a node around
// it; both pull by the transfer service.
const containerdConf = `version = 3
root = '%[1]s/root'
state = '%[1]s/state'
disabled_plugins = ['io.containerd.cri.v1.runtime', 'io.containerd.cri.v1.images', 'io.containerd.grpc.v1.cri']
[grpc]
address = '%[1]s/s'
[ttrpc]
address = '%[1]s/t'
[[plugins.'io.containerd.transfer.v1.local'.unpack_config]]
differ = 'walking'
platform = 'linux/amd64'
snapshotter = 'native'
`

// newContainerd starts the containerd that an image build made.
func newContainerd(t testing.TB) *containerd {
	t.Helper()
	cache := os.Getenv("RA2_CACHE")
	if cache == "" {
		cache = "/var/cache/ra2-deploy"
	}
	programs, err := filepath.Glob(filepath.Join(cache, "program", "*", "containerd"))
	if err != nil || len(programs) == 0 || os.Geteuid() != 0 {
		t.Skip("needs root, and containerd in the cache of images: `ra2-deploy image build` builds it")
	}
	ctrs, err := filepath.Glob(filepath.Join(cache, "program", "*", "ctr"))
	if err != nil || len(ctrs) == 0 {
		t.Skip("needs ctr in the cache of images")
	}
	dir, err := os.MkdirTemp("", "c") // a socket's path has 108 bytes at most (unix(7))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &containerd{t, dir, ctrs[0]}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), fmt.Appendf(nil, containerdConf, dir), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(programs[0], "--config", filepath.Join(dir, "config.toml"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		text, err := try(t, dir, c.ctr, "--address", dir+"/s", "version")
		if err == nil {
			return c
		}
		if time.Now().After(end) {
			t.Fatalf("containerd didn't answer within 30 s: %s\n%s", text, said.String())
		}
	}
}

// pull pulls an image as a kubelet does, by its upstream name.
func (c *containerd) pull(ref string) (string, error) {
	c.Helper()
	return try(c.TB, c.dir, c.ctr, "--address", c.dir+"/s", "images", "pull", "--snapshotter", "native", "--platform", "linux/amd64", "--hosts-dir", c.dir+"/certs.d", ref)
}

// digest is the manifest of an image in containerd's store.
func (c *containerd) digest(ref string) string {
	c.Helper()
	text, err := try(c.TB, c.dir, c.ctr, "--address", c.dir+"/s", "images", "list", "name=="+ref)
	if err != nil {
		c.Fatalf("%v\n%s", err, text)
	}
	for _, word := range strings.Fields(text) {
		if strings.HasPrefix(word, "sha256:") {
			return word
		}
	}
	return ""
}

// hosts writes what ra2-node lays on a node; server stands for the registry itself.
func (c *containerd) hosts(mirror, ca, server string) {
	c.Helper()
	dir := filepath.Join(c.dir, "certs.d", "_default")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.Fatal(err)
	}
	text := fmt.Sprintf("server = %q\n[host.%q]\ncapabilities = [\"pull\", \"resolve\"]\nca = %q\ndial_timeout = \"2s\"\n", server, mirror, ca)
	if err := os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(text), 0o644); err != nil {
		c.Fatal(err)
	}
}

// A real containerd pulls by upstream names from the bundle; what the bundle
// lacks, what is damaged in it, and everything once nobody serves it, comes from
// the registry itself.
func TestContainerd(t *testing.T) {
	c := newContainerd(t)
	s := newSite(t, "")
	upstream := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer upstream.Close()
	c.hosts(s.web.URL, s.ca(), upstream.URL)
	for _, ref := range []string{pauseName, corednsRef, otherPause} {
		want, _, _ := s.manifest(ref)
		if text, err := c.pull(ref); err != nil || c.digest(ref) != want {
			t.Errorf("%s: %v, %s; want %s\n%s", ref, err, c.digest(ref), want, text)
		}
	}
	const elsewhere = "registry.k8s.io/elsewhere:v1"
	image := anImage(t, 500)
	push(t, upstream.URL, "elsewhere:v1", image)
	want, _ := image.Digest()
	if text, err := c.pull(elsewhere); err != nil || c.digest(elsewhere) != want.String() {
		t.Errorf("what the bundle hasn't: %v\n%s", err, text)
	}
	older, _, layer := s.manifest(pauseOlder)
	s.flip(layer, 50)
	if text, err := c.pull(pauseOlder); err == nil {
		t.Errorf("an image with a damaged layer was pulled: %s\n%s", c.digest(pauseOlder), text)
	}
	push(t, upstream.URL, "pause:3.9", s.images[pauseOlder])
	if text, err := c.pull(pauseOlder); err != nil || c.digest(pauseOlder) != older {
		t.Errorf("a damaged layer didn't come from the registry itself: %v\n%s", err, text)
	}
	s.web.Close()
	if text, err := try(t, c.dir, c.ctr, "--address", c.dir+"/s", "images", "rm", "--sync", elsewhere); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	began := time.Now()
	if text, err := c.pull(elsewhere); err != nil || c.digest(elsewhere) != want.String() {
		t.Errorf("without a mirror: %v after %s\n%s", err, time.Since(began), text)
	}
}

// push puts an image into a registry without TLS.
func push(t *testing.T, url, ref string, image v1.Image) {
	t.Helper()
	to, err := name.ParseReference(strings.TrimPrefix(url, "http://") + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(to, image); err != nil {
		t.Fatal(err)
	}
}
