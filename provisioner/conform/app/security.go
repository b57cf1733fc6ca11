package app

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

const unset = "(not set)"

// hostNetwork judges ra2.app.030.
func hostNetwork(s subject) []conform.Finding {
	return s.eachPod("no pod in the node's network", "take hostNetwork out of the pod's specification", func(p pod, n *notes) {
		n.flag(".spec.hostNetwork", p.spec.HostNetwork)
	})
}

// hostProcesses judges ra2.app.031.
func hostProcesses(s subject) []conform.Finding {
	return s.eachPod("no pod among the node's processes, or in its IPC", "take hostPID and hostIPC out of the pod's specification", func(p pod, n *notes) {
		n.flag(".spec.hostPID", p.spec.HostPID)
		n.flag(".spec.hostIPC", p.spec.HostIPC)
	})
}

// flag notes a field that has to be false or not there.
func (n *notes) flag(path string, set bool) {
	if set {
		n.fails(path, "true")
		return
	}
	n.passes(path, "false or not set")
}

// hostPorts judges ra2.app.047.
func hostPorts(s subject) []conform.Finding {
	return s.eachContainer("no port of the node taken", "reach the pods by a Service", func(p pod, c container, n *notes) {
		for i, port := range c.Ports {
			// In the node's network the API server sets each hostPort by itself.
			if port.HostPort != 0 {
				n.fails(fmt.Sprintf("%s.ports[%d].hostPort", c.path, i), port.HostPort)
			}
		}
		n.passes(c.path+".ports", "no hostPort")
	})
}

// privileged judges ra2.app.041.
func privileged(s subject) []conform.Finding {
	return s.eachContainer("no container in privileged mode", "ask for the single capabilities, or the device, that are needed", func(p pod, c container, n *notes) {
		n.flag(c.path+".securityContext.privileged", is(c.context().Privileged))
	})
}

// escalation judges ra2.app.043. What isn't set is allowed.
func escalation(s subject) []conform.Finding {
	return s.eachContainer("allowPrivilegeEscalation is false in every container", "set securityContext.allowPrivilegeEscalation: false", func(p pod, c container, n *notes) {
		n.mustBe(c.path+".securityContext.allowPrivilegeEscalation", c.context().AllowPrivilegeEscalation, false)
	})
}

// readOnlyRoot judges ra2.app.033.
func readOnlyRoot(s subject) []conform.Finding {
	return s.eachContainer("readOnlyRootFilesystem is true in every container", "set securityContext.readOnlyRootFilesystem: true, and mount an emptyDir where it writes", func(p pod, c container, n *notes) {
		n.mustBe(c.path+".securityContext.readOnlyRootFilesystem", c.context().ReadOnlyRootFilesystem, true)
	})
}

// mustBe notes a field that has to be set, to this value.
func (n *notes) mustBe(path string, got *bool, want bool) {
	switch {
	case got == nil:
		n.fails(path, unset)
	case *got != want:
		n.fails(path, *got)
	default:
		n.passes(path, *got)
	}
}

func is(b *bool) bool { return b != nil && *b }

// context returns the container's security context, an empty one for none.
func (c container) context() corev1.SecurityContext {
	if c.SecurityContext == nil {
		return corev1.SecurityContext{}
	}
	return *c.SecurityContext
}

// context returns the pod's security context, an empty one for none.
func (p pod) context() corev1.PodSecurityContext {
	if p.spec.SecurityContext == nil {
		return corev1.PodSecurityContext{}
	}
	return *p.spec.SecurityContext
}

// user is what is set of a container's user, the container's word before the
// pod's.
type user struct {
	uid, gid     *int64
	nonRoot      *bool
	uidAt, gidAt string // path of the field that decides, or would
	nonRootAt    string
}

func (p pod) user(c container) user {
	pc, cc := p.context(), c.context()
	in, on := c.path+".securityContext", ".spec.securityContext"
	u := user{pc.RunAsUser, pc.RunAsGroup, pc.RunAsNonRoot, on + ".runAsUser", on + ".runAsGroup", on + ".runAsNonRoot"}
	if cc.RunAsUser != nil {
		u.uid, u.uidAt = cc.RunAsUser, in+".runAsUser"
	}
	if cc.RunAsGroup != nil {
		u.gid, u.gidAt = cc.RunAsGroup, in+".runAsGroup"
	}
	if cc.RunAsNonRoot != nil {
		u.nonRoot, u.nonRootAt = cc.RunAsNonRoot, in+".runAsNonRoot"
	}
	return u
}

// rootUser judges ra2.app.042. Where nothing is set the image decides, which
// only the running container shows.
func rootUser(s subject) []conform.Finding {
	return s.eachContainer("no container runs as root", "set runAsNonRoot: true, and runAsUser to a user above 999", func(p pod, c container, n *notes) {
		u := p.user(c)
		runs, path, known := p.runsAs(c)
		switch {
		case u.uid != nil && *u.uid == 0:
			n.fails(u.uidAt, 0)
		case known && runs == 0:
			n.fails(path, "0: what really runs")
		case u.uid != nil:
			n.passes(u.uidAt, *u.uid)
		case is(u.nonRoot):
			n.passes(u.nonRootAt, "true: the kubelet starts no root")
		case known:
			n.passes(path, fmt.Sprint(runs, ": what really runs"))
		default:
			n.doubts(u.uidAt, unset, "the user that the image of "+c.Name+" names, which nothing overrides; status.containerStatuses[].user of a running pod tells")
		}
	})
}

// runsAs returns the user that the runtime started a container as (KEP-3619,
// Kubernetes 1.31 and later), and where that stands.
func (p pod) runsAs(c container) (uid int64, path string, known bool) {
	if p.status == nil {
		return 0, "", false
	}
	for field, list := range map[string][]corev1.ContainerStatus{
		".status.initContainerStatuses": p.status.InitContainerStatuses, ".status.containerStatuses": p.status.ContainerStatuses,
		".status.ephemeralContainerStatuses": p.status.EphemeralContainerStatuses,
	} {
		i := slices.IndexFunc(list, func(cs corev1.ContainerStatus) bool { return cs.Name == c.Name })
		if i >= 0 && list[i].User != nil && list[i].User.Linux != nil {
			return list[i].User.Linux.UID, fmt.Sprintf("%s[%d].user.linux.uid", field, i), true
		}
	}
	return 0, "", false
}

// userNumbers judges ra2.app.044: both numbers have to be written down.
func userNumbers(s subject) []conform.Finding {
	uid, gid := int64(s.number("run_as_user_min")), int64(s.number("run_as_group_min"))
	want := fmt.Sprintf("runAsUser and runAsGroup are set, to %d and %d or more", uid, gid)
	return s.eachContainer(want, "set both in the pod's securityContext", func(p pod, c container, n *notes) {
		u := p.user(c)
		n.atLeast(u.uidAt, u.uid, uid)
		n.atLeast(u.gidAt, u.gid, gid)
	})
}

func (n *notes) atLeast(path string, got *int64, least int64) {
	switch {
	case got == nil:
		n.fails(path, unset)
	case *got < least:
		n.fails(path, *got)
	default:
		n.passes(path, *got)
	}
}

// tokens judges ra2.app.029. The row is about accounts that nobody specified;
// its means is a flag of the pod, not of the account.
func tokens(s subject) []conform.Finding {
	return s.eachPod("automountServiceAccountToken is false in each pod that names no account of its own", "set automountServiceAccountToken: false in the pod's specification", func(p pod, n *notes) {
		if name := p.spec.ServiceAccountName; name != "" && name != "default" {
			n.passes(".spec.serviceAccountName", name)
			return
		}
		n.mustBe(".spec.automountServiceAccountToken", p.spec.AutomountServiceAccountToken, false)
	})
}

// seLinux judges ra2.app.048: its condition is that SELinux options are used.
func seLinux(s subject) []conform.Finding {
	allowed := s.words("allowed_types")[1:] // the first is "(unset)"
	judge := func(n *notes, path string, o *corev1.SELinuxOptions) {
		switch {
		case o == nil:
		case o.Type == "" || slices.Contains(allowed, o.Type):
			n.passes(path+".type", conform.Text(o.Type))
		default:
			n.fails(path+".type", o.Type)
		}
	}
	found := s.eachPod(fmt.Sprintf("the SELinux type is not set, or one of %v", allowed), "take the type out, or use an allowed one", func(p pod, n *notes) {
		judge(n, ".spec.securityContext.seLinuxOptions", p.context().SELinuxOptions)
		for c := range p.containers() {
			judge(n, c.path+".securityContext.seLinuxOptions", c.context().SELinuxOptions)
		}
	})
	return orNone(found, "no pod sets SELinux options")
}
