package act_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

// What an installed system says of its root is told, also when it says nothing;
// a root that is wrong is no success.
func TestRootIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		root *facts.Root
		fine bool
		says []string
	}{
		"verified":  {&facts.Root{Verity: facts.RootVerified}, true, []string{"each block of its root is verified"}},
		"container": {&facts.Root{Verity: facts.RootUnverified, Why: "it is a container machine"}, true, []string{"nothing verifies its root: it is a container machine"}},
		"silent":    {nil, true, []string{"it doesn't say whether its root is verified"}},
		"no IOMMU": {&facts.Root{Verity: facts.RootVerified, Lacks: []string{"iommu=pt (no kexec)"}}, true,
			[]string{"not in force: iommu=pt (no kexec)"}},
		"no add-on": {&facts.Root{Verity: facts.RootVerified, Line: "it lacks iommu=pt"}, false,
			[]string{"its kernel line is not what was signed", "it lacks iommu=pt"}},
		"corrupt": {&facts.Root{Verity: facts.RootCorrupt, Why: "data block 7 is corrupted"}, false, []string{"doesn't hold what was written: data block 7 is corrupted"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := newStage(), installVerb()
				s.boots(written(), hello(agent.Hello{Stage: agent.StageNode, Generation: v.Generation, Root: c.root}))
				err := install(limited(t, v), s, v)
				if (err == nil) != c.fine {
					t.Errorf("the end is %v", err)
				}
				said := notes(s.told, err)
				for _, want := range c.says {
					if !strings.Contains(said, want) {
						t.Errorf("nobody is told %q:\n%s", want, said)
					}
				}
			})
		})
	}
}

func notes(events []step.Event, err error) string {
	var b strings.Builder
	for _, ev := range events {
		b.WriteString(ev.Note + "\n")
	}
	if err != nil {
		b.WriteString(err.Error())
	}
	return b.String()
}
