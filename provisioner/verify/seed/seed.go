package seed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

const (
	asked    = 15 * time.Second // that one change, and until it shows, may take
	lookTime = 50 * time.Millisecond
)

// Server is an API server that holds a snapshot.
type Server struct {
	client   rest.Interface
	kubelets map[string]netip.AddrPort
	holds    map[string]Object
}

// Open returns the server of a configuration, which holds nothing yet. kubelets
// says by node where its kubelet is asked.
func Open(config *rest.Config, kubelets map[string]netip.AddrPort) (*Server, error) {
	c := rest.CopyConfig(config)
	c.QPS, c.Burst = 1000, 1000
	kube, err := kubernetes.NewForConfig(c)
	if err != nil {
		return nil, err
	}
	return &Server{kube.RESTClient(), kubelets, map[string]Object{}}, nil
}

// Become changes what differs from the snapshot that the server held before, and
// returns when all of it shows. The error is the server's (apierrors.StatusError) when
// it refuses an object that is made anew, too.
func (s *Server) Become(ctx context.Context, to conform.Snapshot) error {
	objects, err := Objects(to)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.Path == "/api/v1/nodes" {
			s.reach(o)
		}
	}
	want := byKey(objects)
	for _, key := range slices.Sorted(maps.Keys(s.holds)) {
		had, held := s.holds[key]                                              // no more, where its definition is gone
		if held && want[key].Body == nil && had.Path != "/api/v1/namespaces" { // an empty one does no harm
			if err := s.remove(ctx, had); err != nil {
				return err
			}
		}
	}
	for _, o := range objects { // in the order in which they need each other
		had, held := s.holds[o.key()]
		if held && reflect.DeepEqual(had, o) {
			continue
		}
		if err := s.put(ctx, had, o, held); err != nil {
			return err
		}
	}
	return nil
}

// reach tells the API server where a node's kubelet is asked: it takes the address
// of type Hostname first.
func (s *Server) reach(o Object) {
	at, ok := s.kubelets[o.Name]
	status, _ := o.Body["status"].(map[string]any)
	if !ok || status == nil {
		return
	}
	addresses, _ := status["addresses"].([]any)
	status["addresses"] = append([]any{map[string]any{"type": "Hostname", "address": at.Addr().String()}}, addresses...)
	status["daemonEndpoints"] = map[string]any{"kubeletEndpoint": map[string]any{"Port": float64(at.Port())}}
}

// put makes an object, or changes it; one whose change is refused, since the field
// never changes, is made anew.
func (s *Server) put(ctx context.Context, had, o Object, held bool) error {
	if held && had.Path == o.Path {
		err := s.change(ctx, had, o)
		if err == nil {
			s.holds[o.key()] = o
			return s.shows(ctx, o)
		}
		if !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
			return err
		}
	}
	if held {
		if err := s.remove(ctx, had); err != nil {
			return err
		}
	}
	if err := s.create(ctx, o); err != nil {
		return err
	}
	s.holds[o.key()] = o
	return s.shows(ctx, o)
}

// create makes an object, and writes its status where that is written apart.
func (s *Server) create(ctx context.Context, o Object) error {
	if err := s.send(ctx, plain(s.client.Post()).AbsPath(o.Path), o.Body); err != nil {
		return fmt.Errorf("POST %s (%s): %w", o.Path, o.Name, err)
	}
	if status, ok := o.Body["status"]; ok && o.Status {
		return s.patch(ctx, o.at()+"/status", map[string]any{"status": status})
	}
	return nil
}

// change sends what differs as a JSON merge patch (RFC 7386), and the status apart.
func (s *Server) change(ctx context.Context, had, o Object) error {
	difference := Patch(had.Body, o.Body)
	if status, ok := difference["status"]; ok && o.Status {
		delete(difference, "status")
		if err := s.patch(ctx, o.at()+"/status", map[string]any{"status": status}); err != nil {
			return err
		}
	}
	if len(difference) == 0 {
		return nil
	}
	return s.patch(ctx, o.at(), difference)
}

// Patch returns the JSON merge patch (RFC 7386) that makes one object another. Lists
// are replaced as wholes.
func Patch(from, to map[string]any) map[string]any {
	out := map[string]any{}
	for name := range from {
		if _, ok := to[name]; !ok {
			out[name] = nil
		}
	}
	for name, value := range to {
		was, now := from[name], value
		a, isA := was.(map[string]any)
		b, isB := now.(map[string]any)
		switch {
		case isA && isB:
			if inner := Patch(a, b); len(inner) > 0 {
				out[name] = inner
			}
		case !reflect.DeepEqual(was, now):
			out[name] = now
		}
	}
	return out
}

func (s *Server) patch(ctx context.Context, path string, body any) error {
	if err := s.send(ctx, s.client.Patch(types.MergePatchType).AbsPath(path), body); err != nil {
		return fmt.Errorf("PATCH %s: %w", path, err)
	}
	return nil
}

func plain(r *rest.Request) *rest.Request { return r.SetHeader("Content-Type", "application/json") }

// send sends a request; the error has the server's own words.
func (s *Server) send(ctx context.Context, r *rest.Request, body any) error {
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = r.Body(data)
	}
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	answer, err := r.DoRaw(ctx)
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok {
		var told metav1.Status
		if json.Unmarshal(answer, &told) == nil && told.Message != "" {
			status.ErrStatus = told
		}
	}
	return err
}

// remove removes an object at once, whatever holds it back: nothing runs here that
// would let it go. With a definition all its objects go.
func (s *Server) remove(ctx context.Context, o Object) error {
	err := s.send(ctx, plain(s.client.Delete()).AbsPath(o.at()), map[string]any{"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("DELETE %s: %w", o.at(), err)
	}
	delete(s.holds, o.key())
	if o.Path == crds {
		for key := range s.holds {
			if strings.HasPrefix(key, o.Name+"/") {
				delete(s.holds, key)
			}
		}
	} else if err := s.patch(ctx, o.at(), map[string]any{"metadata": map[string]any{"finalizers": nil}}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return s.until(ctx, o.at()+" is gone", func(ctx context.Context) (bool, error) {
		err := s.send(ctx, s.client.Get().AbsPath(o.at()), nil)
		if !apierrors.IsNotFound(err) {
			return false, err
		}
		return o.Path != crds || !s.discovered(ctx, o), nil
	})
}

// shows waits until the objects of a new definition can be made, and discovery
// tells of it.
func (s *Server) shows(ctx context.Context, o Object) error {
	if o.Path != crds {
		return nil
	}
	return s.until(ctx, "the resource "+o.Name+" is served", func(ctx context.Context) (bool, error) {
		spec, _ := o.Body["spec"].(map[string]any)
		version, _ := spec["versions"].([]any)[0].(map[string]any)["name"].(string)
		plural, group, _ := strings.Cut(o.Name, ".")
		err := s.send(ctx, s.client.Get().AbsPath("/apis", group, version, plural), nil)
		return err == nil && s.discovered(ctx, o), err
	})
}

// discovered reports whether aggregated discovery tells of a definition.
func (s *Server) discovered(ctx context.Context, o Object) bool {
	body, err := s.client.Get().AbsPath("/apis").SetHeader("Accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").DoRaw(ctx)
	if err != nil {
		return false
	}
	var told struct {
		Items []struct {
			Metadata metav1.ObjectMeta
			Versions []struct {
				Version   string
				Resources []struct{ Resource string }
			}
		}
	}
	plural, group, _ := strings.Cut(o.Name, ".")
	if json.Unmarshal(body, &told) != nil {
		return false
	}
	for _, g := range told.Items {
		for _, v := range g.Versions {
			for _, r := range v.Resources {
				if g.Metadata.Name == group && r.Resource == plural {
					return true
				}
			}
		}
	}
	return false
}

// until asks until look says yes.
func (s *Server) until(ctx context.Context, what string, look func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	for {
		done, err := look(ctx)
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v until %s; last: %w", asked, what, err)
		case <-time.After(lookTime):
		}
	}
}
