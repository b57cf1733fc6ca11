package cluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
)

// The ConfigMap kube-system/ra2-deploy says what was done to the cluster, so
// that the cluster itself knows it.
const (
	recordName  = "ra2-deploy"
	keyObjects  = "objects"  // digest of the objects that were applied
	keyVerified = "verified" // digest of the nodes between which pods were proven to reach each other
)

// AppliedDigest returns the digest that the last complete Apply recorded, or
// nothing.
func (c *Client) AppliedDigest(ctx context.Context) (string, error) {
	objects, _, err := c.record(ctx)
	return objects, err
}

// Remember records that pods were proven to reach each other between the nodes
// with this digest.
func (c *Client) Remember(ctx context.Context, team string) error {
	s, err := c.server(ctx)
	if err != nil {
		return err
	}
	return s.write(ctx, keyVerified, team)
}

// record returns what was recorded.
func (c *Client) record(ctx context.Context) (objects, verified string, err error) {
	s, err := c.server(ctx)
	if err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	record, err := s.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, recordName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("read ConfigMap %s/%s at https://%v: %w", metav1.NamespaceSystem, recordName, s.at, err)
	}
	return record.Data[keyObjects], record.Data[keyVerified], nil
}

// write records one value. Each key has a field manager of its own: a manager
// that applies without a field gives the field up.
func (s *server) write(ctx context.Context, key, value string) error {
	record := applycorev1.ConfigMap(recordName, metav1.NamespaceSystem).WithData(map[string]string{key: value})
	options := metav1.ApplyOptions{FieldManager: user + "-" + key, Force: true}
	if _, err := s.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Apply(ctx, record, options); err != nil {
		return fmt.Errorf("record %s in ConfigMap %s/%s at https://%v: %w", key, metav1.NamespaceSystem, recordName, s.at, err)
	}
	return nil
}
