package verify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// ingress makes an Ingress of the default class, else the first, and asks for its
// host where its controller says that it is, else on the nodes; another host there
// must not lead to our servers, or it isn't the Ingress that does.
func (x *scene) ingress(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeIngress)
	if len(x.t.IngressClasses) == 0 {
		x.skip(conform.ProbeIngress, "there is no IngressClass")
		return
	}
	class, host := x.ingressClass(), "served."+x.home+".example"
	p := conform.Probe{Name: conform.ProbeIngress, Did: "made an Ingress of the class " + class + ", and asked for its host from a pod", Repeat: "by hand: kubectl create ingress NAME --rule=HOST/*=SERVICE:PORT, then: curl -H 'Host: HOST' http://ADDRESS/"}
	err := x.makeIngress(ctx, class, host)
	if err == nil {
		p.Said, p.Outcome, err = x.throughIngress(ctx, host)
	}
	x.tell(p, err)
}

func (x *scene) ingressClass() string {
	classes := slices.Clone(x.t.IngressClasses)
	slices.SortFunc(classes, func(a, b networkingv1.IngressClass) int { return cmp.Compare(a.Name, b.Name) })
	i := slices.IndexFunc(classes, func(c networkingv1.IngressClass) bool {
		return c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true"
	})
	return classes[max(i, 0)].Name
}

func (x *scene) makeIngress(ctx context.Context, class, host string) error {
	ctx, cancel, err := errand.Whole(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	kind := networkingv1.PathTypePrefix
	_, err = x.kube.NetworkingV1().Ingresses(x.home).Create(ctx, &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "served", Labels: map[string]string{ours: ""}},
		Spec: networkingv1.IngressSpec{IngressClassName: &class, Rules: []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: &kind, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: x.web.Name, Port: networkingv1.ServiceBackendPort{Number: probePort}}}}},
		}}}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("make an Ingress of the class %s: %w", class, err)
	}
	return nil
}

// throughIngress asks for the host and for another one.
func (x *scene) throughIngress(ctx context.Context, host string) ([]string, conform.Verdict, error) {
	published, err := x.published(ctx)
	if err != nil {
		return nil, conform.Unknown, err
	}
	said, addresses := []string{"its status names " + strings.Join(published, ", ")}, published
	if len(published) == 0 { // a controller on the nodes' own ports needs to name none
		said, addresses = []string{"its status names no address, so the nodes' are asked"}, x.nodeAddresses()
	}
	var urls []string
	for _, a := range addresses {
		urls = append(urls, addressOf("http", a, 80))
	}
	asked := func(host string, tries string) ([]answer, error) {
		return x.asking(ctx, nil, append([]string{"get", "-timeout", "2s", "-tries", tries, "-host", host}, urls...), len(urls))
	}
	all, err := asked(host, "10")
	if err != nil {
		return said, conform.Unknown, err
	}
	strange, err := asked("stranger."+x.home+".example", "1")
	if err != nil {
		return said, conform.Unknown, err
	}
	ours := func(a answer) bool { return a.OK && x.serves(a.Answer.Host) }
	if i := slices.IndexFunc(strange, ours); i >= 0 {
		return append(said, lines(strange)...), conform.Unknown, fmt.Errorf("%s leads to our servers for whatever host, so that nothing is known of the Ingress", strange[i].URL)
	}
	good := slices.ContainsFunc(all, ours)
	if len(published) > 0 { // each that is published has to answer
		good = !slices.ContainsFunc(all, func(a answer) bool { return !ours(a) })
	}
	return append(said, lines(all)...), verdictOf(good), nil
}

// serves reports whether a pod is one of our servers.
func (x *scene) serves(name string) bool {
	return slices.ContainsFunc(x.servers, func(p *corev1.Pod) bool { return p.Name == name })
}

// published waits until the Ingress has addresses; none after a while is an answer.
func (x *scene) published(ctx context.Context) ([]string, error) {
	soon, cancel := context.WithTimeout(ctx, x.balancer)
	defer cancel()
	var all []string
	_ = until(soon, "the Ingress has an address", func(ctx context.Context) (bool, string) {
		i, err := x.kube.NetworkingV1().Ingresses(x.home).Get(ctx, "served", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		for _, a := range i.Status.LoadBalancer.Ingress {
			all = append(all, a.IP+a.Hostname)
		}
		return len(all) > 0, "none"
	})
	return all, context.Cause(ctx)
}

// nodeAddresses returns the addresses of all nodes that have been heard of.
func (x *scene) nodeAddresses() []string {
	var all []string
	for _, n := range x.t.Nodes {
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP && !silent(n) {
				all = append(all, a.Address)
			}
		}
	}
	return all
}
