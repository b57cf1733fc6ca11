package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform/app"
)

// kept is the file of a workload that was read: all that is judged, so that it can be
// judged again.
type kept struct {
	Kind     string       `json:"kind"` // keptKind
	What     string       `json:"what"` // "namespace shop (2 pods of 1 controllers, 2 ready, 0 restarts)"
	Workload app.Workload `json:"workload"`
}

const keptKind = "ra2-deploy/workload-v1"

// Keep writes a workload, under the name that its report has, to a file that only
// its owner reads.
func Keep(file, what string, w app.Workload) error {
	data, err := json.Marshal(kept{keptKind, what, w})
	if err == nil {
		err = os.WriteFile(file, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the workload: %w", err)
	}
	return nil
}

// Kept reads what Keep wrote.
func Kept(file string) (what string, w app.Workload, err error) {
	data, err := os.ReadFile(file)
	var k kept
	if err == nil {
		err = k.read(data)
	}
	for i := range k.Workload.Objects {
		if err != nil {
			break
		}
		err = retype(&k.Workload.Objects[i])
	}
	if err != nil {
		return "", w, fmt.Errorf("read the workload %s: %w", file, err)
	}
	return k.What, k.Workload, nil
}

// read reads a file of that kind, and refuses others.
func (k *kept) read(data []byte) error {
	var is struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(data, &is); err != nil || is.Kind != keptKind {
		return errors.Join(errors.New("it holds no workload that --keep wrote"), err)
	}
	return json.Unmarshal(data, k)
}

// retype gives an object the type of its kind again.
func retype(o *app.Object) error {
	again, err := object(o.Tree)
	o.Typed = again.Typed
	return err
}
