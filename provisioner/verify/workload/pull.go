package workload

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Media types of a chart in a registry (helm.sh/docs/topics/registries, "OCI
// manifest").
const (
	chartConfig  = "application/vnd.cncf.helm.config.v1+json"
	chartContent = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// maxChart bounds a chart's archive: Helm itself takes 100 MiB unpacked.
const maxChart = 100 << 20

// pull gets the archive of a chart from a registry, and the digest of its
// manifest. Who may read is what docker's and helm's own logins say.
func pull(ctx context.Context, address string) (data []byte, digest string, err error) {
	ref, err := name.ParseReference(address, name.StrictValidation)
	if err != nil {
		return nil, "", fmt.Errorf("%w; write the version, like oci://registry.example/charts/web:1.4.2", err)
	}
	image, err := remote.Image(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, "", err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, "", err
	}
	if manifest.Config.MediaType != chartConfig {
		return nil, "", fmt.Errorf("this is no Helm chart: its config is of the type %s, and a chart's is %s", manifest.Config.MediaType, chartConfig)
	}
	sum, err := image.Digest()
	if err != nil {
		return nil, "", err
	}
	for _, l := range manifest.Layers {
		if l.MediaType != chartContent {
			continue
		}
		layer, err := image.LayerByDigest(l.Digest)
		if err != nil {
			return nil, "", err
		}
		text, err := layer.Compressed() // its digest is checked while it is read
		if err != nil {
			return nil, "", err
		}
		defer text.Close()
		data, err := io.ReadAll(io.LimitReader(text, maxChart+1))
		if err == nil && len(data) > maxChart {
			err = fmt.Errorf("the archive is larger than %d MiB", maxChart>>20)
		}
		return data, sum.String(), err
	}
	return nil, "", errors.New("its manifest names no archive of a chart")
}
