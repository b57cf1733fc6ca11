package verify

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestStream watches an address of which one flow in three is lost for two seconds:
// the outage is these two seconds, whatever else was answered meanwhile.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		var turn atomic.Int32
		beats, wait := stream(ctx, func(ctx context.Context) error {
			at := time.Since(began)
			if at < 5*time.Second || at > 7*time.Second || turn.Add(1)%3 != 0 {
				return nil
			}
			time.Sleep(2 * time.Second) // it hangs, and holds nobody up
			return errors.New("i/o timeout")
		})
		time.Sleep(3 * time.Second)
		if long, failed := outage(beats(), began); failed != 0 || long != 0 || len(beats()) < 28 {
			t.Errorf("%v, %d of %d failed before anything was lost", long, failed, len(beats()))
		}
		time.Sleep(7 * time.Second)
		stop()
		wait()
		long, failed := outage(beats(), began)
		if n := len(beats()); n < 98 || n > 100 || failed < 6 || long < 1700*time.Millisecond || long > 2100*time.Millisecond {
			t.Errorf("%v, %d of %d failed", long, failed, n)
		}
	})
}

// TestStreamEnds wants that the answer to the last question is waited for, and counts.
func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		began := time.Now()
		beats, wait := stream(ctx, func(context.Context) error {
			time.Sleep(time.Second)
			return errors.New("nobody is there")
		})
		time.Sleep(450 * time.Millisecond)
		stop()
		wait()
		if long, failed := outage(beats(), began); failed != 4 || long != 400*time.Millisecond {
			t.Errorf("%d questions failed, over %v", failed, long)
		}
	})
}

func TestOutage(t *testing.T) {
	at := time.Unix(1000, 0)
	lost := errors.New("lost")
	late := []beat{{asked: at, took: 200 * time.Millisecond, err: lost}, {asked: at.Add(4 * time.Second), err: lost}, {asked: at.Add(5 * time.Second)}}
	if long, failed := outage(late, at); failed != 2 || long != 4*time.Second+streamEvery {
		t.Errorf("%d, %v", failed, long)
	}
	if long, failed := outage(late, at.Add(time.Second)); failed != 1 || long != streamEvery {
		t.Errorf("what failed before doesn't count: %d, %v", failed, long)
	}
	if long, failed := outage(nil, at); failed != 0 || long != 0 {
		t.Errorf("%d, %v", failed, long)
	}
}
