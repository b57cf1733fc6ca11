package app

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// updates judges ra2.app.013 by what the controllers are set to, and by an update
// where one was tried.
func updates(s subject) []conform.Finding {
	const want = "pods are replaced a few at a time, by a controller"
	all := s.rolling(want, func(n *notes) {})
	return append(all, s.outcomes(Update)...)
}

// downgrades judges ra2.app.014: the same, and that there is a revision to go back
// to.
func downgrades(s subject) []conform.Finding {
	const want = "the revision before can be rolled out again"
	all := s.rolling(want, func(n *notes) {
		var kept *int32
		switch c := n.object.Typed.(type) {
		case *appsv1.Deployment:
			kept = c.Spec.RevisionHistoryLimit
		case *appsv1.StatefulSet:
			kept = c.Spec.RevisionHistoryLimit
		case *appsv1.DaemonSet:
			kept = c.Spec.RevisionHistoryLimit
		}
		if kept != nil && *kept == 0 {
			n.fails(".spec.revisionHistoryLimit", 0)
		}
	})
	return append(all, s.outcomes(Downgrade)...)
}

// rolling judges the update strategy of each controller, and pods without one.
func (s subject) rolling(want string, more func(*notes)) []conform.Finding {
	var all []conform.Finding
	for _, o := range s.Objects {
		n := &notes{object: o, at: s.Time}
		switch c := o.Typed.(type) {
		case *appsv1.Deployment:
			n.deployment(c)
		case *appsv1.StatefulSet:
			n.strategy(".spec.updateStrategy.type", string(c.Spec.UpdateStrategy.Type))
		case *appsv1.DaemonSet:
			n.strategy(".spec.updateStrategy.type", string(c.Spec.UpdateStrategy.Type))
		case *corev1.Pod:
			if len(c.OwnerReferences) == 0 {
				n.fails(".metadata.ownerReferences", "no controller has this pod")
			}
		}
		if n.empty() {
			continue
		}
		more(n)
		all = append(all, n.finding(want, "use a Deployment with the strategy RollingUpdate, maxSurge above 0 or two replicas, and a readiness probe"))
	}
	return orNone(all, "there are only pods that are made to end")
}

// strategy notes an update strategy; the API's default is to roll.
func (n *notes) strategy(at, kind string) {
	if kind != "" && kind != "RollingUpdate" {
		n.fails(at, kind)
		return
	}
	n.passes(at, "RollingUpdate")
}

// deployment notes whether a Deployment stays up while it is updated: with a
// pod more, or one of several.
func (n *notes) deployment(d *appsv1.Deployment) {
	n.strategy(".spec.strategy.type", string(d.Spec.Strategy.Type))
	if r := d.Spec.Strategy.RollingUpdate; r != nil && r.MaxSurge != nil && zero(*r.MaxSurge) && orOne(d.Spec.Replicas) < 2 {
		n.fails(".spec.strategy.rollingUpdate.maxSurge", r.MaxSurge.String()+", of one replica: there is none while it is replaced")
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.ReadinessProbe != nil {
			return
		}
	}
	n.fails(".spec.template.spec.containers[0].readinessProbe", unset+": a new pod counts as good when it starts")
}

func zero(n intstr.IntOrString) bool {
	return n.Type == intstr.Int && n.IntVal == 0 || n.Type == intstr.String && strings.Trim(n.StrVal, "0%") == ""
}

// scaling judges ra2.app.038.
func scaling(s subject) []conform.Finding {
	const want = "capacity is the number of pods, and an HPA can change it"
	if done := s.outcomes(Scale); len(done) > 0 {
		return done
	}
	targets := map[string]pod{}
	for _, o := range s.Objects {
		if p, ok := template(o); ok && !p.ends && p.replicas >= 0 {
			targets[o.Kind+"/"+o.Name] = p
		}
	}
	var all []conform.Finding
	for o, hpa := range objects[*autoscalingv2.HorizontalPodAutoscaler](s.Workload) {
		n := &notes{object: o, at: s.Time}
		n.scales(hpa, targets)
		all = append(all, n.finding(want, "let the HPA name a Deployment or StatefulSet of this workload, whose containers request what it measures"))
	}
	for _, o := range s.Objects {
		if o.Kind == "VerticalPodAutoscaler" && o.Tree.Text("spec", "updatePolicy", "updateMode") != "Off" {
			n := &notes{object: o, at: s.Time}
			n.fails(".spec.updatePolicy.updateMode", conform.Text(o.Tree.Text("spec", "updatePolicy", "updateMode")))
			all = append(all, n.finding(want, "scale by the number of pods"))
		}
	}
	switch {
	case len(all) > 0:
		return all
	case len(targets) == 0:
		return []conform.Finding{notApplicable("nothing here has a number of replicas")}
	}
	return []conform.Finding{unknown(want, "whether it scales: there is no HPA; --disturb scale adds a pod and takes it away again")}
}

// scales notes whether an HPA can do its work.
func (n *notes) scales(hpa *autoscalingv2.HorizontalPodAutoscaler, targets map[string]pod) {
	ref := hpa.Spec.ScaleTargetRef
	p, ok := targets[ref.Kind+"/"+ref.Name]
	if !ok {
		n.doubts(".spec.scaleTargetRef", ref.Kind+"/"+ref.Name, "the "+ref.Kind+" "+ref.Name+", which isn't among what was given")
		return
	}
	n.passes(".spec.scaleTargetRef", ref.Kind+"/"+ref.Name)
	for i, m := range hpa.Spec.Metrics {
		if m.Resource == nil || m.Resource.Target.Type != autoscalingv2.UtilizationMetricType {
			continue
		}
		for _, c := range p.spec.Containers { // utilization is of the request
			if !has(c.Resources.Requests, m.Resource.Name) && !has(c.Resources.Limits, m.Resource.Name) {
				n.fails(fmt.Sprintf(".spec.metrics[%d].resource.name", i), fmt.Sprintf("%s, of which container %s requests none", m.Resource.Name, c.Name))
			}
		}
	}
}

// scaledTo returns the least number of pods that HPAs keep, by what they scale.
func (s subject) scaledTo() map[string]int32 {
	out := map[string]int32{}
	for _, hpa := range objects[*autoscalingv2.HorizontalPodAutoscaler](s.Workload) {
		out[hpa.Spec.ScaleTargetRef.Kind+"/"+hpa.Spec.ScaleTargetRef.Name] = orOne(hpa.Spec.MinReplicas)
	}
	return out
}
