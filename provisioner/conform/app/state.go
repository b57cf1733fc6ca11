package app

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// State says in a few words how the pods of a running workload are: "4 pods of 2
// controllers, 3 ready, 1 restart; not ready: pod/shop/web-1 (ContainersNotReady)".
func (w Workload) State() string {
	pods, ready, restarts := 0, 0, int32(0)
	owners := map[string]bool{}
	var bad []string
	for _, p := range w.pods() {
		if p.status == nil || p.ends {
			continue
		}
		pods++
		if p.owner != "" {
			owners[p.owner] = true
		}
		n, _ := ranSince(p.status)
		restarts += n
		c := condition(p.status, corev1.PodReady)
		if c != nil && c.Status == corev1.ConditionTrue {
			ready++
			continue
		}
		bad = append(bad, p.object.ref()+" ("+notReady(p.status)+")")
	}
	text := fmt.Sprintf("%d pods of %d controllers, %d ready, %d restarts", pods, len(owners), ready, restarts)
	for i, b := range firsts(bad, 3) {
		text += map[bool]string{true: "; not ready: ", false: ", "}[i == 0] + b
	}
	return text
}

// notReady returns Kubernetes' word for why a pod isn't ready: what a container
// waits for says more than the condition.
func notReady(s *corev1.PodStatus) string {
	for _, c := range s.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Reason != "" {
			return w.Reason
		}
	}
	if c := condition(s, corev1.PodReady); c != nil && c.Reason != "" {
		return c.Reason
	}
	return string(s.Phase)
}
