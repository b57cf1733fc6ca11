package verity

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Found returns the kernel's last words about a wrong block, "data block 7 is
// corrupted", from its log (Documentation/ABI/testing/dev-kmsg: a record is one
// read, its text follows the first ";"). The log may have lost them.
func Found() string {
	found := "the kernel's log no longer says which block"
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return found
	}
	log := os.NewFile(uintptr(fd), "/dev/kmsg")
	defer log.Close()
	record := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, record)
		if err == unix.EPIPE { // records were overwritten meanwhile
			continue
		}
		if err != nil || n == 0 {
			return found
		}
		if words, ok := wrongBlock(string(record[:n])); ok {
			found = words
		}
	}
}

// wrongBlock finds dm-verity's message (drivers/md/dm-verity-target.c,
// verity_handle_err) in a record.
func wrongBlock(record string) (string, bool) {
	_, text, _ := strings.Cut(record, ";")
	text, _, _ = strings.Cut(text, "\n")
	_, text, ok := strings.Cut(text, "device-mapper: verity: ")
	if !ok || !strings.HasSuffix(text, " is corrupted") {
		return "", false
	}
	_, words, _ := strings.Cut(text, ": ") // the device's numbers
	return words, true
}
