package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// mortal is how long the server lives that dies, and beatTime what one question may
// take.
const (
	mortal   = 20 * time.Second
	beatTime = 2 * time.Second
)

// failover asks the load balancer's addresses from here, ten times a second, while one
// of three pods behind them dies.
func (x *scene) failover(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeFailover)
	switch {
	case len(x.given) == 0:
		x.skip(conform.ProbeFailover, noAddress)
		return
	case !x.reached:
		x.skip(conform.ProbeFailover, "the load balancer's addresses don't answer from here, so that no outage can be measured: run verify where clients are")
		return
	}
	p := conform.Probe{Name: conform.ProbeFailover, Did: fmt.Sprintf("asked a Service of type LoadBalancer every %v from where ra2-deploy runs, while the program of one of its three pods died", streamEvery), Numbers: map[string]float64{},
		Repeat: "by hand: ask the address again and again, and let one of its backends end: kubectl exec POD -- kill 1"}
	long, said, err := x.lost(ctx)
	p.Said, p.Outcome = said, conform.Pass
	if err == nil {
		p.Numbers["podOutageSeconds"] = long.Seconds()
	}
	x.tell(p, err)
}

// lost adds a server that dies, and returns the longest outage of an address.
func (x *scene) lost(ctx context.Context) (time.Duration, []string, error) {
	pod := x.pod("mortal", "serve", "-for", mortal.String())
	pod.Spec.NodeName, pod.Labels["app"], pod.Spec.Containers[0].ReadinessProbe = x.where[len(x.where)-1], "web", readiness()
	made, err := errand.Create(ctx, x.kube, pod)
	if err != nil {
		return 0, nil, fmt.Errorf("start a server that dies: %w", err)
	}
	soon, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("a server may take %v", readyTime))
	defer cancel()
	if made, err = errand.Until(soon, x.kube, made, "answers, to die later", ready); err != nil {
		return 0, nil, err
	}
	watched := x.watch(ctx)
	defer watched.end()
	if err := pause(ctx, x.waits.steady); err != nil {
		return 0, nil, err
	}
	if err := watched.steady(); err != nil {
		return 0, nil, err
	}
	if made, err = errand.Until(soon, x.kube, made, "has died", errand.Ended); err != nil {
		return 0, nil, err
	}
	if err := pause(ctx, x.waits.failover); err != nil {
		return 0, nil, err
	}
	watched.end()
	long, said := watched.told()
	return long, append(said, "a pod on "+made.Spec.NodeName+" died: "+errand.Doing(made)), nil
}

// watch is a stream of questions to each address of the load balancer.
type watch struct {
	addresses []string
	began     time.Time
	beats     map[string]func() []beat
	end       func() // and wait for the last answers
}

func (x *scene) watch(ctx context.Context) watch {
	asking, stop := context.WithCancel(ctx)
	w := watch{addresses: x.given, began: time.Now(), beats: map[string]func() []beat{}}
	var waits []func()
	for _, a := range x.given {
		beats, wait := stream(asking, func(ctx context.Context) error { return reachWithin(ctx, addressOf("http", a, probePort), beatTime) })
		w.beats[a], waits = beats, append(waits, wait)
	}
	w.end = func() {
		stop()
		for _, wait := range waits {
			wait()
		}
	}
	return w
}

// steady returns an error if a question failed by now.
func (w watch) steady() error {
	for a, beats := range w.beats {
		switch long, failed := outage(beats(), w.began); {
		case failed > 0:
			return fmt.Errorf("%s doesn't answer steadily even before anything is lost: %d questions failed within %v", a, failed, long)
		case len(beats()) == 0:
			return fmt.Errorf("%s was not asked", a)
		}
	}
	return nil
}

// told returns the longest outage, and one line for each address.
func (w watch) told() (longest time.Duration, said []string) {
	for _, a := range w.addresses {
		all := w.beats[a]()
		long, failed := outage(all, w.began)
		longest, said = max(longest, long), append(said, fmt.Sprintf("%s: %d of %d questions failed, over %v", a, failed, len(all), long.Round(streamEvery)))
	}
	return longest, said
}

// pause waits, unless the run ends.
func pause(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return errors.Join(errors.New("watch an address"), context.Cause(ctx))
	case <-time.After(long):
		return nil
	}
}
