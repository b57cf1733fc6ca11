// Package apiserver starts a real etcd and kube-apiserver for a test.
package apiserver

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// The tokens of the two users that every server knows.
const (
	Admin   = "0123456789abcdef" // of group system:masters
	Auditor = "fedcba9876543210" // of no group; named "auditor"
)

// Start starts both, with flags for kube-apiserver, and returns how its
// administrator reaches it. They end with the test, which is skipped where
// nothing built them: neither $RA2_KUBERNETES_BIN nor the cache of images holds
// them.
func Start(t *testing.T, flags ...string) *rest.Config {
	t.Helper()
	etcdProgram, apiProgram := program(t, "etcd"), program(t, "kube-apiserver")
	dir := t.TempDir()
	key := filepath.Join(dir, "sa.key")
	lay(t, key, serviceAccountKey(t))
	lay(t, filepath.Join(dir, "tokens.csv"), []byte(Admin+",admin,1,system:masters\n"+Auditor+",auditor,2\n"))
	etcd, peer, api := port(t), port(t), port(t)
	run(t, etcdProgram, "--data-dir="+filepath.Join(dir, "etcd"), "--listen-client-urls=http://"+etcd, "--advertise-client-urls=http://"+etcd,
		"--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer, "--initial-cluster=default=http://"+peer)
	run(t, apiProgram, append([]string{
		"--etcd-servers=http://" + etcd, "--cert-dir=" + dir, "--secure-port=" + strings.TrimPrefix(api, "127.0.0.1:"), "--bind-address=127.0.0.1",
		"--token-auth-file=" + filepath.Join(dir, "tokens.csv"), "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
		"--disable-admission-plugins=ServiceAccount", // there is no controller that makes the account
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + key, "--service-account-signing-key-file=" + key,
	}, flags...)...)
	config := &rest.Config{Host: "https://" + api, BearerToken: Admin, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	ready(t, config)
	return config
}

// program returns the path of a program: from $RA2_KUBERNETES_BIN, or the newest
// that an image build left.
func program(t *testing.T, name string) string {
	t.Helper()
	if bin := os.Getenv("RA2_KUBERNETES_BIN"); bin != "" {
		return filepath.Join(bin, name)
	}
	cache := cmp.Or(os.Getenv("RA2_CACHE"), "/var/cache/ra2-deploy")
	built, err := filepath.Glob(filepath.Join(cache, "program", "*", name))
	if err != nil || len(built) == 0 {
		t.Skipf("needs a real %s: `image build` leaves one in %s, or set RA2_KUBERNETES_BIN to a folder that holds it", name, cache)
	}
	return slices.MaxFunc(built, func(a, b string) int { return modified(a).Compare(modified(b)) })
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func serviceAccountKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func lay(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// port returns an address that nobody listened on a moment ago.
func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run runs a program that ends with the test; what it said is shown when the
// test fails.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s said last: ...%s", filepath.Base(program), text[max(0, len(text)-2000):])
		}
	})
}

// ready waits until the API server says so.
func ready(t *testing.T, config *rest.Config) {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, err := client.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(300 * time.Millisecond):
		}
	}
}
