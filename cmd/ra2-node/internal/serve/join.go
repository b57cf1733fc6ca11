package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// MemberError says that a node which did one order to its end was given
// another: a node is never changed, it is replaced.
type MemberError struct{ Node string }

// Error implements error.
func (e *MemberError) Error() string {
	return fmt.Sprintf("node %s joined its cluster by another order already: it is not changed, rebuild it", e.Node)
}

// join does what is left of an order. digest names the word that it came in.
func (s *Service) join(ctx context.Context, j agent.Join, digest string) error {
	for _, p := range j.Phases {
		if _, err := program(p.Command); err != nil {
			return &PhaseError{Phase: p.Name, Err: err}
		}
	}
	if id := j.Identity(); s.State.Join != id {
		if err := s.startOver(ctx, id); err != nil {
			return err
		}
	}
	name, err := s.Interface(s.Config.MAC)
	if err != nil {
		return err
	}
	if err := layFiles(s.Root, name, j.Files); err != nil {
		return err
	}
	for _, p := range j.Phases {
		if s.State.did(p.Name) {
			continue
		}
		if err := s.phase(ctx, p); err != nil {
			return err
		}
		if err := s.State.add(p.Name); err != nil {
			return err
		}
	}
	return s.State.complete(digest)
}

// startOver forgets an order that was not done to its end, and what its
// phases left behind.
func (s *Service) startOver(ctx context.Context, id string) error {
	if s.State.Have != "" {
		return &MemberError{Node: s.Config.Node}
	}
	if len(s.State.Phases) > 0 || s.State.Trying != "" {
		s.Say("the order changed: cleaning up after the phases that were done")
		out, err := s.Run(ctx, []string{"kubeadm", "reset", "--force"}, 5*time.Minute)
		if err != nil { // what remains of it is found by the first phase, kubeadm's preflight
			s.Say("kubeadm reset: %v: %s", err, tail(out))
			s.out.put(agent.Report{Status: agent.StatusNoted, Phase: "reset", Note: "kubeadm reset: " + err.Error(), Evidence: tail(out)})
		}
	}
	return s.State.begin(id)
}

// phase runs one phase until it succeeds or its tries are used up.
func (s *Service) phase(ctx context.Context, p agent.Phase) error {
	limit := time.Duration(p.Timeout) * time.Second
	if limit <= 0 {
		limit = 10 * time.Minute
	}
	if err := s.State.try(p.Name); err != nil {
		return err
	}
	tries, begun := max(p.Tries, 1), time.Now()
	for try := 1; ; try++ {
		s.Say("phase %s, try %d of %d, at most %s", p.Name, try, tries, limit)
		s.out.put(agent.Report{Phase: p.Name, Status: agent.StatusStarted})
		out, err := s.Run(ctx, p.Command, limit)
		if err == nil {
			s.Say("phase %s done in %s", p.Name, time.Since(begun).Round(100*time.Millisecond))
			s.out.put(agent.Report{Phase: p.Name, Status: agent.StatusDone, Took: time.Since(begun).Milliseconds()})
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed := &PhaseError{Phase: p.Name, Try: try, Err: err, Output: tail(out)}
		if try == tries {
			return failed
		}
		s.Say("%v: %s", failed, lastLine(failed.Output))
		s.out.put(agent.Report{Phase: p.Name, Status: agent.StatusNoted, Note: failed.Error(), Evidence: failed.Output, Next: "it is tried again in 3 s"})
		if !sleep(ctx, min(3*time.Second, s.Pause)) {
			return ctx.Err()
		}
	}
}

// layFiles writes the files of an order; nic is the name of the interface that
// files may ask for (agent.InterfacePlaceholder). The parts of their paths that are
// missing are made, readable for root only where the file is.
func layFiles(root, nic string, files []agent.File) error {
	for _, f := range files {
		clean := filepath.Clean("/" + f.Path)
		if clean != f.Path {
			return fmt.Errorf("lay file %q: the path is not absolute and clean", f.Path)
		}
		f.Data = bytes.ReplaceAll(f.Data, []byte(agent.InterfacePlaceholder), []byte(nic))
		if err := layFile(filepath.Join(root, clean), f); err != nil {
			return fmt.Errorf("lay file %s: %w", f.Path, err)
		}
	}
	return nil
}

func layFile(path string, f agent.File) error {
	dirMode := os.FileMode(0o755)
	if f.Mode&0o077 == 0 {
		dirMode = 0o700
	}
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return err
	}
	return writeWhole(path, f.Data, os.FileMode(f.Mode).Perm())
}

// writeWhole replaces a file so that it is never half there.
func writeWhole(path string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".ra2-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, werr := tmp.Write(data)
	if err := errors.Join(werr, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
