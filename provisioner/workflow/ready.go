package workflow

import "github.com/ra2-deploy/ra2-deploy/provisioner/step"

// ready returns the steps of p that can start now: all they need is done,
// nothing runs on their host and no more than limit run at once. A step of the
// cluster has no host and shares the place of no other.
func ready(p step.Plan, now map[step.ID]step.Status, limit int) []step.Step {
	busy, running := map[string]bool{}, 0
	for _, s := range p.Steps {
		if now[s.ID].Open() {
			busy[place(s)] = true
			running++
		}
	}
	var out []step.Step
	for _, s := range p.Steps {
		if now[s.ID] != "" || busy[place(s)] || running >= limit || !met(s, now) {
			continue
		}
		busy[place(s)] = true
		running++
		out = append(out, s)
	}
	return out
}

// place is what two steps can't use at once: the host, or the step itself.
func place(s step.Step) string {
	if s.Host == "" {
		return string(s.ID)
	}
	return s.Host
}

func met(s step.Step, now map[step.ID]step.Status) bool {
	for _, n := range s.Needs {
		if now[n] != step.Done {
			return false
		}
	}
	return true
}
