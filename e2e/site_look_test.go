package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netns"
)

// pid1 returns the first process of a machine, as the host numbers it; 0 while
// the machine is off.
func (b *bench) pid1(machine string) int {
	b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		groups, err := os.ReadFile(f)
		if err != nil || !strings.Contains(string(groups), "/"+b.namespace()+"/"+machine) {
			continue
		}
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "status"))
		for line := range strings.Lines(string(status)) {
			ids := strings.Fields(line)
			if len(ids) == 3 && ids[0] == "NSpid:" && ids[2] == "1" {
				pid, _ := strconv.Atoi(ids[1])
				return pid
			}
		}
	}
	return 0
}

// root is a path of a machine as its first process sees it.
func (b *bench) root(machine, path string) string {
	return fmt.Sprintf("/proc/%d/root%s", b.pid1(machine), path)
}

// netOf is the network of a machine.
func (b *bench) netOf(machine string) func() (netns.NsHandle, error) {
	return func() (netns.NsHandle, error) { return netns.GetFromPid(b.pid1(machine)) }
}

// request is one line of a controller's log.
type request struct {
	Time   time.Time
	Method string
	Path   string
	Status int
}

// requests returns what a controller was asked since a moment.
func (b *bench) requests(machine string, since time.Time) []request {
	b.Helper()
	text, err := os.ReadFile(b.machine(machine, "bmc.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	var all []request
	for line := range bytes.Lines(text) {
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			b.Fatalf("%s: %q: %v", b.machine(machine, "bmc.jsonl"), line, err)
		}
		if !r.Time.Before(since) {
			all = append(all, r)
		}
	}
	return all
}

// onlyReads wants that controllers were asked since a moment, and only asked.
func (b *bench) onlyReads(since time.Time, names ...string) {
	b.Helper()
	for _, m := range names {
		all := b.requests(m, since)
		if len(all) == 0 {
			b.Errorf("%s: its controller was not asked at all", m)
		}
		for _, r := range all {
			if r.Method != "GET" && r.Method != "HEAD" {
				b.Errorf("%s: its controller got %s %s", m, r.Method, r.Path)
			}
		}
	}
}

// dataSame wants the data disks as they were made.
func (b *bench) dataSame() {
	b.Helper()
	for _, m := range machines() {
		if r := b.run("lab", "check", b.dir, m); r.code != 0 {
			b.Errorf("%s", r)
		}
	}
}

// healthy wants what a finished site shows: six Ready nodes, three votes, both
// virtual addresses.
func (b *bench) healthy() {
	b.Helper()
	r := b.must(b.inside("status", b.inventory()))
	if missing := unhealthy(r.out); len(missing) > 0 {
		b.Fatalf("the status lacks %q\n%s", missing, r)
	}
}

// unhealthy returns what a status lacks.
func unhealthy(status string) (missing []string) {
	ready, votes := 0, 0
	for line := range strings.Lines(status) {
		if words := strings.Fields(line); len(words) > 5 && words[3] == "On" && words[4] == "Ready" {
			ready++
			if words[5] == "votes" {
				votes++
			}
		}
	}
	if ready != 6 || votes != 3 {
		missing = append(missing, fmt.Sprintf("6 Ready nodes and 3 votes (it has %d and %d)", ready, votes))
	}
	for _, want := range []string{"etcd: 3 of 3 members healthy", "10.17.0.10 answers", "fd00:17::10 answers"} {
		if !strings.Contains(status, want) {
			missing = append(missing, want)
		}
	}
	return missing
}

// event is one line of --events.
type event struct {
	Time                           time.Time
	Step, Host, Status, Note, Mark string
}

// follow reads the events of a command from an offset of its file on, until
// match says yes; ok is false when the command ended first.
func (b *bench) follow(c *command, file string, from int64, match func(event) bool) (ev event, ok bool) {
	b.Helper()
	for over := false; ; {
		all, next, err := readEvents(file, from)
		if err != nil {
			b.Fatal(err)
		}
		from = next
		for _, ev := range all {
			if match(ev) {
				return ev, true
			}
		}
		if over {
			return event{}, false
		}
		select {
		case <-c.ended:
			over = true // what it wrote last is still to be read
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// readEvents returns the whole events of a file from an offset on, and where
// the next begins.
func readEvents(file string, from int64) (all []event, next int64, err error) {
	f, err := os.Open(file)
	if os.IsNotExist(err) {
		return nil, from, nil
	}
	if err != nil {
		return nil, from, err
	}
	defer f.Close()
	if _, err := f.Seek(from, 0); err != nil {
		return nil, from, err
	}
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return all, from, nil // half a line comes again
		}
		from += int64(len(line))
		var ev event
		if err := json.Unmarshal(line, &ev); err != nil {
			return all, from, fmt.Errorf("%s: %q: %w", file, line, err)
		}
		all = append(all, ev)
	}
}
