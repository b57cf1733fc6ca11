package bundle

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckNamesAllThatIsWrong(t *testing.T) {
	good := func(i Item) Item {
		i.Digest, i.Size = Digest("sha256:"+strings.Repeat("a", 64)), 1
		return i
	}
	for want, i := range map[string]Item{
		"":                                {},
		"64 digits":                       func() Item { i := good(debItem("a")); i.Digest = "sha256:AA"; return i }(),
		"negative":                        func() Item { i := good(debItem("a")); i.Size = -1; return i }(),
		"is no name of a package":         good(debItem("../etc/passwd")),
		"is no path below a folder":       good(fileItem("../etc/passwd")),
		`"/etc/passwd" is no path`:        good(fileItem("/etc/passwd")),
		"source":                          func() Item { i := good(debItem("a")); i.Source = "http://x"; return i }(),
		"registry to be explicitly":       good(imageItem("pause", "v1")),
		"its version 3.1":                 func() Item { i := good(imageItem("a.io/pause", "3.1")); i.Version = "3.2"; return i }(),
		`version "1 2" is none`:           func() Item { i := good(debItem("a")); i.Version = "1 2"; return i }(),
		`kind "dll" is not`:               func() Item { i := good(debItem("a")); i.Kind = "dll"; return i }(),
		`architecture "" is none`:         func() Item { i := good(debItem("a")); i.Arch = ""; return i }(),
		`"a b" is no path below a folder`: good(fileItem("a b")),
	} {
		if err := i.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", i, err, want)
		}
	}
	for _, i := range []Item{good(debItem("libstdc++6")), good(imageItem("registry.k8s.io/pause", "3.10.2")), good(fileItem("loader/ipxe.efi"))} {
		if err := i.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenIsStrict(t *testing.T) {
	b := made(t, nil)
	file := filepath.Join(b.Dir(), FileList)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string][2]string{
		"unknown field":           {`"items"`, `"item"`},
		`its format is "x"`:       {format, "x"},
		"after its end":           {"\n}\n", "\n}{}\n"},
		"is there twice":          {`"name": "systemd"`, `"name": "libc6"`},
		"not in order":            {`"name": "systemd"`, `"name": "a"`},
		"is no name of a package": {`"name": "systemd"`, `"name": "../x"`},
	} {
		changed := strings.ReplaceAll(string(text), change[0], change[1])
		if want == "is there twice" {
			changed = strings.ReplaceAll(changed, "main/systemd", "main/libc6")
		}
		if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(b.Dir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(b.Dir()); !errors.Is(err, ErrNone) {
		t.Errorf("without a list: %v", err)
	}
}
