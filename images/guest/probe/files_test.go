package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// does runs the program, and returns its exit status and the lines about files.
func does(t *testing.T, ctx context.Context, args ...string) (int, []File) {
	t.Helper()
	var out bytes.Buffer
	code := run(ctx, args, &out, &out)
	var all []File
	for line := range strings.Lines(out.String()) {
		var f File
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, &out)
		}
		all = append(all, f)
	}
	return code, all
}

// TestWriteAndRead writes a file and reads it beside one that isn't there.
func TestWriteAndRead(t *testing.T) {
	dir := t.TempDir()
	path, none := filepath.Join(dir, "text"), filepath.Join(dir, "none")
	if code, all := does(t, t.Context(), "write", path, "hello"); code != 0 || len(all) != 1 || !all[0].OK || all[0].Text != "hello" {
		t.Errorf("exit status %d, %+v", code, all)
	}
	code, all := does(t, t.Context(), "read", path, none)
	if code != 1 || len(all) != 2 || !all[0].OK || all[0].Text != "hello" || all[1].OK || !strings.Contains(all[1].Error, "no such file") {
		t.Errorf("exit status %d, %+v", code, all)
	}
	if code, all := does(t, t.Context(), "write", filepath.Join(none, "text"), "hello"); code != 1 || all[0].OK || all[0].Error == "" {
		t.Errorf("a folder that isn't there: exit status %d, %+v", code, all)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 2*maxText), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, all := does(t, t.Context(), "read", path); len(all[0].Text) != maxText {
		t.Errorf("%d bytes of a long file are told", len(all[0].Text))
	}
}

// TestFill wants a file of the size, which stays until the program is told to end,
// and an exit status that says that it was.
func TestFill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "much")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	code, all := does(t, ctx, "fill", path, strconv.Itoa(100_001))
	if info, err := os.Stat(path); code != 1 || err != nil || info.Size() != 100_001 || !all[0].OK || !strings.Contains(all[len(all)-1].Error, "told to end") {
		t.Errorf("exit status %d, %v, %+v", code, err, all)
	}
	if code, all := does(t, t.Context(), "fill", path, "much"); code != 1 || all[0].OK {
		t.Errorf("exit status %d, %+v", code, all)
	}
}

// TestMap refuses a file that isn't one of huge pages.
func TestMap(t *testing.T) {
	if code, all := does(t, t.Context(), "map", filepath.Join(t.TempDir(), "one"), "2097152"); code != 1 || !strings.Contains(all[0].Error, "no file of huge pages") {
		t.Errorf("exit status %d, %+v", code, all)
	}
}

// TestProcessors reads a machine of two NUMA nodes, of which the program may use a
// part, and this one.
func TestProcessors(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"proc/self/status":                      "Name:\tra2-probe\nCpus_allowed:\tf0\nCpus_allowed_list:\t4-6,20\nMems_allowed_list:\t0-1\n",
		"sys/devices/system/node/node0/cpulist": "0-3,16-19\n", "sys/devices/system/node/node1/cpulist": "4-7,20-23\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if p := processors(root); p.CPUs != "4-6,20" || len(p.NUMA) != 1 || p.NUMA[0] != 1 {
		t.Errorf("%+v", p)
	}
	if p := processors(t.TempDir()); p.CPUs != "" || p.NUMA != nil {
		t.Errorf("nothing is told there: %+v", p)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	var here Processors
	if code := run(ctx, []string{"processors"}, &out, &out); code != 0 || json.Unmarshal(out.Bytes(), &here) != nil || here.CPUs == "" {
		t.Errorf("exit status %d: %s", code, &out)
	}
}
