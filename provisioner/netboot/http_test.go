package netboot

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

const (
	reserved = "10.17.0.11:40000"
	stranger = "10.17.0.99:40000"
	bootPath = "/boot/52-54-00-17-00-11/"
)

// web returns a Server for its Handler alone, its open boots, and its events.
func web(t *testing.T) (*Server, *Table, *diary) {
	t.Helper()
	d, table := &diary{}, open(t, aBoot(t))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "snponly.efi"), []byte("loader"), 0o644); err != nil {
		t.Fatal(err)
	}
	return &Server{conf: Config{Addr: netip.MustParseAddr("10.17.0.1"), Book: table, Loaders: dir, Report: d.add}.withDefaults()}, table, d
}

func get(s *Server, from, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = from
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestHTTPPaths(t *testing.T) {
	s, table, _ := web(t)
	for path, want := range map[string]int{
		bootPath + "ipxe": 200, bootPath + "autoexec.ipxe": 200, bootPath + "kernel": 200, bootPath + "initrd": 200,
		bootPath + "snponly.efi": 200, "/loaders/snponly.efi": 200,
		bootPath + "missing.efi": 404, bootPath + "..%2fnetboot": 404, "/loaders/..%2f..%2fetc%2fpasswd": 404,
		"/boot/52-54-00-00-00-99/ipxe": 404, "/boot/x/ipxe": 404, "/": 404,
	} {
		if got := get(s, reserved, path).Code; got != want {
			t.Errorf("GET %s: %d, wanted %d", path, got, want)
		}
	}
	if got := get(s, stranger, "/loaders/snponly.efi").Code; got != 404 {
		t.Errorf("a loader for an address without an open boot: %d", got)
	}
	table.Close(mustMAC(t))
	for _, file := range []string{"ipxe", "autoexec.ipxe", "kernel", "initrd", "ticket.cpio", "snponly.efi"} {
		if got := get(s, reserved, bootPath+file).Code; got != 404 {
			t.Errorf("GET %s of a closed boot: %d", file, got)
		}
	}
}

func mustMAC(t *testing.T) MAC {
	t.Helper()
	mac, err := ParseMAC(hostMAC)
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// RFC 9110, 14.2 and 15.3.7: a part of the representation, 206, Content-Range.
func TestHTTPRange(t *testing.T) {
	s, _, d := web(t)
	w := get(s, reserved, bootPath+"initrd", "Range", "bytes=10-19")
	if w.Code != http.StatusPartialContent || w.Body.String() != strings.Repeat("i", 10) || w.Header().Get("Content-Range") != "bytes 10-19/5242881" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	if n := len(d.all(Fetched, nil)); n != 0 {
		t.Errorf("a part counts as fetched")
	}
}

// The ticket goes out once in an opening, to the reserved address and by GET.
func TestTicketOnce(t *testing.T) {
	s, table, d := web(t)
	if got := get(s, stranger, bootPath+"ticket.cpio").Code; got != 404 {
		t.Errorf("to another address: %d", got)
	}
	head := httptest.NewRequest(http.MethodHead, bootPath+"ticket.cpio", nil)
	head.RemoteAddr = reserved
	w := httptest.NewRecorder()
	if s.Handler().ServeHTTP(w, head); w.Code != 404 {
		t.Errorf("HEAD: %d", w.Code)
	}
	first := get(s, "[fd00:17::11]:40000", bootPath+"ticket.cpio")
	if first.Code != 200 || !bytes.Contains(first.Body.Bytes(), []byte("one-time")) {
		t.Errorf("to the reserved IPv6 address: %d %q", first.Code, first.Body)
	}
	if got := get(s, reserved, bootPath+"ticket.cpio"); got.Code != 410 || strings.Contains(got.Body.String(), "one-time") {
		t.Errorf("the second time: %d %q", got.Code, got.Body)
	}
	if n := len(d.all(Refused, func(e Event) bool { return e.File == ticketName && e.Next != "" })); n != 3 {
		t.Errorf("%d refusals reported, wanted 3:\n%s", n, d)
	}
	b := aBoot(t)
	b.Ticket = secret.New("another")
	if err := table.Open(b); err != nil {
		t.Fatal(err)
	}
	if got := get(s, reserved, bootPath+"ticket.cpio"); got.Code != 200 || !strings.Contains(got.Body.String(), "another") {
		t.Errorf("in the next opening: %d", got.Code)
	}
	if strings.Contains(d.String(), "one-time") || strings.Contains(d.String(), "another") {
		t.Errorf("a ticket is in the events:\n%s", d)
	}
}

// What cpio itself makes of the archive.
func TestTicketArchive(t *testing.T) {
	archive := newc("ra2/ticket", []byte("abc"))
	if len(archive)%512 != 0 {
		t.Errorf("%d bytes are not a multiple of 512", len(archive))
	}
	want := []struct{ name, mode string }{{"ra2", "000041c0"}, {"ra2/ticket", "00008180"}, {"TRAILER!!!", "00000000"}}
	for _, w := range want {
		i := bytes.Index(archive, []byte(w.name+"\x00"))
		if i < 110 || string(archive[i-110:i-104]) != "070701" || string(archive[i-96:i-88]) != w.mode || (i-110)%4 != 0 {
			t.Fatalf("no aligned header of %s with mode %s in %q", w.name, w.mode, archive)
		}
	}
}

// A loader that is fetched again and again with no script in between is a loop.
func TestLoop(t *testing.T) {
	s, _, d := web(t)
	get(s, reserved, bootPath+"snponly.efi")
	get(s, reserved, bootPath+"ipxe")
	get(s, reserved, bootPath+"snponly.efi")
	if n := len(d.all(Loop, nil)); n != 0 {
		t.Errorf("a host that boots twice is called a loop:\n%s", d)
	}
	get(s, reserved, bootPath+"snponly.efi")
	loops := d.all(Loop, nil)
	if len(loops) != 1 || !strings.Contains(loops[0].Next, "option 77") {
		t.Errorf("no loop is reported:\n%s", d)
	}
}

// A sender's own buffers don't grow with the file.
func TestMeterCounts(t *testing.T) {
	w := httptest.NewRecorder()
	var told []int64
	m := newMeter(w, 5<<20, func(n int64) { told = append(told, n) })
	m.told = m.told.Add(-meterEvery)
	n, err := io.Copy(m, io.LimitReader(strings.NewReader(strings.Repeat("x", 6<<20)), 5<<20))
	if err != nil || n != 5<<20 || m.sent != 5<<20 || w.Body.Len() != 5<<20 || len(told) == 0 {
		t.Errorf("copied %d, counted %d, told %v, %v", n, m.sent, told, err)
	}
}

// A big file costs no memory: 256 MiB over a real connection.
func TestConstantMemory(t *testing.T) {
	s, table, _ := web(t)
	b := aBoot(t)
	b.Initrd = filepath.Join(t.TempDir(), "big")
	f, err := os.Create(b.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	const size = 256 << 20
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if err := table.Open(b); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := srv.Client().Get(srv.URL + bootPath + "initrd")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	n, err := io.Copy(io.Discard, r.Body)
	runtime.ReadMemStats(&after)
	if err != nil || n != size {
		t.Errorf("%d bytes, %v", n, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes were allocated for it", used)
	}
}

// TestMedia: the boot image for virtual media is served in pieces to whoever
// reads for an open boot; the first read of each opening is told, a HEAD isn't.
func TestMedia(t *testing.T) {
	s, table, d := web(t)
	if err := os.WriteFile(filepath.Join(s.conf.Loaders, mediaName), []byte("0123456789"), 0o644); err != nil {
		t.Fatal(err)
	}
	url := s.conf.MediaURL(mustMAC(t))
	if want := "http://10.17.0.1:8080" + bootPath + "ipxe.iso"; url != want {
		t.Errorf("the URL is %s, want %s", url, want)
	}
	const bmc = "10.17.1.11:50000"
	head := httptest.NewRequest(http.MethodHead, bootPath+mediaName, nil)
	head.RemoteAddr = bmc
	s.Handler().ServeHTTP(httptest.NewRecorder(), head)
	if n := len(d.all(Media, nil)); n != 0 {
		t.Errorf("%d reads are told after a HEAD", n)
	}
	for range 3 {
		if r := get(s, bmc, bootPath+mediaName, "Range", "bytes=2-4"); r.Code != http.StatusPartialContent || r.Body.String() != "234" {
			t.Errorf("%d %q", r.Code, r.Body)
		}
	}
	if all := d.all(Media, nil); len(all) != 1 || all[0].Node != "cp-a" || all[0].From != bmc {
		t.Errorf("told %v", all)
	}
	if err := table.Open(aBoot(t)); err != nil {
		t.Fatal(err)
	}
	get(s, bmc, bootPath+mediaName)
	if n := len(d.all(Media, nil)); n != 2 {
		t.Errorf("%d first reads in two openings", n)
	}
	table.Close(mustMAC(t))
	if r := get(s, bmc, bootPath+mediaName); r.Code != http.StatusNotFound {
		t.Errorf("a closed boot: %d", r.Code)
	}
}
