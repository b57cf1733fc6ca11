package provisioner

import (
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/kubeadm"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// pki returns the cluster's certificates and makes them before the first use.
func (s state) pki() (kubeadm.PKI, error) {
	data, err := s.keep(filePKI, func() ([]byte, error) {
		p, err := kubeadm.NewPKI(rand.Reader, time.Now())
		if err != nil {
			return nil, err
		}
		text, err := p.Encode()
		return []byte(text.Reveal()), err
	})
	if err != nil {
		return kubeadm.PKI{}, fmt.Errorf("the cluster's certificates: %w", err)
	}
	return kubeadm.ParsePKI(secret.New(string(data)))
}

// agentKey returns the key that hosts know this provisioner by.
func (s state) agentKey() (*ecdsa.PrivateKey, error) {
	data, err := s.keep(fileAgentKey, func() ([]byte, error) {
		key, err := agent.NewKey()
		if err != nil {
			return nil, err
		}
		return agent.EncodeKey(key)
	})
	if err != nil {
		return nil, fmt.Errorf("the key of the agent API: %w", err)
	}
	return agent.DecodeKey(data)
}

// kubeconfig keeps an administrator's kubeconfig beside the record.
func (s state) kubeconfig(c inventory.Cluster, pki kubeadm.PKI) error {
	_, err := s.keep(fileKubeconfig, func() ([]byte, error) {
		server := fmt.Sprintf("https://%s", joinHostPort(c.Kubernetes.Endpoint))
		text, err := pki.AdminKubeconfig(rand.Reader, time.Now(), c.Name, server, "ra2-deploy")
		return []byte(text.Reveal()), err
	})
	if err != nil {
		return fmt.Errorf("the administrator's kubeconfig: %w", err)
	}
	return nil
}

// joinHostPort returns the endpoint as its first virtual address: the name
// resolves on nodes, and not always where the kubeconfig is used.
func joinHostPort(e inventory.Endpoint) string {
	if len(e.VIPs) > 0 {
		return fmt.Sprintf("%s:%d", e.VIPs[0], e.Port)
	}
	return fmt.Sprintf("%s:%d", e.Host, e.Port)
}

// Kubeconfig returns the administrator's kubeconfig of an inventory's cluster;
// the error is fs.ErrNotExist before the cluster has keys.
func Kubeconfig(inventory string) ([]byte, error) {
	return os.ReadFile(stateOf(inventory).path(fileKubeconfig))
}

// reveal fetches the value that a reference names.
func reveal(ref secret.Ref, beside string) (secret.Value, error) {
	if ref.Env != "" {
		text, ok := os.LookupEnv(ref.Env)
		if !ok {
			return secret.Value{}, fmt.Errorf("the environment has no variable %s", ref.Env)
		}
		return secret.New(text), nil
	}
	path := ref.File
	if !strings.HasPrefix(path, "/") {
		path = beside + "/" + path
	}
	info, err := os.Stat(path)
	if err != nil {
		return secret.Value{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return secret.Value{}, fmt.Errorf("%s may be read by others (mode %04o); make it 0600: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	data, err := os.ReadFile(path)
	return secret.New(strings.TrimRight(string(data), "\r\n")), err
}
