package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// Apply brings the objects (YAML documents, in an order in which they can be
// made) to the cluster by server-side apply and records their digest when all
// of them are there. Fields that others set are left alone unless the objects
// name them.
func (c *Client) Apply(ctx context.Context, objects []byte, digest string) error {
	parsed, err := parse(objects)
	if err != nil {
		return err
	}
	s, err := c.server(ctx)
	if err != nil {
		return err
	}
	groups, err := restmapper.GetAPIGroupResources(s.client.Discovery())
	if err != nil {
		return fmt.Errorf("ask https://%v which kinds it knows: %w", s.at, err)
	}
	client, err := dynamic.NewForConfig(s.config)
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	for _, o := range parsed {
		if err := applyOne(ctx, client, mapper, o); err != nil {
			return fmt.Errorf("apply %s %s at https://%v: %w", o.GetKind(), o.GetName(), s.at, err)
		}
	}
	return s.write(ctx, keyObjects, digest)
}

func applyOne(ctx context.Context, client dynamic.Interface, mapper meta.RESTMapper, o *unstructured.Unstructured) error {
	kind := o.GroupVersionKind()
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = client.Resource(mapping.Resource).Namespace(o.GetNamespace())
	}
	_, err = resource.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: user, Force: true})
	return err
}

// parse splits YAML documents into objects; empty documents are left out.
func parse(objects []byte) ([]*unstructured.Unstructured, error) {
	var parsed []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(objects)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return parsed, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the objects to apply: %w", err)
		}
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(doc, &o.Object); err != nil {
			return nil, fmt.Errorf("read object %d to apply: %w", len(parsed)+1, err)
		}
		if len(o.Object) > 0 {
			parsed = append(parsed, o)
		}
	}
}
