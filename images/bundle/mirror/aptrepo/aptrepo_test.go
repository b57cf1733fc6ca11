package aptrepo_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/images/bundle/mirror/aptrepo"
)

const control = "Package: a\nVersion: 1:2-3\nArchitecture: amd64\nDescription: one\n two\n .\n three\n"

// aDeb is a Debian package with this control file, as deb(5) has it.
func aDeb(t testing.TB, suffix, text string, pack func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var inner bytes.Buffer
	z, err := pack(&inner)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for name, text := range map[string]string{"./md5sums": "", "./control": text} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	for _, m := range []struct{ name, text string }{{"debian-binary", "2.0\n"}, {"control.tar" + suffix, inner.String()}, {"data.tar", "odd"}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", m.name, 0, 0, 0, "100644", len(m.text), m.text)
		if len(m.text)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

func packers() map[string]func(io.Writer) (io.WriteCloser, error) {
	return map[string]func(io.Writer) (io.WriteCloser, error){
		"":     func(w io.Writer) (io.WriteCloser, error) { return plain{w}, nil },
		".gz":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		".xz":  func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
		".zst": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	}
}

func TestRead(t *testing.T) {
	for suffix, pack := range packers() {
		got, err := aptrepo.Read(bytes.NewReader(aDeb(t, suffix, control, pack)))
		if err != nil || got.Name != "a" || got.Version != "1:2-3" || got.Arch != "amd64" || got.Control != strings.TrimSpace(control) {
			t.Errorf("control.tar%s: %+v, %v", suffix, got, err)
		}
	}
}

// What is no package, or would lie in the list, is refused with the reason.
func TestReadRefuses(t *testing.T) {
	good := packers()[""]
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":          {nil, "begin as an ar archive"},
		"another archive":  {[]byte("!<arch>\n" + strings.Repeat("x", 60)), "header of its member"},
		"no control.tar":   {aDeb(t, "", control, good)[:8+60+4], "it has no control.tar"},
		"unknown packing":  {aDeb(t, ".lzma", control, good), "packed in a way that isn't known"},
		"no fields":        {aDeb(t, "", "Description: x\n", good), "lacks Package, Version or Architecture"},
		"a second package": {aDeb(t, "", control+"\nPackage: b\n", good), "two paragraphs"},
		"a path of its own": {
			aDeb(t, "", "Filename: ../../etc/passwd\n"+control, good), "field Filename, which belongs to a repository",
		},
	} {
		if _, err := aptrepo.Read(bytes.NewReader(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for suffix, pack := range packers() {
		f.Add(aDeb(f, suffix, control, pack))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := aptrepo.Read(bytes.NewReader(data))
		if err == nil && (p.Name == "" || strings.Contains(p.Control, "\n\n")) {
			t.Errorf("accepted %+v", p)
		}
	})
}

// Each package is in the list of its own architecture, those for all machines in
// every one, and nowhere else.
func TestLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []aptrepo.Package
		for i := range rapid.IntRange(1, 8).Draw(t, "packages") {
			name := fmt.Sprintf("p%d", i)
			all = append(all, aptrepo.Package{
				Name: name, Version: "1", Arch: rapid.SampledFrom([]string{"amd64", "arm64", "all"}).Draw(t, "arch"),
				Control: "Package: " + name, Suite: rapid.SampledFrom([]string{"trixie", "ra2"}).Draw(t, "suite"), Path: "pool/" + name, SHA256: "00",
			})
		}
		lists, err := aptrepo.Lists(all)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			archs := []string{p.Arch}
			if p.Arch == "all" {
				archs = others(all, p.Suite)
			}
			for _, arch := range archs {
				at := "dists/" + p.Suite + "/main/binary-" + arch + "/Packages"
				if n := bytes.Count(lists[at], []byte("Package: "+p.Name+"\nFilename: pool/"+p.Name+"\n")); n != 1 {
					t.Errorf("%s has %s %d times:\n%s", at, p.Name, n, lists[at])
				}
				if !bytes.Contains(lists["dists/"+p.Suite+"/Release"], []byte("main/binary-"+arch+"/Packages.gz\n")) {
					t.Errorf("Release of %s names no list for %s", p.Suite, arch)
				}
			}
		}
	})
}

// others are the machines that packages of a suite are for.
func others(all []aptrepo.Package, suite string) []string {
	var out []string
	for _, p := range all {
		if p.Suite == suite && p.Arch != "all" && !slices.Contains(out, p.Arch) {
			out = append(out, p.Arch)
		}
	}
	if len(out) == 0 {
		return []string{"all"}
	}
	return out
}
