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

// What a class adds can be signed, and nothing else can.
func TestCheckKernelLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := inventory.Class{
			Profile:   rapid.SampledFrom([]string{"basic", inventory.HighPerformance}).Draw(t, "profile"),
			BIOS:      inventory.BIOS{IOMMU: rapid.SampledFrom([]*bool{nil, new(true), new(false)}).Draw(t, "iommu")},
			HugePages: map[string]int{"2Mi": rapid.IntRange(0, 1<<20).Draw(t, "2Mi"), "1Gi": rapid.IntRange(0, 4096).Draw(t, "1Gi")},
		}
		var reserved []string
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 500), 0, 9, rapid.ID).Draw(t, "reserved") {
			reserved = append(reserved, strconv.Itoa(n))
		}
		if len(reserved) > 0 {
			var err error
			if c.Reserved, err = inventory.ParseCPUs(strings.Join(reserved, ",")); err != nil {
				t.Fatal(err)
			}
		}
		line := c.KernelLine()
		if err := inventory.CheckKernelLine(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		for _, evil := range []string{"init=/bin/sh", "rdinit=/x", "ra2.verity=00", "lockdown=none", "systemd.verity=0", "module.sig_enforce=0", "password=hunter2", "quiet", "hugepages", "hugepages=-1", "iommu=off",
			"isolcpus=1-N", "isolcpus=managed_irq,1-N;x", "nohz_full=\"1\tinit=/x\"", "console=ttyS0", "intel_iommu=off", "efi=debug", "mitigations=off"} {
			err := inventory.CheckKernelLine(strings.TrimSpace(line + " " + evil))
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("with %q: %v", evil, err)
			}
		}
	})
}

func FuzzCheckKernelLine(f *testing.F) {
	f.Add("hugepagesz=1G hugepages=4 isolcpus=managed_irq,2-N")
	f.Fuzz(func(t *testing.T, text string) {
		if inventory.CheckKernelLine(text) != nil {
			return
		}
		for word := range strings.FieldsSeq(text) {
			key, value, ok := strings.Cut(word, "=")
			if !ok || strings.ContainsAny(value, "\"'\\/=;") || strings.HasPrefix(key, "ra2.") {
				t.Errorf("%q is taken", word)
			}
		}
	})
}
