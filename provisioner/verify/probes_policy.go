package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// networkPolicy takes all ways to one server away, and gives one back: a stranger
// must not reach it, a friend must, and the other server, that no policy is about,
// is reached all the time, else what is refused is no policy's doing.
func (x *scene) networkPolicy(ctx context.Context) {
	x.t.cluster.telling("probe " + conform.ProbeNetworkPolicy)
	p := conform.Probe{Name: conform.ProbeNetworkPolicy, Did: "denied all ways to one of two pods by a NetworkPolicy, then let pods with a label through, and asked both by each family",
		Repeat: "by hand: kubectl apply a NetworkPolicy with policyTypes [Ingress] and no rule, then from another pod: curl -m 2 http://POD-IP:8080/ has to time out"}
	said, outcome, err := x.policed(ctx)
	p.Said, p.Outcome = said, outcome
	x.tell(p, err)
}

func (x *scene) policed(ctx context.Context) (said []string, outcome conform.Verdict, err error) {
	guarded, free := x.urls(0), x.urls(1)
	all, err := x.ask(ctx, nil, 3, append(guarded, free...))
	if err != nil || !allOK(all) {
		return lines(all), conform.Unknown, orElse(err, "pods don't reach each other even without a policy")
	}
	if err := x.police(ctx, "deny", nil); err != nil {
		return nil, conform.Unknown, err
	}
	all, closed, err := x.refused(ctx, nil, guarded, free)
	if err != nil || !closed {
		return append([]string{fmt.Sprintf("after %v %d of %d ways that were denied are open", x.enforce, opened(all, guarded), len(guarded))}, lines(all)...), conform.Fail, err
	}
	said = append([]string{"with all ways denied:"}, lines(all)...)
	if err := x.police(ctx, "allow", []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: friend()}}}}}); err != nil {
		return said, conform.Unknown, err
	}
	let, err := x.ask(ctx, friend(), 10, guarded)
	said = append(append(said, "with an exception, who has it:"), lines(let)...)
	if err != nil || !allOK(let) {
		return said, conform.Fail, err
	}
	all, closed, err = x.refused(ctx, nil, guarded, free)
	return append(append(said, "and who hasn't:"), lines(all)...), verdictOf(closed), err
}

func friend() map[string]string { return map[string]string{"friend": "true"} }

func orElse(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}

// opened counts the addresses that answer, of those that mustn't.
func opened(all []answer, guarded []string) int {
	n := 0
	for _, a := range all {
		if a.OK && slices.Contains(guarded, a.URL) {
			n++
		}
	}
	return n
}

// urls returns the addresses of a server's pod.
func (x *scene) urls(server int) []string {
	var all []string
	for _, ip := range podIPs(x.servers[server]) {
		all = append(all, addressOf("http", ip, probePort))
	}
	return all
}

// police makes a policy about the first server.
func (x *scene) police(ctx context.Context, name string, rules []networkingv1.NetworkPolicyIngressRule) error {
	ctx, cancel, err := errand.Whole(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = x.kube.NetworkingV1().NetworkPolicies(x.home).Create(ctx, &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{ours: ""}},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"server": "0"}}, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: rules,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("make the NetworkPolicy %s: %w", name, err)
	}
	return nil
}

// refused asks until no guarded address answers, twice in a row since one packet
// may be lost, or the time for that is over. One address that answers is a way in;
// the free ones have to answer.
func (x *scene) refused(ctx context.Context, labels map[string]string, guarded, free []string) ([]answer, bool, error) {
	until := time.Now().Add(x.enforce)
	for before := false; ; {
		all, err := x.ask(ctx, labels, 1, append(append([]string{}, guarded...), free...))
		if err != nil {
			return all, false, err
		}
		closed := !slices.ContainsFunc(all[:len(guarded)], func(a answer) bool { return a.OK })
		switch {
		case !allOK(all[len(guarded):]):
			return all, false, errors.New("a pod that no policy is about isn't reached either, so that nothing is known of policies")
		case closed && before, !closed && time.Now().After(until):
			return all, closed, nil
		}
		before = closed
	}
}
