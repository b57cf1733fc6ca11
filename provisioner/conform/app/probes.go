package app

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// liveness judges ra2.app.026, readiness ra2.app.027.
func liveness(s subject) []conform.Finding {
	return s.probed("livenessProbe", func(c corev1.Container) *corev1.Probe { return c.LivenessProbe })
}

func readiness(s subject) []conform.Finding {
	return s.probed("readinessProbe", func(c corev1.Container) *corev1.Probe { return c.ReadinessProbe })
}

// probed asks a probe of each pod: one of its containers has it. A pod that is
// made to end needs none.
func (s subject) probed(field string, of func(corev1.Container) *corev1.Probe) []conform.Finding {
	found := s.eachPod("each pod has a "+field, "give the main container a "+field, func(p pod, n *notes) {
		if p.ends {
			return
		}
		var without []string
		for c := range p.containers() {
			switch {
			case c.init:
			case of(c.Container) != nil:
				n.passes(c.path+"."+field, probe(of(c.Container)))
			default:
				without = append(without, c.Name)
			}
		}
		if n.empty() {
			n.fails(".spec.containers[0]."+field, unset)
		} else if len(without) > 0 {
			n.also("without one of their own: %v", without)
		}
	})
	return orNone(found, "there are only pods that are made to end")
}

// probe says in short what a probe does.
func probe(p *corev1.Probe) string {
	switch {
	case p.HTTPGet != nil:
		return fmt.Sprintf("httpGet %s:%s", p.HTTPGet.Path, p.HTTPGet.Port.String())
	case p.TCPSocket != nil:
		return "tcpSocket " + p.TCPSocket.Port.String()
	case p.GRPC != nil:
		return fmt.Sprintf("grpc %d", p.GRPC.Port)
	case p.Exec != nil:
		return "exec " + conform.Text(p.Exec.Command)
	}
	return "(does nothing)"
}

// startup judges ra2.app.040 by what is told of each pod: when its kubelet began
// with it, and when it became ready. The Ready condition keeps only its last
// change, so that a long time proves nothing of a pod that was unready later.
func startup(s subject) []conform.Finding {
	most := time.Duration(s.number("startup_seconds_max")) * time.Second
	want := fmt.Sprintf("ready %v after its start", most)
	found := s.eachPod(want, "find what it waits for; let a startup probe ask often", func(p pod, n *notes) {
		if p.ends {
			return
		}
		if p.status == nil {
			n.doubts("", "only written down", "a running pod, of which the time is taken: name the namespace")
			return
		}
		s.started(p, n, most)
	})
	return orNone(found, "there are only pods that are made to end")
}

// started notes how long a pod took. What the pull of images took is not the
// workload's: where the pod's own start is too long ago, its containers' counts.
func (s subject) started(p pod, n *notes, most time.Duration) {
	ready := condition(p.status, corev1.PodReady)
	if ready == nil || ready.Status != corev1.ConditionTrue || p.status.StartTime == nil {
		n.doubts(".status.conditions", "not ready", "the pod is not ready: for how long it will take nobody can say")
		return
	}
	restarts, ran := ranSince(p.status)
	whole, own := ready.LastTransitionTime.Sub(p.status.StartTime.Time), ready.LastTransitionTime.Sub(ran)
	said := fmt.Sprintf("ready %v after its start", whole)
	switch failed, told := s.unready(p); {
	case whole <= most:
		n.passes(".status.conditions", said)
	case restarts == 0 && own >= 0 && own <= most:
		n.passes(".status.conditions", fmt.Sprintf("%s, %v after its containers ran (the rest is the pull of images)", said, own))
	case restarts > 0 || s.Live.NoEvents || told && failed.After(ran.Add(most)) || s.Live.Time.Sub(p.status.StartTime.Time) > time.Hour:
		n.doubts(".status.conditions", said, "when it became ready first: it has run for long, was restarted or was unready since, and the last change is all that is kept; delete a pod (--disturb delete) to measure it")
	default:
		n.fails(".status.conditions", said)
	}
}

// unready returns when the readiness probe of a pod failed last.
func (s subject) unready(p pod) (time.Time, bool) {
	at, ok := s.Live.Unready[string(p.meta.UID)]
	return at, ok
}

func condition(s *corev1.PodStatus, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == kind {
			return &s.Conditions[i]
		}
	}
	return nil
}

// ranSince returns how often containers were restarted, and since when all of
// them run.
func ranSince(s *corev1.PodStatus) (restarts int32, since time.Time) {
	for _, c := range s.ContainerStatuses {
		restarts += c.RestartCount
		if c.State.Running != nil && c.State.Running.StartedAt.After(since) {
			since = c.State.Running.StartedAt.Time
		}
	}
	return restarts, since
}
