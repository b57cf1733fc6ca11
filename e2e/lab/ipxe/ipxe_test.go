package ipxe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/templates"
)

// web is a pretend server: URL to content; fail counts down failures.
type web struct {
	files map[string]string
	fail  int
	said  []string
}

func (w *web) Fetch(_ context.Context, url string) ([]byte, error) {
	if w.fail > 0 {
		w.fail--
		return nil, errors.New("connection reset")
	}
	f, ok := w.files[url]
	if !ok {
		return nil, fmt.Errorf("%s: 404 Not Found", url)
	}
	return []byte(f), nil
}

func (w *web) Say(line string) { w.said = append(w.said, line) }

func noSleep(time.Duration) {}

func product(t *testing.T) (string, *web) {
	t.Helper()
	const base = "http://10.17.0.1:8080/boot/52-54-00-17-00-11"
	text, err := templates.RenderIPXE(templates.IPXE{
		Node: "cp-a", MAC: "52:54:00:17:00:11", Address: netip.MustParsePrefix("10.17.0.11/24"), Base: base,
		Args: []string{"ra2.mode=install", "ra2.node=cp-a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text, &web{files: map[string]string{base + "/kernel": "K", base + "/initrd": "I", base + "/ticket.cpio": "T"}}
}

// The script that ra2-deploy serves boots, also when a file needs a second try.
func TestProduct(t *testing.T) {
	for _, failures := range []int{0, 2} {
		text, w := product(t)
		w.fail = failures
		r, err := Run(t.Context(), text, map[string]string{"net0/mac": "52:54:00:17:00:11"}, w, noSleep)
		if err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(w.said, "\n"))
		}
		if r.Line != "ra2.mode=install ra2.node=cp-a" || string(r.Kernel.Data) != "K" || len(r.Initrds) != 2 {
			t.Errorf("booted %+v", r)
		}
	}
}

// The script of another NIC does not boot this machine.
func TestProductRefuses(t *testing.T) {
	text, w := product(t)
	_, err := Run(t.Context(), text, map[string]string{"net0/mac": "52:54:00:17:00:12"}, w, noSleep)
	if !errors.Is(err, ErrExit) {
		t.Errorf("%v, want %v", err, ErrExit)
	}
}

func TestWords(t *testing.T) {
	for script, want := range map[string]string{
		"isset ${x} && echo yes || echo no":               "no",
		"set x 1\nisset ${x} && echo yes || echo no":      "yes",
		"set n:int32 0\ninc n\necho ${n}":                 "1",
		"iseq a b ||\necho on":                            "on",
		"set i 0\nset net0/x y\necho ${net${i}/x}":        "y",
		"set mac a:b\necho ${mac:hexhyp}":                 "a-b",
		"goto x\necho skipped\n:x\necho there":            "there",
		"iseq a a && goto x ||\necho skipped\n:x\necho x": "x",
	} {
		w := &web{}
		_, err := Run(t.Context(), "#!ipxe\n"+script, map[string]string{}, w, noSleep)
		if got := strings.Join(w.said, "|"); got != want || !errors.Is(err, ErrExit) {
			t.Errorf("%q said %q (%v), want %q", script, got, err, want)
		}
	}
}

func FuzzRun(f *testing.F) {
	f.Add("#!ipxe\nset x ${${y}}\n:a\ninc x\niseq ${x} 3 || goto a\nkernel u a initrd=b && boot || exit 1")
	f.Fuzz(func(t *testing.T, script string) {
		r, err := Run(t.Context(), script, map[string]string{"net0/mac": "a"}, &web{files: map[string]string{"u": "k"}}, noSleep)
		if err == nil && r.Kernel.Data == nil {
			t.Error("booted without a kernel")
		}
	})
}
