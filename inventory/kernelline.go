package inventory

import (
	"fmt"
	"strings"
)

// KernelLine returns what a class adds to the kernel line of its nodes: huge
// pages (ra2.ch.001; Linux, admin-guide/kernel-parameters: hugepagesz), the
// large ones first, since they need memory that is still in one piece.
func (c Class) KernelLine() string {
	var words []string
	for _, size := range [][2]string{{"1Gi", "1G"}, {"2Mi", "2M"}} {
		if n := c.HugePages[size[0]]; n > 0 {
			words = append(words, fmt.Sprintf("hugepagesz=%s hugepages=%d", size[1], n))
		}
	}
	return strings.Join(words, " ")
}
