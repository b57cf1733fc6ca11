package provisioner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// state is the directory beside the inventory that holds what must outlive a
// run: the record, and the cluster's secrets (mode 0600 in a directory of mode
// 0700). Losing it loses no node; it loses the keys to administer them.
type state struct{ dir string }

// stateOf returns the directory of an inventory: "edge.yaml" has "edge.ra2".
func stateOf(inventory string) state {
	return state{strings.TrimSuffix(inventory, filepath.Ext(inventory)) + ".ra2"}
}

func (s state) path(name string) string { return filepath.Join(s.dir, name) }

// The names in the directory.
const (
	fileRecord     = "record.db"
	fileEvents     = "events.jsonl"
	fileAuthority  = "site.pem" // the certificate of the agent key: no secret
	filePKI        = "secrets/pki.json"
	fileAgentKey   = "secrets/agent.key"
	fileSessions   = "secrets/sessions.json"
	fileKubeconfig = "secrets/kubeconfig"
)

// read returns a file of the directory; ok is false when there is none.
func (s state) read(name string) (data []byte, ok bool, err error) {
	data, err = os.ReadFile(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return data, err == nil, err // package os names the path
}

// write replaces a file whole, mode 0600: a run that dies leaves the old one.
func (s state) write(name string, data []byte) error {
	path := s.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name survive a power cut: keys that a cluster was formed
// with can't be made again.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// keep returns a file of the directory, and makes it first when there is none.
func (s state) keep(name string, make func() ([]byte, error)) ([]byte, error) {
	data, ok, err := s.read(name)
	if ok || err != nil {
		return data, err
	}
	if data, err = make(); err != nil {
		return nil, err
	}
	return data, s.write(name, data)
}

// forget removes the secrets of the cluster; what they opened is gone with it.
func (s state) forget() error { return os.RemoveAll(s.path("secrets")) }

// sessions returns the hosts' sessions of earlier runs.
func (s state) sessions() ([]agent.SavedSession, error) {
	data, ok, err := s.read(fileSessions)
	if !ok || err != nil {
		return nil, err
	}
	var saved []agent.SavedSession
	if err := json.Unmarshal(data, &saved); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.path(fileSessions), err)
	}
	return saved, nil
}

// saveSessions keeps the hosts' sessions for the next run.
func (s state) saveSessions(saved []agent.SavedSession) error {
	data, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	return s.write(fileSessions, data)
}
