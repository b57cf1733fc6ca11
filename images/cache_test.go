package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/command"
)

func TestMakeOnceAndWhole(t *testing.T) {
	c := cache{t.TempDir()}
	k := key("inputs")
	broken := errors.New("no space")
	_, err := c.make("tree", k, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "half"), nil, 0o644); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) || c.has("tree", k) {
		t.Errorf("after an error: %v, there: %v", err, c.has("tree", k))
	}
	if left, err := os.ReadDir(filepath.Join(c.dir, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	times := 0
	for range 2 {
		dir, err := c.make("tree", k, func(dir string) error {
			times++
			return os.WriteFile(filepath.Join(dir, "whole"), nil, 0o644)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "whole")); err != nil {
			t.Error(err)
		}
	}
	if times != 1 {
		t.Errorf("made %d times", times)
	}
}

func TestLockWaitsAndSweeps(t *testing.T) {
	c := cache{t.TempDir()}
	unlock, err := c.lock(t.Context(), func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var said []string
	if _, err := c.lock(ctx, func(p Progress) { said = append(said, p.String()) }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second lock: %v", err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "wait for another build") {
		t.Errorf("it said %v", said)
	}
	if _, err := c.scratch("dead"); err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = c.lock(t.Context(), func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(c.dir, "tmp")); !os.IsNotExist(err) {
		t.Errorf("scratch of a dead build is still there: %v", err)
	}
}

func TestDigestTreeKnowsNamesAndBytes(t *testing.T) {
	digest := func(name, data string) string {
		d, err := digestTree(fstest.MapFS{name: {Data: []byte(data)}, "same": {Data: []byte("x")}})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if digest("a", "1") != digest("a", "1") || digest("a", "1") == digest("b", "1") || digest("a", "1") == digest("a", "2") {
		t.Error("the digest is not one of names and bytes")
	}
}

// TestFull: a full disk is told as one, whoever filled it.
func TestFull(t *testing.T) {
	for want, errs := range map[bool][]error{
		true: {fmt.Errorf("write x: %w", syscall.ENOSPC), &command.Failed{Output: "tar: ./usr: Cannot write: No space left on device", Err: errors.New("exit status 2")},
			&command.Failed{Output: "tar: ./usr/share/doc/copyright: Wrote only 4096 of 9728 bytes", Err: errors.New("exit status 2")},
			fmt.Errorf("make a system: %w", &errFull{free: 20 << 20, err: errors.New("E: You don't have enough free space in /var/cache/apt/archives/.")})},
		false: {nil, errors.New("no such package"), fmt.Errorf("write x: %w", syscall.EACCES)},
	} {
		for _, err := range errs {
			if full(err) != want {
				t.Errorf("%v: %v", err, !want)
			}
		}
	}
}
