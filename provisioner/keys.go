package provisioner

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
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

// kubeconfig keeps an administrator's kubeconfig beside the record. It is made
// anew when the inventory's endpoint has moved, and long before its certificate
// ends.
func (s state) kubeconfig(c inventory.Cluster, pki kubeadm.PKI) error {
	server := "https://" + hostPort(c.Kubernetes.Endpoint)
	have, _, err := s.read(fileKubeconfig)
	if err != nil {
		return fmt.Errorf("the administrator's kubeconfig: %w", err)
	}
	info, err := os.Stat(s.path(fileKubeconfig))
	if err == nil && time.Since(info.ModTime()) < kubeadm.LeafValidity/2 && bytes.Contains(have, []byte(server+"\n")) {
		return nil
	}
	text, err := pki.AdminKubeconfig(rand.Reader, time.Now(), c.Name, server, "ra2-deploy")
	if err == nil {
		err = s.write(fileKubeconfig, []byte(text.Reveal()))
	}
	if err != nil {
		return fmt.Errorf("the administrator's kubeconfig: %w", err)
	}
	return nil
}

// hostPort returns the endpoint as its first virtual address: the name resolves
// on nodes, and not always where the kubeconfig is used.
func hostPort(e inventory.Endpoint) string {
	host := e.Host
	if len(e.VIPs) > 0 {
		host = e.VIPs[0].String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(e.Port))) // brackets around IPv6
}

// Kubeconfig returns the administrator's kubeconfig of an inventory's cluster;
// the error is fs.ErrNotExist before the cluster has keys.
func Kubeconfig(inventory string) ([]byte, error) {
	return os.ReadFile(stateOf(inventory).path(fileKubeconfig))
}

// Reveal fetches the value that a reference names; a path is one from the
// directory beside.
func Reveal(ref secret.Ref, beside string) (secret.Value, error) {
	if ref.Env != "" {
		text, ok := os.LookupEnv(ref.Env)
		switch {
		case !ok:
			return secret.Value{}, fmt.Errorf("the environment has no variable %s", ref.Env)
		case text == "":
			return secret.Value{}, fmt.Errorf("the environment variable %s is empty", ref.Env)
		}
		return secret.New(text), nil
	}
	path := ref.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(beside, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return secret.Value{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return secret.Value{}, fmt.Errorf("%s may be read by others (mode %04o); make it 0600: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	data, err := os.ReadFile(path)
	text := strings.TrimRight(string(data), "\r\n")
	if err == nil && text == "" {
		err = fmt.Errorf("%s is empty", path)
	}
	return secret.New(text), err
}
