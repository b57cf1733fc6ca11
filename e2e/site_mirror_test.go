package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/oci"
)

// Images of a registry that the lab can't reach; no node has them. The first two
// are in the bundle.
const (
	onlyInBundle = "registry.k8s.io/ra2/only-in-the-bundle:v1"
	damagedImage = "registry.k8s.io/ra2/damaged:v1"
	nowhere      = "registry.k8s.io/ra2/nowhere:v1"
)

// TestMirror runs a pod whose image is in a served bundle and nowhere else, by its
// upstream name; a damaged layer reaches no node; without the bundle the node is as
// good as ever. About two minutes.
func TestMirror(t *testing.T) {
	needsSite(t)
	b := newBench(t, "e2e-mirror", "small.yaml", "host-a", host, "kind: qemu", "kind: container", "kubernetes: false", "kubernetes: true")
	b.must(b.run("image", "build", b.inventory()))
	dir := b.newBundle()
	b.must(b.inside("up", "--yes", "--bundle", dir, b.inventory()))
	if !b.part("pod", func(b *bench) { b.podFromBundle(dir) }) {
		return
	}
	b.part("damaged", func(b *bench) { b.podOfDamaged(dir) })
	b.part("without", (*bench).podWithout)
}

// newBundle makes a bundle with two images.
func (b *bench) newBundle() string {
	b.Helper()
	top := filepath.Dir(b.dir)
	program, dir := filepath.Join(top, "pause"), filepath.Join(top, "bundle")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "../images/guest/pause")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	w, err := bundle.Create(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	for name, files := range map[string]map[string]string{
		onlyInBundle: {"/pause": program}, damagedImage: {"/pause": program, "/other": program}, // two layers that differ
	} {
		content, err := oci.Image{Name: name, Files: files, Entrypoint: []string{"/pause"}}.Build()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.AddImage(bundle.Item{Kind: bundle.Image, Name: name, Version: "v1", Arch: "amd64", Source: "oci:" + name}, content); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Commit(nil); err != nil {
		b.Fatal(err)
	}
	return dir
}

// podFromBundle wants a pod to run while the bundle is served, and to be counted.
func (b *bench) podFromBundle(dir string) {
	server := b.serves(dir)
	b.pod("from-bundle", onlyInBundle)
	b.until("the pod to run", 2*time.Minute, func() (bool, string) {
		s := b.podStatus("from-bundle")
		return s.Phase == "Running", s.String()
	})
	_ = server.Process.Signal(os.Interrupt)
	r := b.must(server.wait())
	if !strings.Contains(r.out, "image "+onlyInBundle) || !strings.Contains(r.out, "layer sha256:") {
		b.Errorf("the requests are not counted\n%s", r)
	}
}

// serves starts to serve the bundle, and waits until a client that trusts the
// site's certificate is answered.
func (b *bench) serves(dir string) *command {
	b.Helper()
	server := b.startInside("bundle", "serve", dir, b.inventory())
	b.until("the bundle to be served", time.Minute, func() (bool, string) {
		status, text := ask(client(b.lab, b.trusts()), http.MethodGet, "https://10.17.0.1:8444/v2/", "", nil)
		return status == http.StatusOK, text
	})
	return server
}

// podOfDamaged flips a byte of a layer while the bundle is served: no node gets
// it, and the server says which it is.
func (b *bench) podOfDamaged(dir string) {
	opened, err := bundle.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	item, err := opened.Find(bundle.Image, damagedImage)
	if err != nil {
		b.Fatal(err)
	}
	image, err := opened.Image(item)
	if err != nil {
		b.Fatal(err)
	}
	m, err := image.Manifest()
	if err != nil {
		b.Fatal(err)
	}
	server := b.serves(dir)
	b.flipByte(filepath.Join(dir, "blobs", "sha256", m.Layers[0].Digest.Hex), m.Layers[0].Size/2)
	b.pod("damaged", damagedImage)
	b.until("the pod to have no image", 2*time.Minute, func() (bool, string) {
		s := b.podStatus("damaged")
		return strings.Contains(s.waits(), "Pull"), s.String()
	})
	if s := b.podStatus("damaged"); s.Phase == "Running" {
		b.Errorf("a pod runs from a damaged image: %s", s)
	}
	_ = server.Process.Signal(os.Interrupt)
	if r := b.must(server.wait()); !strings.Contains(r.err, "is damaged") || !strings.Contains(r.err, damagedImage) {
		b.Errorf("the server doesn't name what is damaged\n%s", r)
	}
}

// podWithout wants that a node whose mirror isn't there says so soon, and is as
// good as ever: what it was made with is on its disk. That containerd goes on to
// the registry itself is proven where there is one (TestContainerd of the mirror).
func (b *bench) podWithout() {
	b.pod("without", nowhere)
	b.until("the pull to fail", time.Minute, func() (bool, string) {
		s := b.podStatus("without")
		return strings.Contains(s.waits(), "Pull") && strings.Contains(s.String(), "10.17.0.1:8444: connect: connection refused"), s.String()
	})
	if ok, evidence := b.beats(host, time.Time{}); !ok {
		b.Errorf("the node isn't Ready: %s", evidence)
	}
}

// trusts is a client's configuration with the site's certificate, as whoever uses
// the repositories has it.
func (b *bench) trusts() *tls.Config {
	b.Helper()
	text, err := os.ReadFile(b.state("site.pem"))
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		b.Fatalf("the site's certificate: %v", err)
	}
	return &tls.Config{RootCAs: pool}
}

// flipByte changes one byte of a file, as a bad disk does.
func (b *bench) flipByte(path string, at int64) {
	b.Helper()
	if err := os.Chmod(path, 0o644); err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, at); err != nil {
		b.Fatal(err)
	}
	one[0] ^= 1
	if _, err := f.WriteAt(one, at); err != nil {
		b.Fatal(err)
	}
}

// pod makes a pod of an image. The cluster makes its first service account
// some seconds after it was formed.
func (b *bench) pod(name, image string) {
	b.Helper()
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q},"spec":{"containers":[{"name":"main","image":%q}],"terminationGracePeriodSeconds":0}}`, name, image)
	b.until("the pod "+name+" to be accepted", time.Minute, func() (bool, string) {
		status, text := ask(b.kube().Client, http.MethodPost, "https://10.17.0.10:6443/api/v1/namespaces/default/pods", body, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/json")
		})
		return status == http.StatusCreated, text
	})
	b.Cleanup(func() {
		ask(b.kube().Client, http.MethodDelete, "https://10.17.0.10:6443/api/v1/namespaces/default/pods/"+name, "", nil)
	})
}

// podStatus is what the cluster says of a pod.
type podStatus struct {
	Phase             string
	ContainerStatuses []struct {
		ImageID string
		State   struct {
			Waiting struct{ Reason, Message string }
		}
	}
}

func (s podStatus) String() string {
	text, _ := json.Marshal(s)
	return string(text)
}

// waits is why its container waits.
func (s podStatus) waits() string {
	if len(s.ContainerStatuses) == 0 {
		return ""
	}
	return s.ContainerStatuses[0].State.Waiting.Reason
}

func (b *bench) podStatus(name string) podStatus {
	b.Helper()
	var pod struct{ Status podStatus }
	if err := b.kube().get("/api/v1/namespaces/default/pods/"+name, &pod); err != nil {
		return podStatus{Phase: err.Error()}
	}
	return pod.Status
}
