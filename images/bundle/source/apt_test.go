package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// repository is a small apt archive: real indices with a real signature, served
// by HTTP, of packages whose content apt never opens.
type repository struct {
	*testing.T
	dir, keyring string
	signer       *openpgp.Entity
	url          string
	valid        string // a field of the Release file
}

// newRepository serves an archive and its security archive, which is empty.
func newRepository(t *testing.T) *repository {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("needs apt (a Debian or Ubuntu host)")
	}
	r := &repository{T: t, dir: t.TempDir()}
	r.keyring = filepath.Join(r.dir, "keyring.gpg")
	r.signer = r.key()
	var public bytes.Buffer
	if err := r.signer.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	r.write("keyring.gpg", public.String())
	files := http.FileServer(http.Dir(r.dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { files.ServeHTTP(w, req) }))
	t.Cleanup(server.Close)
	r.url = server.URL
	r.publish("security", "trixie-security")
	return r
}

func (r *repository) key() *openpgp.Entity {
	r.Helper()
	e, err := openpgp.NewEntity("archive", "", "archive@example", &packet.Config{RSABits: 2048})
	if err != nil {
		r.Fatal(err)
	}
	return e
}

func (r *repository) write(name, text string) {
	r.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

// publish writes the indices of an archive that has these packages, each a line
// "name version [field: value; …]", and their files.
func (r *repository) publish(archive, suite string, packages ...string) {
	r.Helper()
	var index strings.Builder
	for _, p := range packages {
		words := strings.SplitN(p, " ", 3)
		path := fmt.Sprintf("pool/main/%s/%s_%s_amd64.deb", words[0], words[0], strings.TrimPrefix(words[1], "1:"))
		content := "content of " + words[0] + " " + words[1]
		r.write(archive+"/"+path, content)
		fmt.Fprintf(&index, "Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: x <x@example>\nDescription: x\nFilename: %s\nSize: %d\nSHA256: %x\n",
			words[0], words[1], path, len(content), sha256.Sum256([]byte(content)))
		if len(words) > 2 {
			index.WriteString(strings.ReplaceAll(words[2], "; ", "\n") + "\n")
		}
		index.WriteString("\n")
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(index.String())); err != nil {
		r.Fatal(err)
	}
	if err := z.Close(); err != nil {
		r.Fatal(err)
	}
	base := archive + "/dists/" + suite + "/"
	r.write(base+"main/binary-amd64/Packages", index.String())
	r.write(base+"main/binary-amd64/Packages.gz", packed.String())
	release := fmt.Sprintf("Origin: test\nSuite: %s\nCodename: %s\nDate: %s\n"+r.valid+"Architectures: amd64\nComponents: main\nSHA256:\n", suite, suite, time.Now().UTC().Format(time.RFC1123))
	for name, text := range map[string]string{"main/binary-amd64/Packages": index.String(), "main/binary-amd64/Packages.gz": packed.String()} {
		release += fmt.Sprintf(" %x %d %s\n", sha256.Sum256([]byte(text)), len(text), name)
	}
	r.write(base+"InRelease", r.signed(release))
}

func (r *repository) signed(text string) string {
	r.Helper()
	var out bytes.Buffer
	w, err := clearsign.Encode(&out, r.signer.PrivateKey, nil)
	if err != nil {
		r.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		r.Fatal(err)
	}
	if err := w.Close(); err != nil {
		r.Fatal(err)
	}
	return out.String()
}

// apt is the source of this archive, under a name that isn't its address.
func (r *repository) apt(install, alone []string) Apt {
	line := func(url, suite string) string {
		return fmt.Sprintf("deb [signed-by=%s] %s %s main", r.keyring, url, suite)
	}
	const debian = "http://deb.example/debian"
	return Apt{
		Suite: "trixie", Mirror: debian, Lines: []string{line(debian, "trixie"), line(debian+"-security", "trixie-security")},
		Install: install, Alone: alone,
		Stead: Stead{debian: r.url + "/debian", debian + "-security": r.url + "/security"},
		Store: Store{Dir: filepath.Join(r.TempDir(), "content"), pause: time.Millisecond},
	}
}

// lines writes items without their digests.
func lines(items []bundle.Item) string {
	var all []string
	for _, i := range items {
		all = append(all, i.Name+" "+i.Version+" "+i.Source)
	}
	return strings.Join(all, "\n")
}

// system is what most cases have in the archive.
func system() []string {
	return []string{
		"base-files 13 Essential: yes; Depends: mawk | awk", "mawk 1.3", "awk 2", "libc6 2.41-12+deb13u1 ", "tools 1:2.0 Depends: libc6 (>= 2.40), provided; Recommends: docs",
		"provider 1 Provides: provided", "docs 1", "unrelated 1",
		"linux-image-amd64 6.12.2 Depends: linux-image-6.12.2+deb13-amd64 (= 6.12.2), tools", "linux-image-6.12.2+deb13-amd64 6.12.2 Depends: kmod, linux-modules-6.12.2+deb13-amd64",
		"linux-modules-6.12.2+deb13-amd64 6.12.2", "kmod 1", "ipxe 1 Depends: unrelated",
	}
}

func TestAptResolvesAsAptDoes(t *testing.T) {
	r := newRepository(t)
	r.publish("debian", "trixie", system()...)
	r.publish("security", "trixie-security", "libc6 2.41-12+deb13u5", "mawk 1.2")
	items, err := r.apt([]string{"tools"}, []string{"linux-image-amd64", "ipxe"}).Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The essential packages; what tools needs, not what it recommends; the newer
	// libc6 of the security archive, the newer mawk of the other; a kernel for its
	// metapackage, and nothing that these need.
	want := `base-files 13 apt:http://deb.example/debian trixie pool/main/base-files/base-files_13_amd64.deb
ipxe 1 apt:http://deb.example/debian trixie pool/main/ipxe/ipxe_1_amd64.deb
libc6 2.41-12+deb13u5 apt:http://deb.example/debian-security trixie-security pool/main/libc6/libc6_2.41-12+deb13u5_amd64.deb
linux-image-6.12.2+deb13-amd64 6.12.2 apt:http://deb.example/debian trixie pool/main/linux-image-6.12.2+deb13-amd64/linux-image-6.12.2+deb13-amd64_6.12.2_amd64.deb
linux-image-amd64 6.12.2 apt:http://deb.example/debian trixie pool/main/linux-image-amd64/linux-image-amd64_6.12.2_amd64.deb
linux-modules-6.12.2+deb13-amd64 6.12.2 apt:http://deb.example/debian trixie pool/main/linux-modules-6.12.2+deb13-amd64/linux-modules-6.12.2+deb13-amd64_6.12.2_amd64.deb
mawk 1.3 apt:http://deb.example/debian trixie pool/main/mawk/mawk_1.3_amd64.deb
provider 1 apt:http://deb.example/debian trixie pool/main/provider/provider_1_amd64.deb
tools 1:2.0 apt:http://deb.example/debian trixie pool/main/tools/tools_2.0_amd64.deb`
	if got := lines(items); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAptChecksTheSignature(t *testing.T) {
	r := newRepository(t)
	r.signer = r.key() // another than that of the keyring
	r.publish("debian", "trixie", system()...)
	if _, err := r.apt([]string{"tools"}, nil).Resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "is not signed") {
		t.Errorf("got %v", err)
	}
}

func TestAptNamesWhatIsUnknown(t *testing.T) {
	r := newRepository(t)
	r.publish("debian", "trixie", system()...)
	if _, err := r.apt([]string{"no-such-package"}, nil).Resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "Unable to locate package no-such-package") {
		t.Errorf("got %v", err)
	}
}

// filled makes a bundle of items.
func filled(t *testing.T, items []bundle.Item, sources ...bundle.Source) (bundle.Bundle, error) {
	t.Helper()
	return filledIn(t.Context(), t, items, sources...)
}

func filledIn(ctx context.Context, t *testing.T, items []bundle.Item, sources ...bundle.Source) (bundle.Bundle, error) {
	t.Helper()
	w, err := bundle.Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := bundle.Fill(ctx, w, items, sources, nil); err != nil {
		return bundle.Bundle{}, err
	}
	return w.Commit(nil)
}

// A lock says exactly what there shall be: a mirror that has it gives it, even
// when it has newer packages, and one that doesn't is told with what it has.
func TestAptLocked(t *testing.T) {
	r := newRepository(t)
	r.publish("debian", "trixie", system()...)
	source := r.apt([]string{"tools"}, nil)
	locked, err := source.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := filled(t, locked, source)
	if err != nil {
		t.Fatal(err)
	}
	if got := lines(b.Items()); got != lines(locked) {
		t.Errorf("the lock had\n%s\nthe bundle\n%s", lines(locked), got)
	}

	moved := []string{"base-files 13 Essential: yes; Depends: mawk", "mawk 1.3", "libc6 2.41-13", "tools 1:2.1"}
	r.publish("debian", "trixie", moved...)
	other := r.apt(nil, nil) // without content that was fetched before
	again, err := filled(t, locked, other)
	if err != nil || again.Digest() != b.Digest() {
		t.Errorf("the mirror has the old ones beside the new: %v", err)
	}

	for _, gone := range []string{"tools/tools_2.0", "provider/provider_1"} {
		if err := os.Remove(filepath.Join(r.dir, "debian/pool/main", gone+"_amd64.deb")); err != nil {
			t.Fatal(err)
		}
	}
	other = r.apt(nil, nil)
	_, err = filled(t, locked, other)
	for _, want := range []string{
		"deb tools 1:2.0 is gone: " + r.url + "/debian/pool/main/tools/tools_2.0_amd64.deb answers 404 Not Found; the mirror has 1:2.1 now\nnext: make the lock anew",
		"deb provider 1 is gone: ", "the mirror has no package of this name now", "--mirror",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %q", err, want)
		}
	}
	if again, err := filled(t, locked, source); err != nil || again.Digest() != b.Digest() {
		t.Errorf("what was fetched before is there: %v", err)
	}
}

func TestAptOtherContent(t *testing.T) {
	r := newRepository(t)
	r.publish("debian", "trixie", system()...)
	source := r.apt([]string{"tools"}, nil)
	locked, err := source.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.write("debian/pool/main/tools/tools_2.0_amd64.deb", "content of tools 1:2.1")
	_, err = filled(t, locked, source)
	if err == nil || !strings.Contains(err.Error(), "deb tools 1:2.0: ") || !strings.Contains(err.Error(), "gives other content") {
		t.Errorf("got %v", err)
	}
	if errors.As(err, new(*bundle.Gone)) {
		t.Error("that isn't gone")
	}
}

// A state of long ago is taken from a mirror that keeps such, where the user names
// one, and from no other: that may be somebody who plays an old one again.
func TestAptOfAMoment(t *testing.T) {
	r := newRepository(t)
	r.valid = "Valid-Until: " + time.Now().Add(-time.Hour).UTC().Format(time.RFC1123) + "\n"
	r.publish("debian", "trixie", system()...)
	out, err := exec.Command("apt-config", "dump").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), `Acquire::Check-Valid-Until "false"`) || strings.Contains(string(out), `Acquire::Check-Date "false"`) {
		t.Log("this host's apt doesn't look at dates")
	} else if _, err := r.apt([]string{"tools"}, nil).Resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
	r.publish("debian/20261101T000000Z", "trixie", system()...)
	r.publish("security/20261101T000000Z", "trixie-security")
	source := r.apt([]string{"tools"}, nil)
	for from, to := range source.Stead {
		source.Stead[from] = to + "/20261101T000000Z"
	}
	items, err := source.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := filled(t, items, source); err != nil {
		t.Error(err)
	}
	if !strings.Contains(lines(items), "tools 1:2.0 apt:http://deb.example/debian trixie pool/main/tools/tools_2.0_amd64.deb") {
		t.Errorf("the archive's own address is named, wherever it was asked:\n%s", lines(items))
	}
}
