package app

import (
	"fmt"
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// hostPaths judges ra2.app.007, of pods and of the volumes that come with them.
func hostPaths(s subject) []conform.Finding {
	const want, do = "no hostPath volume", "use an emptyDir (medium HugePages for huge pages), a claim, or a device plugin"
	all := s.eachPod(want, do, func(p pod, n *notes) {
		for i, v := range p.spec.Volumes {
			if v.HostPath != nil {
				n.fails(fmt.Sprintf(".spec.volumes[%d].hostPath.path", i), v.HostPath.Path)
			}
		}
		n.passes(".spec.volumes", "no hostPath")
	})
	for o, pv := range objects[*corev1.PersistentVolume](s.Workload) {
		if pv.Spec.HostPath != nil {
			n := &notes{object: o, at: s.Time}
			n.fails(".spec.hostPath.path", pv.Spec.HostPath.Path)
			all = append(all, n.finding(want, do))
		}
	}
	return all
}

// daemonSockets are where container runtimes listen.
func daemonSockets() []string {
	return []string{
		"/run/docker.sock", "/run/containerd/containerd.sock", "/run/containerd.sock", "/run/crio/crio.sock", "/run/crio.sock",
		"/run/cri-dockerd.sock", "/run/dockershim.sock", "/run/k3s/containerd/containerd.sock", "/run/podman/podman.sock",
	}
}

// sockets judges ra2.app.028: neither a socket nor a folder that holds one.
func sockets(s subject) []conform.Finding {
	return s.eachPod("no socket of a container runtime mounted", "mount nothing of the node's /run", func(p pod, n *notes) {
		for i, v := range p.spec.Volumes {
			if v.HostPath == nil {
				continue
			}
			if socket := reaches(v.HostPath.Path); socket != "" {
				n.fails(fmt.Sprintf(".spec.volumes[%d].hostPath.path", i), v.HostPath.Path+" (reaches "+socket+")")
			}
		}
		n.passes(".spec.volumes", "no socket of a container runtime, and no folder that holds one")
	})
}

// reaches returns the socket that a path of the node is, or that lies below it;
// /var/run is /run.
func reaches(host string) string {
	host = path.Clean("/" + host)
	if rest, ok := strings.CutPrefix(host, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		host = "/run" + rest
	}
	for _, socket := range daemonSockets() {
		// /var holds the link /var/run, which leads out of what is mounted.
		if host == socket || host == "/" || strings.HasPrefix(socket, host+"/") {
			return socket
		}
	}
	return ""
}

// localProvisioners are those of StorageClasses whose volumes are on one node.
func localProvisioners() []string {
	return []string{
		"kubernetes.io/no-provisioner", "rancher.io/local-path", "openebs.io/local", "local.csi.openebs.io", "topolvm.io",
		"topolvm.cybozu.com", "k8s.io/minikube-hostpath", "hostpath.csi.k8s.io", "docker.io/hostpath", "microk8s.io/hostpath",
		"localplugin.csi.alibabacloud.com", "zfs.csi.openebs.io",
	}
}

// claim is one request for storage, wherever it is written.
type claim struct {
	object Object
	path   string // of its specification
	spec   corev1.PersistentVolumeClaimSpec
}

// claims returns all requests for storage of a workload.
func (s subject) claims() []claim {
	var all []claim
	for o, c := range objects[*corev1.PersistentVolumeClaim](s.Workload) {
		all = append(all, claim{o, ".spec", c.Spec})
	}
	for o, c := range objects[*appsv1.StatefulSet](s.Workload) {
		for i, t := range c.Spec.VolumeClaimTemplates {
			all = append(all, claim{o, fmt.Sprintf(".spec.volumeClaimTemplates[%d].spec", i), t.Spec})
		}
	}
	for _, p := range s.pods {
		for i, v := range p.spec.Volumes {
			if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
				all = append(all, claim{p.object, fmt.Sprintf("%s.spec.volumes[%d].ephemeral.volumeClaimTemplate.spec", p.path, i), v.Ephemeral.VolumeClaimTemplate.Spec})
			}
		}
	}
	return all
}

// localStorage judges ra2.app.025. An emptyDir is no storage in this sense:
// ra2.stg.005 asks for it.
func localStorage(s subject) []conform.Finding {
	const want, do = "no storage that is bound to one node", "use a StorageClass whose volumes follow the pod"
	volumes, classes := map[string]*corev1.PersistentVolume{}, map[string]*storagev1.StorageClass{}
	var all []conform.Finding
	for o, pv := range objects[*corev1.PersistentVolume](s.Workload) {
		volumes[pv.Name] = pv
		if at := local(pv); at != "" {
			n := &notes{object: o, at: s.Time}
			n.fails(at, "a folder or disk of one node")
			all = append(all, n.finding(want, do))
		}
	}
	for _, c := range objects[*storagev1.StorageClass](s.Workload) {
		classes[c.Name] = c
	}
	for _, c := range s.claims() {
		n := &notes{object: c.object, at: s.Time}
		c.judge(n, volumes, classes)
		all = append(all, n.finding(want, do))
	}
	all = append(all, s.eachPod(want, do, func(p pod, n *notes) {
		for i, v := range p.spec.Volumes {
			if v.HostPath != nil {
				n.fails(fmt.Sprintf(".spec.volumes[%d].hostPath.path", i), v.HostPath.Path)
			}
		}
		n.passes(".spec.volumes", "no folder of the node")
	})...)
	return all
}

// judge says where the volume of a claim is: what it is bound to tells, or else
// its class.
func (c claim) judge(n *notes, volumes map[string]*corev1.PersistentVolume, classes map[string]*storagev1.StorageClass) {
	if pv := volumes[c.spec.VolumeName]; pv != nil {
		if at := local(pv); at != "" {
			n.fails(c.path+".volumeName", c.spec.VolumeName+" is local ("+at+")")
			return
		}
		n.passes(c.path+".volumeName", c.spec.VolumeName)
		return
	}
	name := "(the default)"
	if c.spec.StorageClassName != nil {
		name = *c.spec.StorageClassName
	}
	class := classes[name]
	switch {
	case class == nil:
		n.doubts(c.path+".storageClassName", name, "the StorageClass "+name+", which a running namespace tells: its provisioner says whether it is local")
	case slices.Contains(localProvisioners(), class.Provisioner):
		n.fails(c.path+".storageClassName", name+" ("+class.Provisioner+")")
	default:
		n.passes(c.path+".storageClassName", name+" ("+class.Provisioner+")")
	}
}

// local returns the field that makes a volume one of a single node.
func local(pv *corev1.PersistentVolume) string {
	switch {
	case pv.Spec.Local != nil:
		return ".spec.local.path"
	case pv.Spec.HostPath != nil:
		return ".spec.hostPath.path"
	}
	return ""
}

// immutable judges ra2.app.037: of the ConfigMaps that pods use.
func immutable(s subject) []conform.Finding {
	const want, do = "each ConfigMap that a pod uses is immutable", "set immutable: true; a change is a new ConfigMap under a new name"
	there := map[string]bool{}
	used := s.usedConfigMaps()
	var all []conform.Finding
	for o, c := range objects[*corev1.ConfigMap](s.Workload) {
		there[c.Name] = true
		if _, uses := used[c.Name]; !uses {
			continue
		}
		n := &notes{object: o, at: s.Time}
		n.mustBe(".immutable", c.Immutable, true)
		all = append(all, n.finding(want, do))
	}
	found := s.eachPod(want, do, func(p pod, n *notes) {
		for name, at := range p.configMaps() {
			if !there[name] && s.Live == nil {
				n.doubts(at, name, "the ConfigMap "+name+", which isn't among what was given")
			}
		}
	})
	return orNone(append(all, found...), "no pod uses a ConfigMap")
}

// usedConfigMaps returns the names of the ConfigMaps that pods use.
func (s subject) usedConfigMaps() map[string]string {
	used := map[string]string{}
	for _, p := range s.pods {
		for name, at := range p.configMaps() {
			used[name] = at
		}
	}
	return used
}

// configMaps returns what a pod uses, by name, and where it says so. Each
// namespace has kube-root-ca.crt, which Kubernetes itself writes.
func (p pod) configMaps() map[string]string {
	used := map[string]string{}
	for i, v := range p.spec.Volumes {
		at := fmt.Sprintf(".spec.volumes[%d]", i)
		if v.ConfigMap != nil {
			used[v.ConfigMap.Name] = at + ".configMap.name"
		}
		if v.Projected != nil {
			for j, src := range v.Projected.Sources {
				if src.ConfigMap != nil {
					used[src.ConfigMap.Name] = fmt.Sprintf("%s.projected.sources[%d].configMap.name", at, j)
				}
			}
		}
	}
	for c := range p.containers() {
		for i, e := range c.EnvFrom {
			if e.ConfigMapRef != nil {
				used[e.ConfigMapRef.Name] = fmt.Sprintf("%s.envFrom[%d].configMapRef.name", c.path, i)
			}
		}
		for i, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil {
				used[e.ValueFrom.ConfigMapKeyRef.Name] = fmt.Sprintf("%s.env[%d].valueFrom.configMapKeyRef.name", c.path, i)
			}
		}
	}
	delete(used, "kube-root-ca.crt")
	return used
}
