package boot

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

func TestCompare(t *testing.T) {
	const own = "ra2.mode=boot ra2.verity=ab panic=10 console=ttyS0 ra2.initrd=cd"
	const wanted = "hugepagesz=2M hugepages=32 iommu=pt"
	for line, want := range map[string]string{
		own + " " + wanted:                                     " / ",
		own + " ra2.kexec=1 " + wanted:                         " / ",
		own + " " + wanted + " console=hvc0":                   " / ",
		own:                                                    wanted + " / ",
		own + " hugepagesz=2M iommu=pt":                        "hugepages=32 / ",
		own + " " + wanted + " systemd.debug_shell":            " / systemd.debug_shell",
		own + " rdinit=/x " + wanted:                           " / rdinit=/x",
		own + " isolcpus=managed_irq,1-N hugepages=4":          wanted + " / isolcpus=managed_irq,1-N hugepages=4",
		"iommu=pt " + own + " hugepagesz=2M hugepages=32":      "iommu=pt / ", // not behind the signed words
		own + " " + wanted + " ra2.initrd=ef ra2.retry=1s":     " / ra2.initrd=ef ra2.retry=1s",
		own + " " + wanted + " ra2.kexec=0 init=/bin/sh quiet": " / ra2.kexec=0 init=/bin/sh quiet",
	} {
		missing, unsigned := compare(line, wanted)
		if got := strings.Join(missing, " ") + " / " + strings.Join(unsigned, " "); got != want {
			t.Errorf("%s:\n%s, want %s", line, got, want)
		}
	}
}

// Whatever is put behind the signed words is noticed, unless it is the class's.
func TestCompareFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z.]{1,8}=?[a-z0-9]{0,4}`).Draw(t, "word")
		_, unsigned := compare("quiet ra2.initrd=cd iommu=pt "+word+" x=1", "iommu=pt x=1")
		known := word == "iommu=pt" || word == "x=1" || word == "ra2.kexec=1" || strings.HasPrefix(word, "console=")
		if (len(unsigned) == 0) != known {
			t.Errorf("%q: unsigned %q", word, unsigned)
		}
	})
}

// The line of an image that isn't signed is nobody's to judge.
func TestSignedLineElsewhere(t *testing.T) {
	if wrong, err := signedLine(agent.KernelLine{}, agent.NodeConfig{KernelLine: "iommu=pt"}); wrong != "" || err != nil {
		t.Errorf("%q, %v", wrong, err)
	}
}
