package boot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/host"
)

// kernelLine brings wanted kernel parameters into force as far as that can be
// done later than by the boot loader. It returns those that came in force now
// and those that are not in force.
// The first boot after an install has them all: it comes by kexec.
func kernelLine(root host.Root, wanted string) (late, missing []string) {
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
		case key == "hugepages":
			if err := hugepages(root, size, value); err != nil {
				missing = append(missing, fmt.Sprintf("%s (%v)", word, err))
				continue
			}
			late = append(late, word+" of "+size)
		default:
			missing = append(missing, word)
		}
	}
	return late, missing
}

// hugepages asks for pages now, while memory is still in large pieces. The
// kernel takes any number and reserves what it finds: what it says afterwards
// counts.
func hugepages(root host.Root, size, count string) error {
	folder := map[string]string{"2M": "hugepages-2048kB", "1G": "hugepages-1048576kB"}[strings.ToUpper(size)]
	path := filepath.Join(string(root), "sys/kernel/mm/hugepages", folder, "nr_hugepages")
	if err := os.WriteFile(path, []byte(count), 0); err != nil {
		return err
	}
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if have := strings.TrimSpace(string(got)); have != count {
		return fmt.Errorf("%s of %s huge pages of %s are reserved", have, count, size)
	}
	return nil
}
