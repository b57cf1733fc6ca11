package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// file is one line that ra2-probe prints of a file (images/guest/probe).
type file struct {
	Path  string `json:"path"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"`
	Error string `json:"error"`
}

// String says in short what came of it.
func (f file) String() string {
	if !f.OK {
		return f.Path + ": " + f.Error
	}
	return f.Path + ": done"
}

// files runs a pod that works on files until it has ended.
func (x *scene) files(ctx context.Context, pod *corev1.Pod, want int) ([]file, error) {
	made, err := errand.Create(ctx, x.kube, pod)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", pod.GenerateName, err)
	}
	return x.worked(ctx, made, want)
}

// worked waits until a pod that works on files has ended.
func (x *scene) worked(ctx context.Context, pod *corev1.Pod, want int) ([]file, error) {
	soon, cancel := context.WithTimeoutCause(ctx, x.volume, fmt.Errorf("a pod with volumes may take %v", x.volume))
	defer cancel()
	pod, err := errand.Until(soon, x.kube, pod, "has worked on its files", errand.Ended)
	if err != nil {
		return nil, err
	}
	reading, stop := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("a log may take %v", readyTime))
	defer stop()
	var all []file
	err = errand.Log(reading, x.kube, pod, func(data []byte) (err error) {
		all, err = filesOf(data, want)
		return err
	})
	return all, err
}

// filesOf reads the lines of ra2-probe, of which there is one for each file.
func filesOf(data []byte, want int) ([]file, error) {
	var all []file
	for line := range strings.Lines(string(data)) {
		var f file
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.Path == "" {
			return nil, fmt.Errorf("it says %.200q, which isn't ra2-probe's: %v", line, err)
		}
		all = append(all, f)
	}
	if len(all) != want {
		return nil, fmt.Errorf("it tells of %d of %d files", len(all), want)
	}
	return all, nil
}

// mount gives all containers of a pod a volume.
func mount(pod *corev1.Pod, path string, from corev1.VolumeSource) {
	name := strings.Trim(strings.ReplaceAll(path, "/", "-"), "-")
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: from})
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			list[i].VolumeMounts = append(list[i].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
		}
	}
}

// first lets a pod run ra2-probe with other words first.
func first(pod *corev1.Pod, name string, words ...string) {
	box := *pod.Spec.Containers[0].DeepCopy()
	box.Name, box.Command = name, append([]string{"/ra2-probe"}, words...)
	pod.Spec.InitContainers = append(pod.Spec.InitContainers, box)
}
