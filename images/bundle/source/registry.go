package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// Registry gives container images of registries, as the user may read them by the
// credentials of ~/.docker/config.json. It implements bundle.Source.
type Registry struct {
	Images []string          // references with tag, as manifests name them: registry.k8s.io/pause:3.10.2
	From   map[string]string // registries that are asked in the place of others: registry.k8s.io to mirror.site:5000
}

// platform of all nodes.
func platform() v1.Platform { return v1.Platform{OS: "linux", Architecture: "amd64"} }

// Resolve implements bundle.Source by what the tags name now.
func (r Registry) Resolve(ctx context.Context) ([]bundle.Item, error) {
	var items []bundle.Item
	var wrong []error
	for _, image := range r.Images {
		i, err := r.resolve(ctx, image)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("resolve image %s: %w", image, err))
		}
		items = append(items, i)
	}
	return items, errors.Join(wrong...)
}

func (r Registry) resolve(ctx context.Context, image string) (bundle.Item, error) {
	tag, err := name.NewTag(image, name.StrictValidation)
	if err != nil {
		return bundle.Item{}, err
	}
	asked, err := r.at(tag)
	if err != nil {
		return bundle.Item{}, err
	}
	got, err := remote.Image(asked, options(ctx)...)
	if err != nil {
		return bundle.Item{}, err
	}
	digest, err := got.Digest()
	if err != nil {
		return bundle.Item{}, err
	}
	size, err := got.Size()
	if err != nil {
		return bundle.Item{}, err
	}
	return bundle.Item{
		Kind: bundle.Image, Name: image, Version: tag.TagStr(), Arch: platform().Architecture,
		Source: "oci:" + tag.Context().Name() + "@" + digest.String(), Digest: bundle.Digest(digest.String()), Size: size,
	}, nil
}

func options(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithPlatform(platform()), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
}

// at gives the reference to ask for one that is named.
func (r Registry) at(ref name.Reference) (name.Reference, error) {
	registry, ok := r.From[ref.Context().RegistryStr()]
	if !ok {
		return ref, nil
	}
	sign := ":"
	if _, digest := ref.(name.Digest); digest {
		sign = "@"
	}
	return name.ParseReference(registry + "/" + ref.Context().RepositoryStr() + sign + ref.Identifier())
}

// Has implements bundle.Source.
func (r Registry) Has(i bundle.Item) bool { return i.Kind == bundle.Image && i.Scheme() == "oci" }

// Fetch implements bundle.Source: an image by its digest, whatever its tag names
// by now.
func (r Registry) Fetch(ctx context.Context, i bundle.Item, to *bundle.Writer) error {
	ref, err := name.NewDigest(strings.TrimPrefix(i.Source, "oci:"))
	if err == nil && ref.DigestStr() != string(i.Digest) {
		err = fmt.Errorf("its source has digest %s, and it %s", ref.DigestStr(), i.Digest)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", i, err)
	}
	asked, err := r.at(ref)
	if err != nil {
		return fmt.Errorf("%s: %w", i, err)
	}
	for try := range tries {
		if err = r.once(ctx, i, asked, to); err == nil || !again(err) || ctx.Err() != nil || try == tries-1 {
			break
		}
		if err := (Store{}).wait(ctx, try+1); err != nil {
			return err
		}
	}
	if refused, ok := errors.AsType[*transport.Error](err); ok && refused.StatusCode == http.StatusNotFound {
		return &bundle.Gone{Item: i, Why: fmt.Sprintf("%s answers %v", asked, refused), Next: "make the lock anew (ra2-deploy bundle lock), or name a registry that still has it"}
	}
	return err
}

func (r Registry) once(ctx context.Context, i bundle.Item, asked name.Reference, to *bundle.Writer) error {
	image, err := remote.Image(asked, options(ctx)...)
	if err != nil {
		return fmt.Errorf("%s: %w", i, err)
	}
	_, err = to.AddImage(i, image)
	return err
}

// again tells whether another try may bring the image: when what came broke off.
func again(err error) bool {
	return !errors.As(err, new(*transport.Error)) && !errors.As(err, new(*bundle.Mismatch))
}

// Now implements bundle.Teller.
func (r Registry) Now(ctx context.Context, items []bundle.Item) (map[string]string, error) {
	now := map[string]string{}
	for _, i := range items {
		if got, err := r.resolve(ctx, i.Name); err != nil {
			now[i.Name] = "its tag can't be read: " + err.Error()
		} else {
			now[i.Name] = "its tag names " + string(got.Digest) + " now"
		}
	}
	return now, nil
}
