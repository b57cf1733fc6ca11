package boot

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/host"
)

// kernelLine brings wanted kernel parameters into force as far as that can be
// done later than by the boot loader, and returns those that are not in force.
// The first boot after an install has them all: it comes by kexec.
func kernelLine(root host.Root, wanted string) (missing []string) {
	line, _ := os.ReadFile(filepath.Join(string(root), "proc/cmdline"))
	present := map[string]bool{}
	for word := range strings.FieldsSeq(string(line)) {
		present[word] = true
	}
	size := "2M"
	for word := range strings.FieldsSeq(wanted) {
		key, value, _ := strings.Cut(word, "=")
		switch {
		case key == "hugepagesz":
			size = value
		case present[word]:
		case key == "hugepages" && hugepages(root, size, value) == nil:
		default:
			missing = append(missing, word)
		}
	}
	return missing
}

// hugepages asks for pages now, while memory is still in large pieces.
func hugepages(root host.Root, size, count string) error {
	folder := map[string]string{"2M": "hugepages-2048kB", "1G": "hugepages-1048576kB"}[strings.ToUpper(size)]
	path := filepath.Join(string(root), "sys/kernel/mm/hugepages", folder, "nr_hugepages")
	return os.WriteFile(path, []byte(count), 0)
}
