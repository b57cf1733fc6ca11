package inventory_test

import (
	"testing"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

func TestKernelLine(t *testing.T) {
	for want, pages := range map[string]map[string]int{
		"":                          nil,
		"hugepagesz=2M hugepages=8": {"2Mi": 8, "1Gi": 0},
		"hugepagesz=1G hugepages=64 hugepagesz=2M hugepages=1024": {"2Mi": 1024, "1Gi": 64},
	} {
		if got := (inventory.Class{HugePages: pages}).KernelLine(); got != want {
			t.Errorf("%v: %q, want %q", pages, got, want)
		}
	}
}
