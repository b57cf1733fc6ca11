package kubeadm

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"time"

	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// AdminGroup is the group whose members are cluster administrators; kubeadm
// binds it while it makes the first control plane (ClusterRoleBinding
// kubeadm:cluster-admins).
const AdminGroup = "kubeadm:cluster-admins"

// A Leaf is a client certificate and its key, both PEM.
type Leaf struct {
	Cert string
	Key  secret.Value
}

// Client signs a certificate for a client: name is its user name, groups are
// its groups. random makes the key, so it is new each time.
func (a Authority) Client(random io.Reader, now time.Time, name string, groups ...string) (Leaf, error) {
	cert, signer, err := a.parse()
	if err != nil {
		return Leaf{}, fmt.Errorf("sign the client certificate of %s: %w", name, err)
	}
	key, err := newKey(random)
	if err != nil {
		return Leaf{}, fmt.Errorf("sign the client certificate of %s: %w", name, err)
	}
	template, err := template(random, now, LeafValidity)
	if err != nil {
		return Leaf{}, fmt.Errorf("sign the client certificate of %s: %w", name, err)
	}
	template.Subject = pkix.Name{CommonName: name, Organization: groups}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(nil, template, cert, &key.PublicKey, signer)
	if err != nil {
		return Leaf{}, fmt.Errorf("sign the client certificate of %s: %w", name, err)
	}
	text, err := encodeKey(key)
	return Leaf{encode("CERTIFICATE", der), text}, err
}

// parse returns the authority's certificate and key.
func (a Authority) parse() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	cert, _ := pem.Decode([]byte(a.Cert))
	key, _ := pem.Decode([]byte(a.Key.Reveal()))
	if cert == nil || key == nil {
		return nil, nil, errors.New("the certificate or the key isn't PEM")
	}
	c, err := x509.ParseCertificate(cert.Bytes)
	if err != nil {
		return nil, nil, err
	}
	k, err := x509.ParseECPrivateKey(key.Bytes)
	if err != nil {
		return nil, nil, errors.New("the key isn't an EC private key")
	}
	if !k.PublicKey.Equal(c.PublicKey) {
		return nil, nil, errors.New("the key doesn't belong to the certificate")
	}
	return c, k, nil
}

// Kubeconfig returns a kubeconfig for one user of the cluster: server is
// "https://host:port". With the zero Leaf it only tells where the cluster is and
// which CA to trust: the discovery file of a joining node, whose token kubeadm
// adds. The user is named all the same, as no kubeconfig is valid without.
func (p PKI) Kubeconfig(cluster, server, user string, leaf Leaf) (secret.Value, error) {
	config := clientcmdv1.Config{
		APIVersion: "v1", Kind: "Config",
		Clusters: []clientcmdv1.NamedCluster{{Name: cluster, Cluster: clientcmdv1.Cluster{
			Server: server, CertificateAuthorityData: []byte(p.CA.Cert),
		}}},
		Contexts: []clientcmdv1.NamedContext{{
			Name: user + "@" + cluster, Context: clientcmdv1.Context{Cluster: cluster, AuthInfo: user},
		}},
		AuthInfos: []clientcmdv1.NamedAuthInfo{{Name: user, AuthInfo: clientcmdv1.AuthInfo{
			ClientCertificateData: []byte(leaf.Cert), ClientKeyData: []byte(leaf.Key.Reveal()),
		}}},
		CurrentContext: user + "@" + cluster,
	}
	text, err := yaml.Marshal(config)
	return secret.New(string(text)), err
}

// AdminKubeconfig signs a certificate for an administrator and returns a
// kubeconfig with it, for the wanted endpoint.
func (p PKI) AdminKubeconfig(random io.Reader, now time.Time, cluster, server, user string) (secret.Value, error) {
	leaf, err := p.CA.Client(random, now, user, AdminGroup)
	if err != nil {
		return secret.Value{}, err
	}
	return p.Kubeconfig(cluster, server, user, leaf)
}
