package kubeadm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	kubeadmcmd "k8s.io/kubernetes/cmd/kubeadm/app/cmd"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/kubeconfig"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
)

// lay writes files below dir, as ra2-node does below /.
func lay(t testing.TB, dir string, files []wire.File) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, os.FileMode(f.Mode)); err != nil {
			t.Fatal(err)
		}
	}
}

func orders(t *testing.T) map[string]wire.Join {
	t.Helper()
	c, pki := site(3, 3, true), testPKI(t)
	extra := wire.File{Path: KeepalivedPath, Mode: 0o644, Data: []byte("vrrp_instance x {}\n")}
	out := map[string]wire.Join{}
	var err error
	if out["form"], err = Form(input(c, 0), pki, extra); err != nil {
		t.Fatal(err)
	}
	if out["control-plane"], err = JoinNode(input(c, 1), pki, extra); err != nil {
		t.Fatal(err)
	}
	if out["worker"], err = JoinNode(input(c, 4), pki); err != nil {
		t.Fatal(err)
	}
	return out
}

// Every command exists in the real kubeadm, with each of its flags, and every
// name that --skip-phases names is a phase of it.
func TestPhasesExist(t *testing.T) {
	root := kubeadmcmd.NewKubeadmCommand(nil, nil, nil)
	for name, order := range orders(t) {
		for _, p := range order.Phases {
			if p.Command[0] != "kubeadm" {
				continue
			}
			cmd, rest, err := root.Find(p.Command[1:])
			if err != nil {
				t.Errorf("%s: %s: %v", name, p.Name, err)
				continue
			}
			if want := "kubeadm " + strings.Join(p.Command[1:len(p.Command)-len(rest)], " "); cmd.CommandPath() != want {
				t.Errorf("%s: %s: kubeadm takes it as %q", name, p.Name, cmd.CommandPath())
			}
			if err := cmd.ParseFlags(rest); err != nil {
				t.Errorf("%s: %s: %v", name, p.Name, err)
			}
			checkSkipped(t, cmd, p)
		}
	}
}

// checkSkipped checks that a command of only() leaves out all phases but the
// ones that it is meant to run.
func checkSkipped(t *testing.T, cmd *cobra.Command, p wire.Phase) {
	i := slices.Index(p.Command, "--skip-phases")
	if i < 0 {
		return
	}
	skipped := strings.Split(p.Command[i+1], ",")
	// The hidden phase check-etcd is in no help text.
	phases := []string{"check-etcd"}
	phase := regexp.MustCompile(`(?m)^([a-z][a-z-]+) +[A-Z]`)
	for _, m := range phase.FindAllStringSubmatch(cmd.Long, -1) {
		phases = append(phases, m[1])
	}
	for _, s := range skipped {
		if !slices.Contains(phases, s) {
			t.Errorf("%s skips %q, which isn't one of %v", p.Name, s, phases)
		}
	}
	_, wanted, _ := strings.Cut(p.Name, " ")
	for _, s := range phases {
		if !slices.Contains(skipped, s) && s != wanted && s != "check-etcd" {
			t.Errorf("%s also runs %q", p.Name, s)
		}
	}
	if slices.Contains(skipped, wanted) {
		t.Errorf("%s skips itself", p.Name)
	}
}

func TestOrders(t *testing.T) {
	for name, order := range orders(t) {
		var text strings.Builder
		for _, f := range order.Files {
			text.WriteString("file " + f.Path + "\n")
			secrets := strings.HasSuffix(f.Path, ".key") || f.Path == ConfigPath
			if secrets && f.Mode != 0o600 {
				t.Errorf("%s: %s has mode %o", name, f.Path, f.Mode)
			}
		}
		for _, p := range order.Phases {
			text.WriteString(p.Name + ": " + strings.Join(p.Command, " ") + "\n")
			if p.Tries < 1 || p.Timeout < minute {
				t.Errorf("%s: %s is tried %d times, %d s each", name, p.Name, p.Tries, p.Timeout)
			}
			if strings.Contains(strings.Join(p.Command, " "), "abcdef") {
				t.Errorf("%s: %s has the token on its command line", name, p.Name)
			}
		}
		golden(t, "order-"+name+".txt", []byte(text.String()))
	}
}

func TestWorkerHasNoKeys(t *testing.T) {
	for _, f := range orders(t)["worker"].Files {
		if strings.HasPrefix(f.Path, pkiDir) || bytes.Contains(f.Data, []byte("PRIVATE KEY")) {
			t.Errorf("a worker gets %s", f.Path)
		}
	}
}

// kubeadm loads the discovery file, validates it, and adds the bootstrap token
// because it holds no credentials (discovery/file.ValidateConfigInfo).
func TestDiscoveryFile(t *testing.T) {
	for _, f := range orders(t)["worker"].Files {
		if f.Path != DiscoveryPath {
			continue
		}
		config, err := clientcmd.Load(f.Data)
		if err != nil {
			t.Fatal(err)
		}
		if err := clientcmd.Validate(*config); err != nil {
			t.Error(err)
		}
		if kubeconfig.HasAuthenticationCredentials(config) {
			t.Error("it holds credentials")
		}
		name, cluster, err := kubeconfig.GetClusterFromKubeConfig(config)
		if err != nil || name != "edge-17" || cluster.Server != "https://api.edge-17.example:6443" || len(cluster.CertificateAuthorityData) == 0 {
			t.Errorf("%q, %+v, %v", name, cluster, err)
		}
		return
	}
	t.Error("there is no discovery file")
}

// gates.txt and Version are those of the module that is compiled in.
func TestModule(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", "k8s.io/kubernetes").Output()
	if err != nil {
		t.Skipf("needs the go command and the module k8s.io/kubernetes: %v", err)
	}
	version, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if version != Version {
		t.Errorf("go.mod has %s", version)
	}
	text, err := os.ReadFile(filepath.Join(dir, "test/compatibility_lifecycle/reference/versioned_feature_list.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^- name: (\S+)`).FindAllSubmatch(text, -1) {
		names = append(names, string(m[1]))
	}
	slices.Sort(names)
	if d := cmp.Diff(names, strings.Fields(gateList)); d != "" {
		t.Error(d)
	}
}
