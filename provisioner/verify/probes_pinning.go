package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/cpuset"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// pinnedNodes is on how many nodes a pod is pinned at most.
const pinnedNodes = 5

// pinning runs a Guaranteed pod that wants whole processors on nodes whose kubelets
// say that they pin, and beside it one that wants none: the first has as many as it
// wants, and the other none of these.
func (x *scene) pinning(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbePinning)
	on := slices.DeleteFunc(slices.Clone(x.where), func(n string) bool { return x.t.Kubelets[n].CPUManagerPolicy != "static" })
	if len(on) == 0 {
		x.skip(conform.ProbePinning, "no kubelet of a node that takes workloads has the CPU manager policy static")
		return
	}
	on = on[:min(len(on), pinnedNodes)]
	p := conform.Probe{Name: conform.ProbePinning, Outcome: conform.Pass, Numbers: map[string]float64{}, Repeat: "by hand: in a pod with requests and limits of whole CPUs and one without: grep Cpus_allowed_list /proc/self/status",
		Did: "on " + strings.Join(on, ", ") + " ran a Guaranteed pod that wants whole processors, and one beside it that wants none, and compared what the kernel lets them run on"}
	var errs error
	for _, node := range on {
		got, err := x.pinned(ctx, node)
		errs = errors.Join(errs, err)
		if err == nil {
			p.Said = append(p.Said, got.String())
			p.Numbers["numaNodes"] = max(p.Numbers["numaNodes"], float64(len(got.numa)))
		}
		if err == nil && !got.good() {
			p.Outcome = conform.Fail
		}
	}
	if p.Outcome == conform.Fail {
		errs = nil // one node that doesn't pin decides it
	}
	x.tell(p, errs)
}

// pins is what two pods on a node may run on.
type pins struct {
	node          string
	want          int
	alone, beside cpuset.CPUSet
	numa          []int // of alone
}

// good reports whether one pod has what it wants, and has it alone.
func (p pins) good() bool {
	return p.alone.Size() == p.want && p.alone.Intersection(p.beside).IsEmpty()
}

// String says in short what the two run on.
func (p pins) String() string {
	return fmt.Sprintf("on %s a pod that wants %d whole processors runs on %s (NUMA nodes %v), one beside it on %s", p.node, p.want, p.alone, p.numa, p.beside)
}

// processors is one line of ra2-probe processors (images/guest/probe).
type processors struct {
	CPUs string `json:"cpus"`
	NUMA []int  `json:"numa"`
}

// pinned pins a pod on a node.
func (x *scene) pinned(ctx context.Context, node string) (pins, error) {
	got := pins{node: node, want: min(2, x.free(node))}
	if got.want < 1 {
		return got, fmt.Errorf("on %s no whole processor is left that a pod could ask for", node)
	}
	alone, beside := x.pod("pinned", "processors"), x.pod("shared", "processors")
	amounts := corev1.ResourceList{corev1.ResourceCPU: *quantity.NewQuantity(int64(got.want), quantity.DecimalSI), corev1.ResourceMemory: quantity.MustParse("32Mi")}
	alone.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: amounts, Limits: amounts}
	for _, pod := range []*corev1.Pod{alone, beside} {
		pod.Spec.NodeName = node
		running, err := x.run(ctx, pod)
		if err != nil {
			return got, err
		}
		*pod = *running
	}
	err := errand.Log(ctx, x.kube, alone, func(data []byte) (err error) {
		got.alone, got.numa, err = lastProcessors(data)
		return err
	})
	if err != nil {
		return got, err
	}
	// The kubelet takes them away from the others within ten seconds
	// (cpuManagerReconcilePeriod).
	soon, cancel := context.WithTimeout(ctx, x.enforce)
	defer cancel()
	seen := false
	err = errand.Log(soon, x.kube, beside, func(data []byte) (err error) {
		got.beside, _, err = lastProcessors(data)
		if seen = err == nil; seen && !got.good() {
			return errors.New("it still shares them")
		}
		return err
	})
	if seen {
		return got, nil
	}
	return got, err
}

// lastProcessors reads the last line that is whole.
func lastProcessors(data []byte) (cpuset.CPUSet, []int, error) {
	text, _ := strings.CutSuffix(string(data), "\n")
	lines := strings.Split(text, "\n")
	var p processors
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &p); err != nil {
		return cpuset.New(), nil, fmt.Errorf("it says %.200q, which isn't ra2-probe's: %w", data, err)
	}
	set, err := cpuset.Parse(p.CPUs)
	if err == nil && set.IsEmpty() {
		err = errors.New("it told of no processors")
	}
	return set, p.NUMA, err
}

// run makes a pod that runs on, and waits until it does.
func (x *scene) run(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	made, err := errand.Create(ctx, x.kube, pod)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", pod.GenerateName, err)
	}
	soon, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("a pod may take %v to start", readyTime))
	defer cancel()
	got, err := errand.Until(soon, x.kube, made, "runs", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning || errand.Ended(p) })
	if err == nil && errand.Ended(got) {
		err = fmt.Errorf("pod %s ended instead of running: %s %s", got.Name, got.Status.Reason, got.Status.Message)
	}
	return got, err
}

// free is how many whole processors of a node no pod has asked for.
func (x *scene) free(node string) int {
	i := slices.IndexFunc(x.t.Nodes, func(n corev1.Node) bool { return n.Name == node })
	left := x.t.Nodes[i].Status.Allocatable.Cpu().DeepCopy()
	for _, p := range x.t.Pods {
		if p.Spec.NodeName != node || errand.Ended(&p) {
			continue
		}
		for _, c := range p.Spec.Containers {
			left.Sub(*c.Resources.Requests.Cpu())
		}
	}
	return int(left.MilliValue() / 1000)
}

// hugePages runs a pod for each size of huge pages that nodes offer, which uses one.
func (x *scene) hugePages(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeHugePages)
	on := map[corev1.ResourceName]string{}
	for _, n := range x.t.Nodes {
		for name, has := range n.Status.Allocatable {
			if strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) && has.Value() > 0 && slices.Contains(x.where, n.Name) && (on[name] == "" || n.Name < on[name]) {
				on[name] = n.Name
			}
		}
	}
	if len(on) == 0 {
		x.skip(conform.ProbeHugePages, "no node that takes workloads offers huge pages")
		return
	}
	p := conform.Probe{Name: conform.ProbeHugePages, Outcome: conform.Pass, Did: "ran a pod for each size of huge pages that is offered, which maps one page and writes to it",
		Repeat: "by hand: a pod with limits hugepages-1Gi: 1Gi and an emptyDir of medium HugePages-1Gi has to run"}
	var errs error
	for _, name := range slices.Sorted(maps.Keys(on)) {
		said, good, err := x.mapped(ctx, name, on[name])
		errs, p.Said = errors.Join(errs, err), append(p.Said, said...)
		if err == nil && !good {
			p.Outcome = conform.Fail
		}
	}
	if p.Outcome == conform.Fail {
		errs = nil
	}
	x.tell(p, errs)
}

// mapped uses one page of a size: its name ends with it.
func (x *scene) mapped(ctx context.Context, name corev1.ResourceName, node string) (said []string, good bool, err error) {
	text := strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix)
	size, err := quantity.ParseQuantity(text)
	if err != nil {
		return nil, false, fmt.Errorf("the size of %s: %w", name, err)
	}
	pod := x.pod("pages", "map", "/pages/one", fmt.Sprint(size.Value()))
	pod.Spec.NodeName = node
	amounts := corev1.ResourceList{name: size, corev1.ResourceCPU: quantity.MustParse("10m"), corev1.ResourceMemory: quantity.MustParse("32Mi")}
	pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: amounts, Limits: amounts}
	mount(pod, "/pages", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMedium(string(corev1.StorageMediumHugePagesPrefix) + text)}})
	files, err := x.files(ctx, pod, 1)
	if err != nil {
		return nil, false, fmt.Errorf("on %s, %s: %w", node, name, err)
	}
	return []string{fmt.Sprintf("on %s, %s: %s", node, name, files[0])}, files[0].OK, nil
}
