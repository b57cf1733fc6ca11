package report_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// browser is one tab of a Chromium, driven by the Chrome DevTools Protocol over
// a pipe (--remote-debugging-pipe: messages of JSON that end with a zero byte).
type browser struct {
	*testing.T
	to       *os.File
	from     *bufio.Reader
	sent     int
	session  string
	events   map[string]int // names of events since the last load
	problems []string       // what the browser complained about since then
}

// message is a command's answer, or an event.
type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// chromium starts a browser that is ended with the test, and skips the test
// where there is none.
func chromium(t *testing.T) *browser {
	t.Helper()
	tool, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium (apt-get install chromium)")
	}
	theirs, to, err1 := os.Pipe()
	from, answers, err2 := os.Pipe()
	profile, err3 := os.MkdirTemp("", "chromium")
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // its end is not the test's, which it outlives
	cmd := exec.CommandContext(ctx, tool, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, answers} // 3 and 4, as the browser wants them
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	answers.Close()
	b := &browser{T: t, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		to.Close() // it ends when nobody drives it any more
		go io.Copy(io.Discard, from)
		if err := cmd.Wait(); err != nil {
			t.Logf("chromium: %v", err)
		}
		cancel()
		from.Close()
		os.RemoveAll(profile)
	})
	b.attach()
	return b
}

func (b *browser) attach() {
	b.Helper()
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
}

// call sends a command, and waits for its answer.
func (b *browser) call(method string, params map[string]any, result any) {
	b.Helper()
	b.sent++
	command := map[string]any{"id": b.sent, "method": method, "params": params}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	data, err := json.Marshal(command)
	if err == nil {
		_, err = b.to.Write(append(data, 0))
	}
	if err != nil {
		b.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.next("the answer to " + method)
		switch {
		case m.ID != b.sent:
			continue
		case m.Error != nil:
			b.Fatalf("%s: %s", method, m.Error.Message)
		case result != nil:
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.Fatalf("%s: %v in %s", method, err, m.Result)
			}
		}
		return
	}
}

// next reads one message, and notes what it complains about.
func (b *browser) next(waitsFor string) message {
	b.Helper()
	data, err := b.from.ReadBytes(0)
	if err != nil {
		b.Fatalf("chromium ended before %s came: %v", waitsFor, err)
	}
	var m message
	if err := json.Unmarshal(data[:len(data)-1], &m); err != nil {
		b.Fatalf("%v in %s", err, data)
	}
	if m.Method != "" && b.events != nil {
		b.events[m.Method]++
	}
	if m.Method == "Log.entryAdded" || m.Method == "Runtime.exceptionThrown" {
		b.problems = append(b.problems, string(m.Params))
	}
	return m
}

// open loads a page from a file.
func (b *browser) open(html string) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(html), 0o600); err != nil {
		b.Fatal(err)
	}
	b.events, b.problems = map[string]int{}, nil
	b.call("Page.navigate", map[string]any{"url": "file://" + file}, nil)
	for b.events["Page.loadEventFired"] == 0 {
		b.next("the end of loading")
	}
}

// do runs a program in the page, and returns its value as text.
func (b *browser) do(program string) string {
	b.Helper()
	var out struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": program, "returnByValue": true, "awaitPromise": true, "userGesture": true}, &out)
	if out.ExceptionDetails != nil {
		b.Fatalf("%s: %s", program, out.ExceptionDetails)
	}
	return fmt.Sprint(out.Result.Value)
}

// wants compares a program's value.
func (b *browser) wants(program, want string) {
	b.Helper()
	if got := b.do(program); got != want {
		b.Errorf("%s is %q, want %q", program, got, want)
	}
}
