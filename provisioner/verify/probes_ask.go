package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/errand"
)

// answer is one line that ra2-probe prints (images/guest/probe).
type answer struct {
	URL    string `json:"url"`
	OK     bool   `json:"ok"`
	Error  string `json:"error"`
	Millis int64  `json:"millis"`
	Answer struct {
		Host string `json:"host"`
		From string `json:"from"`
	} `json:"answer"`
}

// String says in short what came of a question.
func (a answer) String() string {
	if !a.OK {
		return a.URL + ": " + a.Error
	}
	return fmt.Sprintf("%s: %s answered in %d ms, and saw %s", a.URL, a.Answer.Host, a.Millis, a.Answer.From)
}

// ask asks addresses from a pod on the first server's node, which a policy may know
// by its labels.
func (x *scene) ask(ctx context.Context, labels map[string]string, tries int, urls []string) ([]answer, error) {
	return x.asking(ctx, labels, append([]string{"get", "-timeout", "2s", "-tries", fmt.Sprint(tries)}, urls...), len(urls))
}

// asking runs ra2-probe with these words, of which the last are so many URLs.
func (x *scene) asking(ctx context.Context, labels map[string]string, words []string, urls int) ([]answer, error) {
	pod := x.pod("client", words...)
	pod.Spec.NodeName = x.servers[0].Spec.NodeName
	for key, value := range labels {
		pod.Labels[key] = value
	}
	pod, err := errand.Create(ctx, x.kube, pod)
	if err != nil {
		return nil, fmt.Errorf("start a client: %w", err)
	}
	if pod, err = errand.Until(ctx, x.kube, pod, "has asked", errand.Ended); err != nil {
		return nil, err
	}
	var all []answer
	err = errand.Log(ctx, x.kube, pod, func(data []byte) (err error) {
		all, err = answers(data, urls)
		return err
	})
	return all, err
}

// answers reads the lines of ra2-probe, of which there is one for each question.
func answers(data []byte, want int) ([]answer, error) {
	var all []answer
	for line := range strings.Lines(string(data)) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return nil, fmt.Errorf("it says %.200q, which isn't ra2-probe's: %w", line, err)
		}
		all = append(all, a)
	}
	if len(all) != want {
		return nil, fmt.Errorf("it tells of %d of %d questions", len(all), want)
	}
	return all, nil
}

// addressOf returns the URL of a server.
func addressOf(scheme, host string, port int32) string {
	end := ""
	if scheme == "http" {
		end = "/"
	}
	return scheme + "://" + net.JoinHostPort(host, fmt.Sprint(port)) + end
}

// both reports whether addresses of IPv4 and IPv6 are among these.
func both(addresses []string) bool {
	has := func(six bool) bool {
		return slices.ContainsFunc(addresses, func(text string) bool {
			a, err := netip.ParseAddr(text)
			return err == nil && a.Unmap().Is6() == six
		})
	}
	return has(true) && has(false)
}

func podIPs(p *corev1.Pod) []string {
	var all []string
	for _, ip := range p.Status.PodIPs {
		all = append(all, ip.IP)
	}
	return all
}

// verdictOf is Pass where all went well.
func verdictOf(good bool) conform.Verdict {
	if good {
		return conform.Pass
	}
	return conform.Fail
}

// lines says what came of questions; failed ones first, since evidence is cut.
func lines(all []answer) []string {
	var bad, good []string
	for _, a := range all {
		if a.OK {
			good = append(good, a.String())
		} else {
			bad = append(bad, a.String())
		}
	}
	return append(bad, good...)
}

func allOK(all []answer) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(a answer) bool { return !a.OK })
}
