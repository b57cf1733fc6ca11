package facts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// TestMemberSince: a node that lost its power is called Ready for a while, and that is
// no word of the system that runs now.
func TestMemberSince(t *testing.T) {
	started := time.Date(2026, 11, 24, 18, 18, 4, 0, time.UTC)
	for name, c := range map[string]struct {
		renewed, started time.Time
		ready, want      bool
	}{
		"renewed since":        {started.Add(time.Second), started, true, true},
		"from before":          {started.Add(-40 * time.Second), started, true, false},
		"nobody saw it start":  {started.Add(-40 * time.Second), time.Time{}, true, true},
		"it has no Lease":      {time.Time{}, started, true, true},
		"not ready, and new":   {started.Add(time.Second), started, false, false},
		"not ready, from then": {started.Add(-40 * time.Second), started, false, false},
	} {
		m := facts.Member{Exists: true, Ready: c.ready, Renewed: c.renewed}
		if !m.Ready {
			m.NotReady = "KubeletNotReady"
		}
		got := m.Since(c.started)
		if got.Ready != c.want {
			t.Errorf("%s: Ready %t", name, got.Ready)
		}
		if why := map[bool]string{true: "Ready is from before", false: "KubeletNotReady"}[c.ready]; !got.Ready && !strings.Contains(got.NotReady, why) {
			t.Errorf("%s: %q", name, got.NotReady)
		}
	}
}
