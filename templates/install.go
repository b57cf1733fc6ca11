package templates

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tinkerbell/tink/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
)

// Install is what the install workflow of one host needs to know. URLs may be
// paths of the agent API.
type Install struct {
	Disk         string // "serial:<s>" or "wwn:<w>"
	Image        string // digest of the raw image, "sha256:<hex>"
	Bytes        int64  // length of the raw image
	ImageURL     string // zstd
	KernelURL    string
	KernelDigest string // "sha256:<hex>"
	InitrdURL    string
	InitrdDigest string
	KernelLine   string // of the installed system
	Addon        *Addon // nil: no words of a class are to be had by a signed add-on
}

// Addon is a signed add-on of the kernel line and its place on the disk.
type Addon struct {
	URL    string
	Digest string // "sha256:<hex>"
	Old    string // digest of what the image has in its place, "sha256:<hex>"
	Offset int64  // of the place, in the partition ra2-esp, bytes
}

// workflow is the text inside a Tinkerbell Template, version 0.1: tasks with
// actions, each with a limit in seconds.
type workflow struct {
	Version       string `json:"version"`
	Name          string `json:"name"`
	GlobalTimeout int64  `json:"global_timeout"`
	Tasks         []task `json:"tasks"`
}

type task struct {
	Name    string        `json:"name"`
	Worker  string        `json:"worker"`
	Volumes []string      `json:"volumes"`
	Actions []wire.Action `json:"actions"`
}

// InstallActions returns the ordered actions of an installation: write the
// image and read it back, lay the signed words of its class and the node's
// configuration, start the new system.
func InstallActions(in Install) ([]wire.Action, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	actions := []wire.Action{
		{
			Name: "write the image", Image: wire.ActionImage2Disk, Timeout: 1200,
			Environment: map[string]string{
				wire.EnvImageURL: in.ImageURL, wire.EnvImageDigest: in.Image, wire.EnvImageBytes: strconv.FormatInt(in.Bytes, 10),
				wire.EnvCompressed: "true", wire.EnvDisk: in.Disk,
			},
		}, {
			Name: "write the node's configuration", Image: wire.ActionNodeConfig, Timeout: 120,
			Environment: map[string]string{wire.EnvDisk: in.Disk},
		}, {
			Name: "start the installed system", Image: wire.ActionKexec, Timeout: 120,
			Environment: map[string]string{
				wire.EnvKernelURL: in.KernelURL, wire.EnvKernelDigest: in.KernelDigest,
				wire.EnvInitrdURL: in.InitrdURL, wire.EnvInitrdDigest: in.InitrdDigest,
				wire.EnvCommandLine: in.KernelLine,
			},
		},
	}
	if a := in.Addon; a != nil {
		actions = slices.Insert(actions, 1, wire.Action{
			Name: "write the signed words of its class", Image: wire.ActionAddon, Timeout: 120,
			Environment: map[string]string{
				wire.EnvAddonURL: a.URL, wire.EnvAddonDigest: a.Digest, wire.EnvAddonOld: a.Old,
				wire.EnvAddonOffset: strconv.FormatInt(a.Offset, 10), wire.EnvDisk: in.Disk,
			},
		})
	}
	return actions, nil
}

// InstallTemplate returns the installation as a Tinkerbell Template (tink's
// api/v1alpha1), a Kubernetes object in YAML. The worker is filled in by
// Tinkerbell from its Hardware object. It holds no secret.
func InstallTemplate(name, namespace string, in Install) ([]byte, error) {
	actions, err := InstallActions(in)
	if err != nil {
		return nil, err
	}
	data, err := yaml.Marshal(workflow{
		Version: "0.1", Name: name, GlobalTimeout: 1800,
		Tasks: []task{{
			Name: "install", Worker: "{{.device_1}}", Actions: actions,
			Volumes: []string{"/dev:/dev", "/dev/console:/dev/console"},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("render the install workflow %s: %w", name, err)
	}
	text := string(data)
	return yaml.Marshal(v1alpha1.Template{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Template"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       v1alpha1.TemplateSpec{Data: &text},
	})
}

var (
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	diskForm   = regexp.MustCompile(`^(serial|wwn):[^\s]+$`)
)

// check returns why the workflow would be dangerous or useless. Tinkerbell
// renders a Template's text once more, so braces would be read as its own.
func (in Install) check() error {
	var bad []string
	digests := [][2]string{{"image", in.Image}, {"kernel", in.KernelDigest}, {"initrd", in.InitrdDigest}}
	if a := in.Addon; a != nil {
		digests = append(digests, [2]string{"add-on", a.Digest}, [2]string{"add-on's place", a.Old})
		if a.Offset <= 0 || a.Offset%512 != 0 {
			bad = append(bad, fmt.Sprintf("the add-on's place begins at byte %d, which is no sector", a.Offset))
		}
	}
	for _, d := range digests {
		if !digestForm.MatchString(d[1]) {
			bad = append(bad, fmt.Sprintf("the %s's digest is %q", d[0], d[1]))
		}
	}
	if !diskForm.MatchString(in.Disk) {
		bad = append(bad, fmt.Sprintf("the disk is %q, which names no serial or WWN", in.Disk))
	}
	if in.Bytes <= 0 {
		bad = append(bad, fmt.Sprintf("the image has %d bytes", in.Bytes))
	}
	for _, text := range []string{in.Disk, in.ImageURL, in.KernelURL, in.InitrdURL, in.KernelLine} {
		if strings.Contains(text, "{{") {
			bad = append(bad, fmt.Sprintf("%q holds a template's braces", text))
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("render the install workflow: %s", strings.Join(bad, "; "))
	}
	return nil
}
