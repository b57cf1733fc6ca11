package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/ipmisim"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/network"
)

// namespace is the network namespace of a lab.
func namespace(name string) string { return "ra2-" + name }

// ServeCommand is the hidden argument list with which Up starts this program
// as the daemon of a lab: see Serve.
func ServeCommand(dir string) []string { return []string{"lab", "serve", dir} }

// startTimeout is how long the daemon may take until it answers.
const startTimeout = 60 * time.Second

// Up makes the lab that a file describes in dir (DefaultDir when empty): disks,
// namespace, daemon. All machines are off; dir/inventory.yaml is ready when it
// returns. It needs root.
func Up(ctx context.Context, file, dir string) error {
	if os.Geteuid() != 0 {
		return errors.New("start the lab: it makes network namespaces and machines; next: run it as root")
	}
	f, err := Read(file)
	if err != nil {
		return err
	}
	if dir == "" {
		dir = DefaultDir(f.Metadata.Name)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := f.free(dir); err != nil {
		return err
	}
	if err := f.lay(file, dir); err != nil {
		return err
	}
	name := namespace(f.Metadata.Name)
	if err := network.Add(name); err != nil {
		return err
	}
	if err := f.launch(ctx, dir); err != nil {
		return errors.Join(err, Down(context.WithoutCancel(ctx), dir))
	}
	return nil
}

// free reports what is left of a lab of the same name.
func (f File) free(dir string) error {
	name := f.Metadata.Name
	if network.Exists(namespace(name)) {
		return fmt.Errorf("start lab %s: network namespace %s is there: the lab runs, or an earlier one left it; next: ra2-deploy lab status %s, or ra2-deploy lab down %s", name, namespace(name), dir, dir)
	}
	if left := leftovers(name); len(left) > 0 {
		return fmt.Errorf("start lab %s: processes of an earlier one are left (%v); next: ra2-deploy lab down %s", name, left, dir)
	}
	for _, m := range f.Spec.Machines {
		if m.IPMI != "" {
			if _, err := exec.LookPath(ipmisim.Program); err != nil {
				return fmt.Errorf("start lab %s: machine %s has IPMI: %w; next: apt install openipmi", name, m.Name, err)
			}
		}
		if m.Kind == KindQEMU {
			if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
				return fmt.Errorf("start lab %s: machine %s: %w; next: apt install qemu-system-x86 ovmf ipxe-qemu", name, m.Name, err)
			}
		}
	}
	return nil
}

// lay writes the files of a new lab.
func (f File) lay(file, dir string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepathOf(dir), text, 0o644); err != nil {
		return err
	}
	password := filepath.Join(dir, passwordFile)
	// New machines have no cluster: what ra2-deploy remembers of one that ran on
	// the old ones would make it wait for that.
	for _, old := range []string{password, filepath.Join(dir, "machines"), filepath.Join(dir, recordDir)} {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	if err := os.WriteFile(password, []byte(rand.Text()[:ipmisim.MaxPassword]), 0o600); err != nil {
		return err
	}
	all, err := f.servers(dir)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := s.makeDisks(); err != nil {
			return fmt.Errorf("disks of %s: %w", s.Name, err)
		}
	}
	return nil
}

// launch starts the daemon in a session of its own and waits until it answers.
func (f File) launch(ctx context.Context, dir string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, ServeCommand(dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := network.Start(namespace(f.Metadata.Name), cmd); err != nil {
		return fmt.Errorf("start the daemon of lab %s: %w", f.Metadata.Name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var last error
	for {
		if last = ask(ctx, f.Metadata.Name, http.MethodGet, "/status", nil, nil); last == nil {
			return nil
		}
		select {
		case err := <-ended:
			said, _ := os.ReadFile(filepath.Join(dir, logFile))
			return fmt.Errorf("the daemon of lab %s ended (%v): %s", f.Metadata.Name, err, strings.TrimSpace(string(said)))
		case <-ctx.Done():
			return fmt.Errorf("the daemon of lab %s does not answer after %s (%w); next: read %s", f.Metadata.Name, startTimeout, last, filepath.Join(dir, logFile))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Announce prints what to do with a lab that is up.
func Announce(w io.Writer, dir string) error {
	f, err := Read(filepathOf(dir))
	if err != nil {
		return err
	}
	in := "ip netns exec " + namespace(f.Metadata.Name) + " "
	_, err = fmt.Fprintf(w, `Lab %s is up: %d machines, all off.
  inventory  %s
  inside     %sra2-deploy plan %s
  machines   ra2-deploy lab status %s
  end        ra2-deploy lab down %s
`, f.Metadata.Name, len(f.Spec.Machines), filepath.Join(dir, InventoryFile), in, filepath.Join(dir, InventoryFile), dir, dir)
	return err
}
