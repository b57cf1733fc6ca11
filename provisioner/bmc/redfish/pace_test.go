package redfish

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestPace: a look at a host is not slowed, a flood is.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		began := time.Now()
		for range paceBurst {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("%d requests took %s", paceBurst, took)
		}
		for range 50 {
			_ = p.wait(t.Context())
		}
		if took := time.Since(began); took != 50*paceEvery {
			t.Errorf("50 more took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), paceEvery/2)
		defer cancel()
		if err := p.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if began = time.Now(); p.wait(t.Context()) != nil || time.Since(began) != 0 {
			t.Error("the bucket is not full again after an hour")
		}
	})
}
