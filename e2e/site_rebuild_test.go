package e2e

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// longestGap is how long nobody may be reached at the virtual address while
// one node is made anew. keepalived moves it within some seconds.
const longestGap = 20 * time.Second

// rebuild writes one node anew and wants that no other is touched and the
// cluster answers.
func (b *bench) rebuild(node string) {
	b.Helper()
	marks := b.mark()
	since := time.Now()
	gap := b.watchVIP()
	b.must(b.inside("rebuild", node, "--yes", b.inventory()))
	longest, asked := gap()
	b.Logf("rebuild of %s: the longest time without an answer was %s (asked %d times)", node, longest.Round(time.Millisecond), asked)
	if longest > longestGap || asked < 20 {
		b.Errorf("asked %d times, the longest time without an answer was %s", asked, longest)
	}
	b.healthy()
	others := slices.DeleteFunc(machines(), func(m string) bool { return m == node })
	b.onlyReads(since, others...)
	for _, m := range others {
		b.marked(m, marks, true)
	}
	b.marked(node, marks, false)
	b.dataSame()
}

// powerLoss takes the power of all machines away. `up` without --yes can erase
// nothing.
func (b *bench) powerLoss() {
	marks := b.mark()
	for _, m := range machines() {
		b.reset(m, "ForceOff")
	}
	for _, m := range machines() {
		b.off(m)
	}
	b.must(b.inside("up", b.inventory()))
	b.healthy()
	for _, m := range machines() {
		b.marked(m, marks, true)
	}
	b.dataSame()
}

// mark writes a file to the data partition of every machine.
func (b *bench) mark() (text []byte) {
	b.Helper()
	text = []byte(time.Now().String())
	for _, m := range machines() {
		if err := os.WriteFile(b.root(m, "/data/mark"), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return text
}

// marked wants the mark there, or gone with the disk it was on.
func (b *bench) marked(machine string, text []byte, want bool) {
	b.Helper()
	got, err := os.ReadFile(b.root(machine, "/data/mark"))
	if has := err == nil && bytes.Equal(got, text); has != want || err != nil && !os.IsNotExist(err) {
		b.Errorf("%s has its mark: %v, want %v (%v)", machine, has, want, err)
	}
}

// watchVIP asks the cluster by its virtual addresses until the result is
// called: the longest time without an answer, and how often it asked.
func (b *bench) watchVIP() (stop func() (time.Duration, int)) {
	b.Helper()
	k := b.kube()
	k.Timeout = 2 * time.Second
	over, done := make(chan struct{}), make(chan struct{})
	var longest time.Duration
	asked := 0
	go func() {
		defer close(done)
		last := time.Now()
		for {
			asked++
			status, text := ask(k.Client, http.MethodGet, "https://10.17.0.10:6443/readyz", "", nil)
			longest = max(longest, time.Since(last)) // from one answer to the next
			if status == http.StatusOK && strings.Contains(text, "ok") {
				last = time.Now()
			}
			select {
			case <-over:
				return
			case <-time.After(250 * time.Millisecond):
			}
		}
	}()
	return func() (time.Duration, int) {
		close(over)
		<-done
		return longest, asked
	}
}
