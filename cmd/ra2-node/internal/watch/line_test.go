package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// A member tells its cluster of its kernel line when the cluster answers at last,
// what is wrong as well as that nothing is; one that is no member tells nobody.
func TestTellLine(t *testing.T) {
	for wrong, want := range map[string]string{"": "False AsSigned", "it lacks iommu=pt": "True WordsMissing"} {
		synctest.Test(t, func(t *testing.T) {
			var told []condition
			var said strings.Builder
			answers := time.Now().Add(5 * time.Minute)
			tellLine(t.Context(), func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }, wrong, func(_ context.Context, c condition) error {
				if time.Now().Before(answers) {
					return errors.New("connection refused")
				}
				told = append(told, c)
				return nil
			})
			if len(told) != 1 || told[0].kind != agent.ConditionKernelLine || told[0].status+" "+told[0].reason != want || wrong != "" && told[0].message != wrong {
				t.Errorf("%q: told %+v", wrong, told)
			}
			if strings.Count(said.String(), "connection refused") != 1 {
				t.Errorf("said:\n%s", said.String())
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		tellLine(t.Context(), t.Logf, "x", func(context.Context, condition) error { tries++; return fs.ErrNotExist })
		if tries != 1 {
			t.Errorf("a host that is no member tried %d times", tries)
		}
	})
}
