package boot

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/cmd/ra2-node/internal/pid1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
)

// errNoAddon is why the words of an installed add-on are not in force.
var errNoAddon = errors.New("the signed add-on that has it was not taken: it was changed on the disk, or this firmware reads none")

// Unsigned says that the kernel line of a signed image has words that were not
// put there by anybody who may: neither signed with the image nor such as the
// node's class adds.
type Unsigned struct{ Words []string }

// Error implements error.
func (e *Unsigned) Error() string {
	return fmt.Sprintf("the kernel line has words that are neither the image's nor of this node's class: %s; systemd's stub adds what SMBIOS names (io.systemd.stub.kernel-cmdline-extra) and what a signed add-on on the disk has",
		strings.Join(e.Words, " "))
}

// signedLine returns what is wrong with the kernel line of a signed image: ""
// when nothing is, or for any other image. The error is *Unsigned: such a system is
// not to be started, since what decides how it runs is then not all signed.
func signedLine(line agent.KernelLine, c agent.NodeConfig) (string, error) {
	if line.Initrd == "" || pid1.Container() != "" {
		return "", nil
	}
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return "", err
	}
	missing, unsigned := compare(string(text), c.KernelLine)
	if len(unsigned) > 0 {
		return "", &Unsigned{unsigned}
	}
	if len(missing) > 0 && c.Addon != "" {
		return fmt.Sprintf("it lacks %s: the signed add-on %.19s was not taken", strings.Join(missing, " "), c.Addon), nil
	}
	return "", nil
}

// compare splits the kernel line of a signed image: the image's own words end
// with ra2.initrd (see package images), and only the class's may follow. ra2.kexec
// is ours, where this kernel was started by the one before. Newer stubs name the
// console that they speak on.
func compare(line, wanted string) (missing, unsigned []string) {
	words, class := strings.Fields(line), strings.Fields(wanted)
	own := slices.IndexFunc(words, func(word string) bool { return strings.HasPrefix(word, "ra2.initrd=") })
	tail := words[own+1:]
	for _, word := range tail {
		if !slices.Contains(class, word) && word != "ra2.kexec=1" && !strings.HasPrefix(word, "console=") {
			unsigned = append(unsigned, word)
		}
	}
	for _, word := range class {
		if !slices.Contains(tail, word) {
			missing = append(missing, word)
		}
	}
	return missing, unsigned
}
