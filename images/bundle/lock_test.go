package bundle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestLockIsReadAsItWasWritten(t *testing.T) {
	b := made(t, nil)
	l := LockOf("go1.26.8", b.Items())
	if len(l.Items) != 4 || l.Compiler != "" {
		t.Errorf("local files are locked, or a compiler that built nothing: %s", l)
	}
	l.Compiler = "go1.26.8"
	got, err := ReadLock([]byte(l.String()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever passes the check can be written in a line and read again.
func TestLockHoldsEveryItem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := Item{
			Kind:    rapid.SampledFrom([]Kind{Deb, RPM, File}).Draw(t, "kind"),
			Name:    rapid.StringMatching(`[!-~]{1,8}|[a-z0-9+./-]{1,20}`).Draw(t, "name"),
			Version: rapid.StringMatching(`|[0-9][A-Za-z0-9.+:~^_-]{0,10}`).Draw(t, "version"),
			Arch:    rapid.SampledFrom([]string{"", "amd64", "x86_64"}).Draw(t, "arch"),
			Source:  rapid.StringMatching(`(apt|go|oci):[!-~]{1,5}( [!-~]{1,5})?`).Draw(t, "source"),
			Digest:  Digest("sha256:" + strings.Repeat("a", 64)),
			Size:    rapid.Int64Min(0).Draw(t, "size"),
		}
		if i.Check() != nil {
			t.Skip("no item")
		}
		l := Lock{Items: []Item{i}}
		got, err := ReadLock([]byte(l.String()))
		if err != nil || got.Items[0] != i {
			t.Errorf("%+v became %+v, %v", i, got, err)
		}
	})
}

func TestLockSaysAllThatIsWrong(t *testing.T) {
	good := LockOf("", made(t, nil).Items()).String()
	for want, text := range map[string]string{
		"line 1: it is \"\"": "",
		"no items":           "# ra2-deploy bundle lock v1\n",
		"line 1":             strings.Replace(good, "v1", "v2", 1),
		"line 3: it has 2":   strings.Replace(good, "\ndeb libc6 ", "\ndeb libc6\ndeb libc6 ", 1),
		"is there twice":     good + good[strings.LastIndex(good[:len(good)-1], "\n")+1:],
		"not in order":       good + "deb a 1 all sha256:" + strings.Repeat("a", 64) + " 1 apt:http://a trixie pool/a.deb\n",
		"invalid syntax":     strings.Replace(good, " 1900 ", " many ", 1),
		"64 digits":          strings.Replace(good, "sha256:", "sha512:", 1),
	} {
		if text == good {
			t.Errorf("%s: the case changes nothing", want)
		}
		if want == "line 1: it is \"\"" {
			text = "\n"
		}
		if _, err := ReadLock([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	two := strings.Replace(good, "sha256:", "sha512:", 2)
	if _, err := ReadLock([]byte(two)); err == nil || strings.Count(err.Error(), "64 digits") != 2 {
		t.Errorf("not all at once: %v", err)
	}
}

func FuzzReadLock(f *testing.F) {
	f.Add("# ra2-deploy bundle lock v1\ncompiler go1.26.8\ndeb a 1 all sha256:" + strings.Repeat("a", 64) + " 1 apt:http://a trixie pool/a.deb\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ReadLock([]byte(text))
		if err != nil {
			return
		}
		again, err := ReadLock([]byte(l.String()))
		if err != nil || again.String() != l.String() {
			t.Errorf("%q is taken, and not taken again: %v", text, err)
		}
	})
}
