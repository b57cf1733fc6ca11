package mirror_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// program returns where a program is, or skips the test.
func program(t testing.TB, name, deb string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name)
		}
	}
	t.Skipf("needs %s (Debian package %s)", name, deb)
	return ""
}

// output runs a command that must succeed.
func output(t *testing.T, line ...string) string {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), line[0], line[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(line, " "), err, text)
	}
	return string(text)
}

// host is the server as part of a reference.
func (s *site) host() string { return strings.TrimPrefix(s.web.URL, "https://") }

// go-containerregistry, which crane is made of, reads every image whole.
func TestGoContainerregistry(t *testing.T) {
	s := newSite(t, "")
	auth := remote.WithTransport(s.web.Client().Transport)
	for ref, image := range s.images {
		if strings.HasPrefix(ref, "mirror") {
			continue // a path can't hold its port
		}
		at, err := name.ParseReference(s.host() + "/" + ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := remote.Image(at, auth)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(got); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
		want, _ := image.Digest()
		if digest, err := got.Digest(); err != nil || digest != want {
			t.Errorf("%s: %s, %v; want %s", ref, digest, err, want)
		}
	}
	repo, err := name.NewRepository(s.host() + "/registry.k8s.io/pause")
	if err != nil {
		t.Fatal(err)
	}
	if tags, err := remote.List(repo, auth); err != nil || !slices.Equal(tags, []string{"3.10.2", "3.9"}) {
		t.Errorf("tags %v, %v", tags, err)
	}
	if err := remote.Write(repo.Tag("new"), s.images[pauseName], auth); err == nil {
		t.Error("an image was pushed into a bundle")
	}
}

// skopeo copies an image as `docker pull` does, and lists tags.
func TestSkopeo(t *testing.T) {
	skopeo := program(t, "skopeo", "skopeo")
	s := newSite(t, "")
	certs := filepath.Dir(s.ca())
	to := filepath.Join(t.TempDir(), "copy")
	output(t, skopeo, "copy", "--src-cert-dir", certs, "docker://"+s.host()+"/registry.k8s.io/coredns/coredns:v1.14.6", "dir:"+to)
	_, want, _ := s.manifest(corednsRef)
	if got, err := os.ReadFile(filepath.Join(to, "manifest.json")); err != nil || string(got) != want {
		t.Errorf("skopeo got the manifest %s, %v", got, err)
	}
	said := output(t, skopeo, "list-tags", "--cert-dir", certs, "docker://"+s.host()+"/registry.k8s.io/pause")
	if !strings.Contains(said, `"3.10.2"`) || !strings.Contains(said, `"3.9"`) {
		t.Errorf("skopeo lists %s", said)
	}
}

// The file list is what was signed, byte for byte.
func TestList(t *testing.T) {
	s := newSite(t, "")
	want, err := os.ReadFile(filepath.Join(s.dir, "bundle.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.ask(http.MethodGet, "/bundle.json"); got.code != 200 || got.body != string(want) {
		t.Errorf("bundle.json: %d %s", got.code, got.body)
	}
}

// try runs a command in a folder.
func try(t testing.TB, dir string, line ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C.UTF-8")
	text, err := cmd.CombinedOutput()
	return string(text), err
}
