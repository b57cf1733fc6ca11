package rpm

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func fine() Archive {
	return Archive{Release: "44", Repositories: []Repository{
		{Name: "fedora", URL: "https://mirror.example/$releasever/Everything/$basearch/os/", Keys: []string{"/keys/fedora", "/keys/older"}},
		{Name: "site", URL: "https://mirror.example/site/", Keys: []string{"/keys/site"}, Signed: true},
	}}
}

func TestCheck(t *testing.T) {
	if err := fine().Check(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*Archive){
		"no rpm repository":    func(a *Archive) { a.Repositories = nil },
		"called \"site\"":      func(a *Archive) { a.Repositories[0].Name = "site" },
		"needs a name":         func(a *Archive) { a.Repositories[0].Name = "a]\n[b" },
		"\"\" is no URL":       func(a *Archive) { a.Repositories[1].URL = "" },
		"is no URL":            func(a *Archive) { a.Repositories[1].URL = "https://x\ngpgcheck=0" },
		"names no keys":        func(a *Archive) { a.Repositories[1].Keys = nil },
		"\"keys/site\" is no ": func(a *Archive) { a.Repositories[1].Keys = []string{"keys/site"} },
	} {
		a := fine()
		spoil(&a)
		if err := a.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestConfig(t *testing.T) {
	got := fine().config("/none")
	for _, want := range []string{
		"[main]\n", "\ngpgcheck=1\n", "reposdir=/none\n", "install_weak_deps=0\n", "skip_if_unavailable=0\n",
		"\n[fedora]\nname=fedora\nbaseurl=https://mirror.example/$releasever/Everything/$basearch/os/\ngpgkey=file:///keys/fedora file:///keys/older\n",
		"\n[site]\nname=site\nbaseurl=https://mirror.example/site/\ngpgkey=file:///keys/site\nrepo_gpgcheck=1\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestURL(t *testing.T) {
	if got := fine().Repositories[0].url("44"); got != "https://mirror.example/44/Everything/x86_64/os" {
		t.Errorf("the URL is %s", got)
	}
}

func TestParseQuery(t *testing.T) {
	got := parseQuery("systemd 257.13-1 x86_64\ngpg-pubkey 1-2 (none)\nbash 1:5.2-1 x86_64\n")
	if len(got) != 2 || got[0].String() != "bash 1:5.2-1" || got[1].Arch != "x86_64" {
		t.Errorf("read %v", got)
	}
}

func TestMissingKeys(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	a := fine()
	a.Repositories[1].Keys = []string{key}
	if got := strings.Join(a.MissingKeys(), " "); got != "/keys/fedora /keys/older" {
		t.Errorf("missing: %s", got)
	}
}

func TestSettleSQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rpmdb.sqlite")
	page := make([]byte, 4096)
	copy(page, "SQLite format 3\x00")
	binary.BigEndian.PutUint16(page[18:], 0x0202)
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(file, page)
	write(file+"-wal", []byte("a page that is not in the database yet"))
	write(file+"-shm", page)
	if err := settleSQLite(file); err == nil || !strings.Contains(err.Error(), "without closing it") {
		t.Errorf("with an open log: %v", err)
	}
	write(file+"-wal", nil)
	if err := settleSQLite(file); err != nil {
		t.Fatal(err)
	}
	page[18], page[19] = 1, 1
	if got, err := os.ReadFile(file); err != nil || string(got) != string(page) {
		t.Errorf("the database is other than expected, %v", err)
	}
	if left, err := filepath.Glob(file + "-*"); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	write(file, []byte(strings.Repeat("no database", 10)))
	if err := settleSQLite(file); err == nil || !strings.Contains(err.Error(), "no SQLite database") {
		t.Errorf("of another file: %v", err)
	}
}
