package watch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// kubeletFiles are where a node has what its kubelet speaks to the API server
// with. They are on the data partition, no block of the root is needed for them.
type kubeletFiles struct {
	kubeconfig string // names the server
	authority  string // PEM
	client     string // certificate and key, PEM
}

func installed(root string) kubeletFiles {
	return kubeletFiles{
		kubeconfig: filepath.Join(root, "etc/kubernetes/kubelet.conf"),
		authority:  filepath.Join(root, "etc/kubernetes/pki/ca.crt"),
		client:     filepath.Join(root, "var/lib/kubelet/pki/kubelet-client-current.pem"),
	}
}

// condition is one of a Node object, that we set.
type condition struct{ kind, status, reason, message string }

// corrupt is the condition of a node with a wrong block in its root.
func corrupt(why string) condition {
	return condition{agent.ConditionRootCorrupt, "True", "WrongBlock", why}
}

// set sets a condition on the node's own object, as the kubelet, which may change
// the status of its own node and of no other (NodeRestriction). Kubelets keep the
// conditions of others.
func (k kubeletFiles) set(ctx context.Context, node string, c condition, now time.Time) error {
	server, client, err := k.open()
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []map[string]any{{
		"type": c.kind, "status": c.status, "reason": c.reason, "message": c.message,
		"lastTransitionTime": now.UTC().Format(time.RFC3339), "lastHeartbeatTime": now.UTC().Format(time.RFC3339),
	}}}})
	if err != nil {
		return err
	}
	at := server + "/api/v1/nodes/" + url.PathEscape(node) + "/status"
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, at, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/strategic-merge-patch+json") // conditions merge by their type
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("set the node's condition: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("set the node's condition: PATCH %s: %s: %s", at, response.Status, text)
	}
	return nil
}

// serverLine is the one server of a kubelet's kubeconfig, as kubeadm writes it.
var serverLine = regexp.MustCompile(`(?m)^\s*server:\s*(https://\S+)\s*$`)

func (k kubeletFiles) open() (server string, client *http.Client, err error) {
	config, err := os.ReadFile(k.kubeconfig)
	if err != nil {
		return "", nil, err
	}
	found := serverLine.FindSubmatch(config)
	if found == nil {
		return "", nil, fmt.Errorf("%s names no server", k.kubeconfig)
	}
	authority, err := os.ReadFile(k.authority)
	if err != nil {
		return "", nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return "", nil, fmt.Errorf("%s holds no certificate", k.authority)
	}
	pair, err := tls.LoadX509KeyPair(k.client, k.client)
	if err != nil {
		return "", nil, errors.New("the kubelet's certificate can't be read") // tls's error may quote the file, which holds a key
	}
	conf := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return string(found[1]), &http.Client{Transport: &http.Transport{TLSClientConfig: conf}, Timeout: 10 * time.Second}, nil
}
