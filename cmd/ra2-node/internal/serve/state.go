package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// State is what the node remembers over restarts. Nothing in it is secret.
type State struct {
	Join   string   `json:"join"`             // identity of the order that is worked on
	Phases []string `json:"phases"`           // of it, done
	Trying string   `json:"trying,omitempty"` // the phase that was begun last
	Have   string   `json:"have,omitempty"`   // digest of the word that was done to its end
	Done   bool     `json:"done,omitempty"`   // the provisioner said that the work is over

	path string
}

// OpenState reads the state; a node that did nothing yet has none.
func OpenState(path string) (*State, error) {
	s := &State{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the node's state: %w", err)
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read the node's state %s: %w", path, err)
	}
	return s, nil
}

// Last names the phase that was done last.
func (s *State) Last() string {
	if len(s.Phases) == 0 {
		return ""
	}
	return s.Phases[len(s.Phases)-1]
}

func (s *State) did(phase string) bool { return slices.Contains(s.Phases, phase) }

func (s *State) begin(join string) error {
	s.Join, s.Phases, s.Trying, s.Have = join, nil, "", ""
	return s.save()
}

// try is saved before a phase begins: what it leaves when it is cut short must
// be cleaned up if the order changes.
func (s *State) try(phase string) error {
	s.Trying = phase
	return s.save()
}

func (s *State) add(phase string) error {
	s.Phases = append(s.Phases, phase)
	return s.save()
}

func (s *State) complete(word string) error {
	s.Have = word
	return s.save()
}

func (s *State) finish() error {
	s.Done = true
	return s.save()
}

func (s *State) save() error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("save the node's state: %w", err)
	}
	if err := writeWhole(s.path, text, 0o600); err != nil {
		return fmt.Errorf("save the node's state: %w", err)
	}
	return nil
}
