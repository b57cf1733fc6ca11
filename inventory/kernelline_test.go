package inventory_test

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/inventory"
)

func TestKernelLine(t *testing.T) {
	on, off := true, false
	const iommu = "intel_iommu=on iommu=pt"
	for want, c := range map[string]inventory.Class{
		"":                          {},
		"hugepagesz=2M hugepages=8": {HugePages: map[string]int{"2Mi": 8, "1Gi": 0}},
		"hugepagesz=1G hugepages=64 hugepagesz=2M hugepages=1024": {HugePages: map[string]int{"2Mi": 1024, "1Gi": 64}, Reserved: "0-1"},
		iommu:                                {BIOS: inventory.BIOS{IOMMU: &on}},
		"hugepagesz=2M hugepages=1":          {Profile: inventory.HighPerformance, BIOS: inventory.BIOS{IOMMU: &off}, HugePages: map[string]int{"2Mi": 1}},
		"hugepagesz=2M hugepages=2 " + iommu: {Profile: inventory.HighPerformance, HugePages: map[string]int{"2Mi": 2}},
		iommu + " isolcpus=managed_irq,2-31,34-N nohz_full=2-31,34-N rcu_nocbs=2-31,34-N irqaffinity=0-1,32-33": {
			Profile: inventory.HighPerformance, Reserved: "0-1,32-33"},
	} {
		if got := c.KernelLine(); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}

func TestCPUs(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0 without 1-N", "0,1": "0-1 without 2-N", "33,32,0-1,1-2": "0-2,32-33 without 3-31,34-N", "4-5": "4-5 without 0-3,6-N", "1": "1 without 0,2-N",
	} {
		c, err := inventory.ParseCPUs(text)
		if got := string(c) + " without " + c.Others(); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "a", "1-", "-1", "3-2", "0,,1", "0-N", "9000", "0x1", "1 2"} {
		if c, err := inventory.ParseCPUs(bad); err == nil {
			t.Errorf("%q was read as %q", bad, c)
		}
	}
}

// A list and its others never share a processor and together are all.
func TestOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 200
		picked := rapid.SliceOfNDistinct(rapid.IntRange(0, most-2), 1, 20, rapid.ID).Draw(t, "picked")
		in := map[int]bool{}
		var words []string
		for _, n := range picked {
			in[n] = true
			words = append(words, strconv.Itoa(n))
		}
		c, err := inventory.ParseCPUs(strings.Join(words, ","))
		if err != nil {
			t.Fatal(err)
		}
		others, err := inventory.ParseCPUs(strings.ReplaceAll(c.Others(), "N", strconv.Itoa(most)))
		if err != nil {
			t.Fatal(err)
		}
		a, _ := c.Count()
		b, last := others.Count()
		if a != len(in) || a+b != most+1 || last != most {
			t.Errorf("%s has %d and %s has %d", c, a, others, b)
		}
	})
}

func FuzzCPUs(f *testing.F) {
	f.Add("0-1,32-33")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := inventory.ParseCPUs(text)
		if err != nil {
			return
		}
		if again, err := inventory.ParseCPUs(string(c)); err != nil || again != c {
			t.Errorf("%q became %q, then %q, %v", text, c, again, err)
		}
	})
}
