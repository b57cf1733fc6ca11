package workload

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// clock is a watcher whose time is the test's.
func clock(before int) (*watcher, func(time.Duration)) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	w := &watcher{unitOf: controllerOf, now: func() time.Time { return now }, pods: map[types.UID]seen{}, left: map[types.UID]bool{}, units: map[string]*tally{}, changed: make(chan struct{})}
	for i := range before {
		w.note(podOf(i, true, 0), false)
	}
	for _, t := range w.units {
		t.Before, t.Least = t.ready, t.ready
	}
	return w, func(d time.Duration) { now = now.Add(d) }
}

// podOf returns a pod of the deployment web.
func podOf(n int, ready bool, restarts int32) *corev1.Pod {
	is, yes := map[bool]corev1.ConditionStatus{true: corev1.ConditionTrue, false: corev1.ConditionFalse}[ready], true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprint("web-1-", n), Namespace: "shop", UID: types.UID(fmt.Sprint(n)), Labels: map[string]string{"pod-template-hash": "1"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-1", Controller: &yes}},
		},
		Status: corev1.PodStatus{
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: is, Reason: "ContainersNotReady"}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "web", RestartCount: restarts}},
		},
	}
}

func TestWatcher(t *testing.T) {
	leaving := func(n int) *corev1.Pod {
		p := podOf(n, true, 0)
		p.DeletionTimestamp = &metav1.Time{}
		return p
	}
	for name, each := range map[string]struct {
		pods  int
		story func(w *watcher, pass func(time.Duration))
		want  app.Unit
	}{
		"nothing": {2, func(*watcher, func(time.Duration)) {}, app.Unit{Before: 2, Least: 2, Back: true}},
		"one of two is replaced": {2, func(w *watcher, pass func(time.Duration)) {
			w.note(leaving(0), false)
			pass(time.Second)
			w.note(podOf(2, false, 0), false)
			w.note(podOf(0, true, 0), true)
			pass(3 * time.Second)
			w.note(podOf(2, true, 0), false)
		}, app.Unit{Before: 2, Least: 1, Back: true, Reason: "web-1-0 was taken away"}},
		"the only one is unready twice, and restarted": {1, func(w *watcher, pass func(time.Duration)) {
			w.note(podOf(0, false, 0), false)
			pass(4 * time.Second)
			w.note(podOf(0, true, 1), false)
			pass(time.Minute)
			w.note(podOf(0, false, 3), false)
			pass(2 * time.Second)
			w.note(podOf(0, true, 3), false)
		}, app.Unit{Before: 1, Least: 0, Down: 6 * time.Second, Restarts: 3, Back: true, Reason: "ContainersNotReady"}},
		"it doesn't come back": {1, func(w *watcher, pass func(time.Duration)) {
			w.note(podOf(0, true, 0), true)
			pass(9 * time.Second)
		}, app.Unit{Before: 1, Least: 0, Down: 9 * time.Second, Reason: "web-1-0 is gone"}},
	} {
		w, pass := clock(each.pods)
		each.story(w, pass)
		got, err := w.result(0)
		each.want.Name = "deployment/shop/web"
		if err != nil || len(got) != 1 || got[0] != each.want {
			t.Errorf("%s: %+v, %v\nwant %+v", name, got, err, each.want)
		}
		if whole, _, _ := w.whole(); whole != each.want.Back {
			t.Errorf("%s: whole is %v", name, whole)
		}
	}
}

// TestWatcherCounts compares with a count made anew after each event.
func TestWatcherCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, pass := clock(3)
		ready := map[int]bool{0: true, 1: true, 2: true}
		least, down := 3, time.Duration(0)
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			n, is, gone := rapid.IntRange(0, 5).Draw(t, "pod"), rapid.Bool().Draw(t, "ready"), rapid.Bool().Draw(t, "gone")
			w.note(podOf(n, is, 0), gone)
			if ready[n] = is && !gone; !ready[n] {
				delete(ready, n)
			}
			least = min(least, len(ready))
			pass(time.Second)
			if len(ready) == 0 {
				down += time.Second
			}
		}
		units, _ := w.result(0)
		if u := units[0]; u.Least != least || u.Down != down || u.Back != (len(ready) >= 3) {
			t.Fatalf("%+v, want least %d, down %v, %d ready", u, least, down, len(ready))
		}
	})
}

// TestChecker makes checks by command and by address.
func TestChecker(t *testing.T) {
	for text, want := range map[string]app.Check{
		"echo 2 orders":                 {OK: true, Said: "2 orders"},
		"echo none; exit 3":             {Said: "exit status 3: none"},
		"echo password=hunter2; exit 1": {Said: "exit status 1: password=[redacted]"},
		"http://127.0.0.1:1/":           {Said: `Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused`},
	} {
		got := NewChecker(text).check(t.Context(), app.During, 5*time.Second)
		if got.OK != want.OK || got.Said != want.Said || got.When != app.During {
			t.Errorf("%s: %+v", text, got)
		}
	}
	if got := NewChecker("sleep 60").check(t.Context(), app.After, 50*time.Millisecond); got.OK || got.Took > 5*time.Second {
		t.Errorf("a check that takes too long: %+v", got)
	}
}
