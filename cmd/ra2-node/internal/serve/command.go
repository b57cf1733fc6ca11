package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// A Runner runs a command and returns what it said, to both outputs.
type Runner func(ctx context.Context, command []string, limit time.Duration) (output []byte, err error)

// PhaseError is a phase that failed.
type PhaseError struct {
	Phase  string
	Try    int
	Err    error
	Output string // the end of it, without secrets
}

// Error implements error.
func (e *PhaseError) Error() string {
	if e.Try == 0 {
		return fmt.Sprintf("phase %s: %v", e.Phase, e.Err)
	}
	return fmt.Sprintf("phase %s, try %d: %v", e.Phase, e.Try, e.Err)
}

// Unwrap returns what went wrong.
func (e *PhaseError) Unwrap() error { return e.Err }

// program returns where the program of a command is. Only a few are allowed,
// and only from the image's own folders: an order can't bring its own code.
func program(command []string) (string, error) {
	if len(command) == 0 {
		return "", errors.New("the phase has no command")
	}
	dirs := []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"}
	dir, name := filepath.Split(command[0])
	if !slices.Contains([]string{"kubeadm", "systemctl", "mkdir", "ctr"}, name) || dir != "" && !slices.Contains(dirs, filepath.Clean(dir)) {
		return "", fmt.Errorf("%q is not a program that a phase may run (kubeadm, systemctl, mkdir, ctr)", command[0])
	}
	if dir != "" {
		return command[0], nil
	}
	for _, d := range dirs {
		path := filepath.Join(d, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return name, nil // running it gives the error that names it
}

// execute is the real Runner.
func execute(ctx context.Context, command []string, limit time.Duration) ([]byte, error) {
	path, err := program(command)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, command[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "HOME=/root", "LANG=C.UTF-8"}
	cmd.WaitDelay = 5 * time.Second // a grandchild may hold the output open
	err = cmd.Run()
	if ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("%s took longer than %s", filepath.Base(path), limit)
	}
	return out.Bytes(), err
}

// tail returns the last 4 KiB of an output without secrets.
func tail(out []byte) string {
	const most = 4 << 10
	clean := redact(out)
	if len(clean) > most {
		clean = append([]byte("..."), clean[len(clean)-most:]...)
	}
	return string(bytes.ToValidUTF8(clean, []byte("?")))
}

// What kubeadm may print: bootstrap tokens (bootstrap.kubernetes.io: 6.16
// characters), the certificate key (64 hex digits after its flag), private keys.
var (
	tokenText = regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`)
	keyText   = regexp.MustCompile(`(certificate-key[= ]+)[0-9a-f]{64}`)
	pemText   = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`)
)

func redact(out []byte) []byte {
	out = tokenText.ReplaceAll(out, []byte("[redacted]"))
	out = keyText.ReplaceAll(out, []byte("${1}[redacted]"))
	return pemText.ReplaceAll(out, []byte("[redacted]"))
}

func refused(err error) bool {
	var r *agent.Refused
	return errors.As(err, &r) && !r.Temporary()
}
