package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// exported returns the one file of a bundle.
func exported(t testing.TB, b Bundle) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := b.Export(context.Background(), &out, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// problems returns what is wrong, and fails when the error is another.
func problems(t testing.TB, err error) []Problem {
	t.Helper()
	bad, ok := errors.AsType[*Bad](err)
	if !ok {
		t.Fatalf("got %v, want a bad bundle", err)
	}
	return bad.Problems
}

func TestImportGivesWhatWasExported(t *testing.T) {
	for name, sign := range map[string]func([]byte) ([]byte, error){"unsigned": nil, "signed": key(t, 1).Sign} {
		b := made(t, sign)
		file := exported(t, b)
		if !bytes.Equal(file, exported(t, made(t, sign))) {
			t.Errorf("%s: the same bundle gave other bytes", name)
		}
		dir := filepath.Join(t.TempDir(), "imported")
		got, err := Import(t.Context(), bytes.NewReader(file), dir, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tree(t, b.Dir()), tree(t, got.Dir())); diff != "" || got.Digest() != b.Digest() || got.Dir() != dir {
			t.Errorf("%s: %s in %s\n%s", name, got.Digest(), got.Dir(), diff)
		}
		empty(t, filepath.Dir(dir), "imported")
	}
}

// "One tar of exactly that, in fixed order and with fixed times".
func TestExportedForm(t *testing.T) {
	var names []string
	for r := tar.NewReader(bytes.NewReader(exported(t, made(t, key(t, 1).Sign)))); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || h.Mode != 0o644 || h.ModTime.Unix() != 0 || h.Uid != 0 || h.Format != tar.FormatUSTAR {
			t.Errorf("%+v", h)
		}
		names = append(names, h.Name)
	}
	if got := strings.Join(names[:4], " "); got != "bundle.json bundle.json.minisig oci-layout index.json" || len(names) != 4+2+2+4+4 {
		t.Errorf("%d entries: %s", len(names), strings.Join(names, "\n"))
	}
}

func TestExportRefusesBadContent(t *testing.T) {
	b := made(t, nil)
	i, err := b.Find(Deb, "libc6")
	if err != nil {
		t.Fatal(err)
	}
	change(t, b.Path(i))
	err = b.Export(t.Context(), io.Discard, nil)
	if err == nil || !strings.Contains(err.Error(), "deb libc6") || !errors.As(err, new(*Mismatch)) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(b.Path(i)); err != nil {
		t.Fatal(err)
	}
	if err := b.Export(t.Context(), io.Discard, nil); err == nil || !strings.Contains(err.Error(), "deb libc6") {
		t.Errorf("got %v", err)
	}
}

// change flips a bit in the middle of a file.
func change(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// entry is one of a tar archive.
type entry struct {
	tar.Header
	text string
}

// unpacked reads an archive, packed writes one.
func unpacked(t testing.TB, file []byte) (all []entry) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(file)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{*h, string(text)})
	}
}

func packed(t testing.TB, all []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range all {
		if e.Typeflag == tar.TypeReg {
			e.Size = int64(len(e.text))
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestImportRefuses(t *testing.T) {
	file := exported(t, made(t, nil))
	link := entry{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "blobs/sha256/../../../evil", Linkname: "/etc"}}
	evil := entry{Header: tar.Header{Typeflag: tar.TypeReg, Name: "../evil", Mode: 0o644}, text: "evil"}
	for name, c := range map[string]struct {
		change func(all []entry) []entry
		want   string
	}{
		"a path tricks":      {func(all []entry) []entry { return append([]entry{evil}, all...) }, `"../evil" (type '0') comes in its place`},
		"a link":             {func(all []entry) []entry { return insert(all, 5, link) }, `evil" (type '2') comes in its place`},
		"a duplicate":        {func(all []entry) []entry { return insert(all, 6, all[5]) }, "comes in its place"},
		"a duplicate list":   {func(all []entry) []entry { return insert(all, 1, all[0]) }, `"bundle.json" (type '0') comes in its place`},
		"something more":     {func(all []entry) []entry { return append(all, evil) }, "nothing in the bundle needs it"},
		"another order":      {func(all []entry) []entry { all[6], all[7] = all[7], all[6]; return all }, "comes in its place"},
		"content missing":    {func(all []entry) []entry { return append(all[:8:8], all[9:]...) }, "comes in its place"},
		"other content":      {func(all []entry) []entry { all[8].text = flip(all[8].text); return all }, "its digest is sha256:"},
		"other size":         {func(all []entry) []entry { all[8].text += "x"; return all }, "bytes and should have"},
		"other manifest":     {func(all []entry) []entry { all[3].text = flip(all[3].text); return all }, ":v1: its digest is"},
		"other index":        {func(all []entry) []entry { all[2].text = strings.Replace(all[2].text, "pause", "pouse", 1); return all }, "index.json: its content doesn't follow"},
		"other layout":       {func(all []entry) []entry { all[1].text += " "; return all }, "oci-layout: its content doesn't follow"},
		"no list":            {func(all []entry) []entry { return all[1:] }, `bundle.json: "oci-layout" (type '0') comes in its place`},
		"a list that is bad": {func(all []entry) []entry { all[0].text = "{}"; return all }, `its format is ""`},
		"a list that lies": {func(all []entry) []entry {
			all[0].text = strings.Replace(all[0].text, "\"size\": 1900", "\"size\": 1901", 1)
			return all
		}, "1900 bytes and should have 1901"},
		"nothing": {func([]entry) []entry { return nil }, "bundle.json: the file ends before it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			changed := packed(t, c.change(unpacked(t, file)))
			_, err := Import(t.Context(), bytes.NewReader(changed), filepath.Join(dir, "bundle"), nil, nil)
			if problems(t, err); !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			empty(t, dir)
		})
	}
}

func insert(all []entry, at int, e entry) []entry {
	return append(all[:at:at], append([]entry{e}, all[at:]...)...)
}

func flip(text string) string {
	b := []byte(text)
	b[len(b)/2] ^= 1
	return string(b)
}

// All that is wrong is told at once.
func TestImportNamesEveryBadItem(t *testing.T) {
	all := unpacked(t, exported(t, made(t, nil)))
	for n := range all[5:] {
		all[5+n].text = flip(all[5+n].text)
	}
	_, err := Import(t.Context(), bytes.NewReader(packed(t, all)), filepath.Join(t.TempDir(), "bundle"), nil, nil)
	if got := problems(t, err); len(got) != 10 {
		t.Errorf("%d problems: %v", len(got), err)
	}
}

func TestImportCutAnywhere(t *testing.T) {
	file := exported(t, made(t, key(t, 1).Sign))
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, len(file)-1).Draw(rt, "bytes")
		_, err := Import(t.Context(), bytes.NewReader(file[:n]), filepath.Join(t.TempDir(), "bundle"), nil, nil)
		if _, bad := errors.AsType[*Bad](err); !bad {
			rt.Errorf("cut after %d of %d bytes: %v", n, len(file), err)
		}
	})
}

// A flipped bit is found wherever it is, or is where it says nothing: in the padding
// of tar, in the comment of the signature that minisign calls untrusted, or in bits
// that its base64 doesn't use. The signature then still is that of the list.
func TestImportFlippedAnywhere(t *testing.T) {
	b := made(t, key(t, 1).Sign)
	file, want := exported(t, b), tree(t, b.Dir())
	verifier := key(t, 1).Verifier()
	rapid.Check(t, func(rt *rapid.T) {
		changed := bytes.Clone(file)
		changed[rapid.IntRange(0, len(file)-1).Draw(rt, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		dir := filepath.Join(t.TempDir(), "bundle")
		_, err := Import(t.Context(), bytes.NewReader(changed), dir, &verifier, nil)
		if _, bad := errors.AsType[*Bad](err); bad {
			return
		}
		got := tree(t, dir)
		if problem := checkSignature(&verifier, []byte(got[FileList]), []byte(got[FileSignature])); problem != nil {
			rt.Error(problem)
		}
		got[FileSignature] = want[FileSignature]
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			rt.Errorf("%v\n%s", err, diff)
		}
	})
}

func TestImportFullDisk(t *testing.T) {
	file := exported(t, made(t, nil))
	dir := t.TempDir()
	s, err := newStage(filepath.Join(dir, "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	s.through = func(to io.Writer) io.Writer { return &full{to, 1000} }
	_, err = newReceiver(t.Context(), bytes.NewReader(file), s, nil, meter{}).receive()
	if !errors.Is(err, syscall.ENOSPC) || errors.As(err, new(*Bad)) || !strings.Contains(err.Error(), ": no space") {
		t.Errorf("got %v", err)
	}
	s.discard()
	empty(t, dir)
}

func TestImportInterrupted(t *testing.T) {
	file := exported(t, made(t, nil))
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	_, err := Import(ctx, bytes.NewReader(file), filepath.Join(dir, "bundle"), nil, func(p Progress) {
		if strings.HasPrefix(p.Item, "deb") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	empty(t, dir)
}

func FuzzImport(f *testing.F) {
	w, err := Create(filepath.Join(f.TempDir(), "bundle"))
	if err != nil {
		f.Fatal(err)
	}
	if _, err := w.AddFile(debItem("libc6"), strings.NewReader("content")); err != nil {
		f.Fatal(err)
	}
	b, err := w.Commit(nil)
	if err != nil {
		f.Fatal(err)
	}
	file := exported(f, b)
	f.Add(file)
	all := unpacked(f, file)
	all[1] = entry{Header: tar.Header{Name: "../../x", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}
	f.Add(packed(f, all))
	f.Fuzz(func(t *testing.T, file []byte) {
		dir := t.TempDir()
		b, err := Import(t.Context(), bytes.NewReader(file), filepath.Join(dir, "bundle"), nil, nil)
		if err != nil {
			empty(t, dir)
			return
		}
		// What is taken is a bundle in every way.
		if _, err := Verify(t.Context(), b.Dir(), nil, nil); err != nil {
			t.Error(err)
		}
		empty(t, dir, "bundle")
	})
}
