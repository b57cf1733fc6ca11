package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestEndsOnTerm(t *testing.T) {
	ch := make(chan os.Signal, 1)
	ch <- syscall.SIGTERM
	if code := wait(ch); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

func TestReapsChildren(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !reap(); {
		if time.Now().After(deadline) {
			t.Fatal("the child was not reaped in 10 s")
		}
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child was still there")
	}
}
