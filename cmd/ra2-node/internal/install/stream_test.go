package install

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// source gives a text and breaks the connection after some bytes.
type source struct {
	text   string
	breaks int // bytes of each connection; 0 is none
	refuse error
	opened []int64
}

func (s *source) Open(_ context.Context, _ string, offset int64) (io.ReadCloser, int64, error) {
	s.opened = append(s.opened, offset)
	if s.refuse != nil {
		return nil, 0, s.refuse
	}
	rest := s.text[offset:]
	var r io.Reader = strings.NewReader(rest)
	if s.breaks > 0 && s.breaks < len(rest) {
		r = io.MultiReader(strings.NewReader(rest[:s.breaks]), iotest.ErrReader(errors.New("connection reset by peer")))
	}
	return io.NopCloser(r), int64(len(s.text)), nil
}

func silent(string, ...any) {}

func TestStreamGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &source{text: "0123456789", breaks: 4}
		got, err := io.ReadAll(newStream(t.Context(), from, "/v1/image/x", silent))
		if err != nil || string(got) != from.text {
			t.Errorf("%q, %v", got, err)
		}
		if len(from.opened) != 3 || from.opened[1] != 4 || from.opened[2] != 8 {
			t.Errorf("opened at %v", from.opened)
		}
	})
}

func TestStreamGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &source{refuse: errors.New("connection refused")}
		_, err := io.ReadAll(newStream(t.Context(), from, "/v1/image/x", silent))
		if err == nil || !strings.Contains(err.Error(), "connection refused") || len(from.opened) != maxFails+1 {
			t.Errorf("%v after %d tries", err, len(from.opened))
		}
		from = &source{refuse: &agent.Refused{Status: http.StatusNotFound}}
		if _, err := io.ReadAll(newStream(t.Context(), from, "/v1/image/x", silent)); err == nil || len(from.opened) != 1 {
			t.Errorf("a refusal was asked again: %v after %d tries", err, len(from.opened))
		}
	})
}

func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := again(t.Context(), silent, "answer", time.Minute, func(context.Context) error {
			if tries++; tries < 5 {
				return errors.New("no route to host")
			}
			return nil
		})
		if err != nil || tries != 5 {
			t.Errorf("%v after %d tries", err, tries)
		}
		begun := time.Now()
		err = again(t.Context(), silent, "answer", time.Minute, func(context.Context) error { return errors.New("no route to host") })
		if err == nil || !strings.Contains(err.Error(), "no answer within 1m0s: no route to host") || time.Since(begun) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		tries = 0
		err = again(t.Context(), silent, "answer", time.Minute, func(context.Context) error {
			tries++
			return &agent.Refused{Status: http.StatusForbidden, Text: "used before"}
		})
		if err == nil || tries != 1 {
			t.Errorf("a refused claim was shown %d times", tries)
		}
	})
}

func TestLine(t *testing.T) {
	got := line("writing image", "vda (SAMSUNG, serial S6C, 480 GB)", 410e6, 1000e6, 2*time.Second)
	if want := "writing image, vda (SAMSUNG, serial S6C, 480 GB): 41% 205 MB/s, 3s left"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
