package verify

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// dualStack asks from one node a pod on another, and the Service, by each family.
func (x *scene) dualStack(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeDualStack)
	other := x.servers[1]
	p := conform.Probe{Name: conform.ProbeDualStack, Did: fmt.Sprintf("from a pod on %s asked one on %s, and a Service of two, by each family", x.servers[0].Spec.NodeName, other.Spec.NodeName),
		Repeat: "by hand: kubectl get pods -o wide, then from a pod on another node: curl http://[POD-IP]:8080/ of each .status.podIPs, and of each .spec.clusterIPs of a Service with ipFamilyPolicy RequireDualStack"}
	var urls []string
	for _, ip := range append(podIPs(other), x.web.Spec.ClusterIPs...) {
		urls = append(urls, addressOf("http", ip, probePort))
	}
	all, err := x.ask(ctx, nil, 3, urls)
	p.Said = lines(all)
	p.Outcome = verdictOf(allOK(all) && both(podIPs(other)) && both(x.web.Spec.ClusterIPs))
	if err == nil && x.servers[0].Spec.NodeName == other.Spec.NodeName {
		err = fmt.Errorf("only one node takes workloads, so that nothing went from node to node")
	}
	x.tell(p, err)
}

// balance sends flows to each address of the Service: both pods get some of each
// protocol.
func (x *scene) balance(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeBalance)
	p := conform.Probe{Name: conform.ProbeBalance, Did: fmt.Sprintf("sent %d flows of TCP and of UDP to each address of a Service of two pods", flows),
		Repeat: "by hand: from a pod, some 20 times each: curl http://SERVICE/, and the same by UDP; the answers name the pod"}
	var urls []string
	for _, ip := range x.web.Spec.ClusterIPs {
		for _, scheme := range []string{"http", "udp"} {
			for range flows {
				urls = append(urls, addressOf(scheme, ip, probePort))
			}
		}
	}
	all, err := x.ask(ctx, nil, 3, urls)
	hosts := map[string]map[string]int{}
	for _, a := range all {
		if hosts[a.URL] == nil {
			hosts[a.URL] = map[string]int{}
		}
		if a.OK {
			hosts[a.URL][a.Answer.Host]++
		}
	}
	good := allOK(all)
	for _, address := range slices.Sorted(maps.Keys(hosts)) {
		good = good && len(hosts[address]) > 1
		p.Said = append(p.Said, fmt.Sprintf("%s: %v", address, hosts[address]))
	}
	for _, a := range all {
		if !a.OK {
			p.Said = append(p.Said, a.String())
			break
		}
	}
	p.Outcome = verdictOf(good)
	x.tell(p, err)
	x.echoed(all, err)
}

// echoed tells of the packets among these: that each came back.
func (x *scene) echoed(all []answer, err error) {
	packets := slices.DeleteFunc(slices.Clone(all), func(a answer) bool { return !strings.HasPrefix(a.URL, "udp://") })
	back := len(slices.DeleteFunc(slices.Clone(packets), func(a answer) bool { return !a.OK }))
	x.tell(conform.Probe{Name: conform.ProbeUDP, Did: "sent packets by UDP to each address of a Service, and waited for an answer to each", Said: []string{fmt.Sprintf("%d of %d were answered", back, len(packets))},
		Outcome: verdictOf(allOK(packets)), Repeat: "by hand: from a pod, ask the Service's address by UDP"}, err)
}

// nodePort asks each address of each node that is Ready.
func (x *scene) nodePort(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeNodePort)
	p := conform.Probe{Name: conform.ProbeNodePort, Did: "asked a Service of type NodePort on every address of every node, from a pod",
		Repeat: "by hand: kubectl get nodes -o wide, then: curl http://NODE-IP:NODE-PORT/"}
	var urls []string
	for _, a := range x.nodeAddresses() {
		urls = append(urls, addressOf("http", a, x.web.Spec.Ports[0].NodePort))
	}
	all, err := x.ask(ctx, nil, 3, urls)
	p.Said, p.Outcome = lines(all), verdictOf(allOK(all))
	x.tell(p, err)
}

// externalName makes a name that leads to the Service, and asks by it.
func (x *scene) externalName(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeExternalName)
	domain := "cluster.local"
	for _, k := range x.t.Kubelets {
		if k.ClusterDomain != "" {
			domain = k.ClusterDomain
		}
	}
	target := fmt.Sprintf("web.%s.svc.%s", x.home, domain)
	p := conform.Probe{Name: conform.ProbeExternalName, Did: "asked by the name of a Service of type ExternalName that leads to " + target, Repeat: "by hand: from a pod: nslookup EXTERNAL-NAME-SERVICE; it has to tell the canonical name"}
	making, cancel, err := errand.Whole(ctx)
	if err == nil {
		defer cancel()
		_, err = x.kube.CoreV1().Services(x.home).Create(making, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "elsewhere", Labels: map[string]string{ours: ""}},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: target},
		}, metav1.CreateOptions{})
	}
	var all []answer
	if err == nil {
		all, err = x.ask(ctx, nil, 5, []string{addressOf("http", "elsewhere", probePort)})
	}
	p.Said, p.Outcome = lines(all), verdictOf(allOK(all))
	x.tell(p, err)
}

// loadBalancer waits for addresses and asks them from here, which is outside.
func (x *scene) loadBalancer(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeLoadBalancer)
	p := conform.Probe{Name: conform.ProbeLoadBalancer, Did: "made a Service of type LoadBalancer, and asked its addresses from where ra2-deploy runs",
		Repeat: "by hand: kubectl expose deployment NAME --type LoadBalancer --port 8080, then from outside: curl http://ADDRESS:8080/"}
	addresses, err := x.addresses(ctx)
	x.given = addresses
	switch {
	case err != nil:
	case len(addresses) == 0:
		p.Outcome, p.Said = conform.Fail, []string{fmt.Sprintf("it has no address after %v", time.Since(x.opened).Round(time.Second))}
	default:
		p.Outcome = conform.Pass
		for _, a := range addresses {
			if failed := reach(ctx, addressOf("http", a, probePort)); failed != nil {
				// The way from here may be what is missing.
				err = fmt.Errorf("it has the address %s, which doesn't answer from here: %w", a, failed)
				continue
			}
			p.Said = append(p.Said, a+" answers")
		}
		x.reached = err == nil
	}
	x.tell(p, err)
}

// addresses waits until a load balancer has given some.
func (x *scene) addresses(ctx context.Context) ([]string, error) {
	for {
		asking, cancel := context.WithTimeout(ctx, askTime)
		svc, err := x.kube.CoreV1().Services(x.home).Get(asking, x.open.Name, metav1.GetOptions{})
		cancel()
		if err != nil {
			return nil, err
		}
		var all []string
		for _, i := range svc.Status.LoadBalancer.Ingress {
			all = append(all, strings.TrimSpace(i.IP+i.Hostname))
		}
		if len(all) > 0 || time.Since(x.opened) > x.balancer {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(2 * time.Second):
		}
	}
}

// reach asks an address from here, past any proxy.
func reach(ctx context.Context, address string) error { return reachWithin(ctx, address, askTime) }

func reachWithin(ctx context.Context, address string, long time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it says %s", res.Status)
	}
	return nil
}
