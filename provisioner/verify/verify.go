// Package verify takes the snapshot of a cluster that package conform judges.
// It only reads: each resource is listed once, slowly enough that an API
// server under load doesn't feel it, and as far as the user's rights go. It
// works on any cluster, also one that ra2-deploy didn't install.
package verify

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	_ "k8s.io/client-go/plugin/pkg/client/auth/oidc" // a kubeconfig may log in by OpenID Connect
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// PerSecond is how many requests a second are sent at most, unless somebody
// wants another number: reports are made on clusters that carry traffic. Not a
// whole number, so that no second sees five of them.
const PerSecond = 3.8

// askTime bounds one request: a node that is down must not hold up the rest.
const askTime = 15 * time.Second

// patience is how many requests in a row may stay without an answer. After that
// nothing more is asked: a server that has gone costs a minute, not ten.
const patience = 3

// errMute says that the API server has stopped answering.
var errMute = errors.New("not asked: the API server left the last requests without an answer")

// ErrUnreachable says that the API server didn't answer at all, or knows no
// such user: there is nothing to judge.
var ErrUnreachable = errors.New("the API server could not be asked")

// Cluster is a cluster that can be asked.
type Cluster struct {
	host   string
	config *rest.Config
	client rest.Interface
	// Tell hears before each request what is asked, and how many were asked
	// before; it may be nil.
	Tell func(what string, asked int)
	// Routers are asked, while a load balancer's address is there, where they would
	// send packets for it. Without one that stays unknown.
	Routers []Router

	mu    sync.Mutex // of the three below: client-go watches beside who waits
	asked int
	every time.Duration // from one request to the next, at least
	last  time.Time     // when the last one was sent
	mute  int           // requests that nobody answered, since the last answer
}

// Open returns the cluster of a kubeconfig file, of its current context. An
// empty path means what kubectl would use: $KUBECONFIG, else ~/.kube/config. rate
// is in requests a second.
func Open(path string, rate float32) (*Cluster, error) {
	config, err := Config(path)
	if err != nil {
		return nil, err
	}
	return OpenConfig(config, rate)
}

// Config reads a kubeconfig file, as Open does.
func Config(path string) (*rest.Config, error) {
	loading := clientcmd.NewDefaultClientConfigLoadingRules()
	loading.ExplicitPath = path
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(loading, nil).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		err = errors.New("it isn't there, or names no cluster; name a kubeconfig with --cluster")
	}
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig %s: %w", cmp.Or(path, os.Getenv("KUBECONFIG"), "~/.kube/config"), err)
	}
	return config, nil
}

// OpenData returns the cluster of a kubeconfig that was read already.
func OpenData(kubeconfig []byte, rate float32) (*Cluster, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	return OpenConfig(config, rate)
}

// OpenConfig returns the cluster that a configuration of client-go leads to.
func OpenConfig(config *rest.Config, rate float32) (*Cluster, error) {
	c := rest.CopyConfig(config)
	c.RateLimiter = flowcontrol.NewFakeAlwaysRateLimiter() // see pace
	c.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	c.WarningHandler = rest.NoWarnings{}
	c.UserAgent = "ra2-deploy verify"
	client, err := rest.UnversionedRESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig: %w", err)
	}
	if err := ended(c.CertData, time.Now()); err != nil {
		return nil, fmt.Errorf("use the kubeconfig: %w", err)
	}
	return &Cluster{host: c.Host, config: rest.CopyConfig(c), client: client, every: time.Duration(float64(time.Second) / float64(rate))}, nil
}

// ended says when the certificate of a kubeconfig's user has ended: to the server such
// a user is nobody, and it doesn't say why.
func ended(certificate []byte, now time.Time) error {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !now.After(c.NotAfter) {
		return nil
	}
	return fmt.Errorf("its user's certificate (%s) ended on %s; get the kubeconfig anew", c.Subject.CommonName, c.NotAfter.UTC().Format(time.DateOnly))
}

// Asked returns how many requests were sent.
func (c *Cluster) Asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// get sends one request and returns the body of the answer.
func (c *Cluster) get(ctx context.Context, what, path string, set ...func(*rest.Request)) ([]byte, error) {
	if c.mute >= patience {
		return nil, errMute
	}
	if c.Tell != nil {
		c.Tell(what, c.Asked())
	}
	r := c.client.Get().RequestURI(path).SetHeader("Accept", "application/json").MaxRetries(2)
	for _, s := range set {
		s(r)
	}
	if err := c.pace(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	body, err := r.DoRaw(ctx)
	if _, answered := errors.AsType[*apierrors.StatusError](err); err == nil || answered {
		c.mute = 0
	} else {
		c.mute++
	}
	if err != nil {
		if inside, ok := errors.AsType[*url.Error](err); ok {
			err = inside.Err // its words name the same address again
		}
		return nil, fmt.Errorf("GET %s%s: %w", c.host, path, said(err, body))
	}
	return body, nil
}

// pace waits until the next request may be sent. A bucket of tokens would let
// requests that were held up catch up, and five of them fall into one second.
func (c *Cluster) pace(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := time.NewTimer(time.Until(c.last.Add(c.every)))
	defer next.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-next.C:
	}
	c.last = time.Now()
	c.asked++
	return nil
}

// said adds the server's own words to an error: of a raw request client-go
// tells no more than "unknown".
func said(err error, body []byte) error {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok {
		return err
	}
	var told metav1.Status
	if json.Unmarshal(body, &told) == nil && told.Message != "" {
		status.ErrStatus.Message = told.Message
	}
	return status
}

// why returns why a part is missing, in words that say whose turn it is.
func why(err error) string {
	switch {
	case apierrors.IsForbidden(err):
		status, _ := errors.AsType[*apierrors.StatusError](err)
		return "not allowed: " + status.ErrStatus.Message
	case errors.Is(err, errMute):
		return err.Error()
	case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
		return "this API server doesn't serve it"
	}
	return "failed: " + conform.Trim(err.Error())
}

// Snapshot asks the cluster for everything that a row may be judged by, and
// returns what it was told. What was not told is in Missing; the error is
// ErrUnreachable.
func (c *Cluster) Snapshot(ctx context.Context) (conform.Snapshot, error) {
	s := conform.Snapshot{
		Cluster: c.host, Began: time.Now().UTC(),
		Told: map[conform.Part]time.Time{}, Missing: map[conform.Part]string{},
	}
	t := taking{c, &s}
	if err := t.knock(ctx); err != nil {
		return s, err
	}
	for _, r := range resources(&s) {
		t.take(ctx, r)
	}
	t.served(ctx)
	t.config(ctx)
	t.custom(ctx)
	t.kubelets(ctx)
	s.Ended = time.Now().UTC()
	if err := ctx.Err(); err != nil {
		return s, fmt.Errorf("take the snapshot of %s: %w", c.host, context.Cause(ctx))
	}
	return s, nil
}

// knock asks for the version, which every user of a cluster may see.
func (t taking) knock(ctx context.Context) error {
	err := t.one(ctx, "version", "/version", &t.Server)
	t.note(conform.Server, err)
	if err == nil || apierrors.IsForbidden(err) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// header asks for a form of the answer.
func header(accept string) func(*rest.Request) {
	return func(r *rest.Request) { r.SetHeader("Accept", accept) }
}

// accept asks for objects in another form than whole.
func accept(kind string) func(*rest.Request) {
	return header("application/json;as=" + kind + ";g=" + metav1.GroupName + ";v=v1")
}
