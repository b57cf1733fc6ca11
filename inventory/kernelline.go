package inventory

import (
	"fmt"
	"regexp"
	"strings"
)

// HighPerformance is the profile of hosts that give whole processors and devices
// to workloads.
const HighPerformance = "high-performance"

// KernelLine returns what a class adds to the kernel line of its nodes (Linux,
// admin-guide/kernel-parameters), in this order:
//
//   - huge pages (ra2.ch.001), the large ones first, since they need memory that
//     is still in one piece;
//   - the IOMMU, where the class wants it on or is of the high-performance profile
//     and doesn't switch it off: virtual functions are given to workloads through
//     it (ra2.ch.003). Devices of the host itself pass it by (iommu=pt). AMD-Vi
//     needs no word, it is on where the firmware shows it; "amd_iommu=on" is none
//     that Linux knows;
//   - with the high-performance profile and reserved processors: all others are
//     kept free of interrupts, of the tick while one task runs, and of RCU's
//     callbacks (ra2.k8s.009). They stay in the scheduler's domains: with plain
//     isolcpus the containers that the kubelet pins to none of them would never be
//     moved from one to another, and all run on the first.
//
// No word begins with "ra2.": see images.KernelLine.
func (c Class) KernelLine() string {
	var words []string
	for _, size := range [][2]string{{"1Gi", "1G"}, {"2Mi", "2M"}} {
		if n := c.HugePages[size[0]]; n > 0 {
			words = append(words, fmt.Sprintf("hugepagesz=%s hugepages=%d", size[1], n))
		}
	}
	if iommu := c.BIOS.IOMMU; iommu != nil && *iommu || iommu == nil && c.Profile == HighPerformance {
		words = append(words, "intel_iommu=on", "iommu=pt")
	}
	if c.Reserved != "" && c.Profile == HighPerformance {
		others := c.Reserved.Others()
		words = append(words, "isolcpus=managed_irq,"+others, "nohz_full="+others, "rcu_nocbs="+others, "irqaffinity="+string(c.Reserved))
	}
	return strings.Join(words, " ")
}

// classWord is every word that KernelLine can give, and no other.
var classWord = regexp.MustCompile(`^(hugepagesz=(1G|2M)|hugepages=[0-9]{1,9}|intel_iommu=on|iommu=pt|isolcpus=managed_irq,` + cpuList +
	`|nohz_full=` + cpuList + `|rcu_nocbs=` + cpuList + `|irqaffinity=` + cpuList + `)$`)

// cpuList is a list of processors (Linux, admin-guide/kernel-parameters, "The
// list format"), N for the last one.
const cpuList = `[0-9]+(-([0-9]+|N))?(,[0-9]+(-([0-9]+|N))?)*`

// CheckKernelLine returns why words are not such as a class adds to a kernel
// line. What is signed for a class is held against it: whoever gets the key to
// sign something by way of a class gets no init=, no other root, nothing that
// ends lockdown or the checks of modules, and no secret past it.
func CheckKernelLine(words string) error {
	for word := range strings.FieldsSeq(words) {
		if !classWord.MatchString(word) {
			key, _, _ := strings.Cut(word, "=")
			return fmt.Errorf("the word %q is none that a class adds to the kernel line", key)
		}
	}
	return nil
}
