package rpmrepo_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/images/bundle/mirror/rpmrepo"
	"github.com/ra2-deploy/ra2-deploy/images/pack"
)

// anRPM is a package as nfpm writes it.
func anRPM(t testing.TB) []byte {
	t.Helper()
	var data bytes.Buffer
	if err := some()[0].Write(&data, pack.RPM); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func TestRead(t *testing.T) {
	h, err := rpmrepo.Read(bytes.NewReader(anRPM(t)))
	if err != nil {
		t.Fatal(err)
	}
	if h.Name != "ra2-peer" || h.Version != "1.2.3~rc.1" || h.Release != "1" || h.Epoch != "0" || h.Arch != "x86_64" || h.Built != pack.Time().Unix() {
		t.Errorf("%+v", h)
	}
	want := rpmrepo.Relation{Name: "ra2-peer-data", Flags: "GE", Epoch: "2", Version: "1.0", Release: "3"}
	for _, r := range h.Relations {
		if r.Kind == "requires" && r.All[0] != want {
			t.Errorf("it requires %+v", r.All)
		}
	}
}

// What is cut, or counts more than it has, is refused with the reason.
func TestReadRefuses(t *testing.T) {
	good := anRPM(t)
	edit := func(at int, value uint32) []byte {
		out := bytes.Clone(good)
		binary.BigEndian.PutUint32(out[at:], value)
		return out
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":            {nil, "doesn't begin as an rpm package"},
		"a Debian package":   {[]byte("!<arch>\n" + strings.Repeat(" ", 200)), "doesn't begin as an rpm package"},
		"only the lead":      {good[:96], "its signature"},
		"cut in the header":  {good[:400], "unexpected EOF"},
		"too many tags":      {edit(96+8, 1<<30), "too much"},
		"no header after it": {append(bytes.Clone(good[:272]), make([]byte, 64)...), "its header"},
	} {
		if _, err := rpmrepo.Read(bytes.NewReader(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	good := anRPM(f)
	f.Add(good[:min(len(good), 2500)])
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := rpmrepo.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if h.Name == "" || h.End > int64(len(data)) {
			t.Errorf("accepted %+v of %d bytes", h, len(data))
		}
		if _, err := rpmrepo.Lists([]rpmrepo.Package{{Header: h}}); err != nil {
			t.Errorf("what was read can't be listed: %v", err)
		}
	})
}
