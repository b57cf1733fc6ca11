package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// CreateBootstrapToken makes a new token by which one node can join until ttl
// is over (Secret of type bootstrap.kubernetes.io/token). The cluster's token
// cleaner removes it then.
func (c *Client) CreateBootstrapToken(ctx context.Context, ttl time.Duration) (secret.Value, error) {
	token, err := kubeadm.NewToken(c.random)
	if err != nil {
		return secret.Value{}, err
	}
	s, err := c.server(ctx)
	if err != nil {
		return secret.Value{}, fmt.Errorf("make a bootstrap token: %w", err)
	}
	text := token.Reveal()
	id, key := text[:6], text[7:]
	object := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-" + id, Namespace: metav1.NamespaceSystem},
		Type:       corev1.SecretTypeBootstrapToken,
		StringData: map[string]string{
			"description":                    "made by ra2-deploy for a node that joins",
			"token-id":                       id,
			"token-secret":                   key,
			"expiration":                     c.now().Add(ttl).UTC().Format(time.RFC3339),
			"usage-bootstrap-authentication": "true",
			"auth-extra-groups":              "system:bootstrappers:kubeadm:default-node-token",
		},
	}
	if _, err := s.client.CoreV1().Secrets(metav1.NamespaceSystem).Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return secret.Value{}, fmt.Errorf("make a bootstrap token at https://%v: %w", s.at, err)
	}
	return token, nil
}
