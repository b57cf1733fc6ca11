package images

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// tight is how little free space, in bytes, makes a full disk the likely reason
// of a failure: less than the largest package of a recipe. apt gives up before
// it has filled a disk, in words of its own, and so may any program.
const tight = 64 << 20

// errFull is the error of a step whose disk had hardly any space left.
type errFull struct {
	free int64 // bytes
	err  error
}

func (e *errFull) Error() string {
	return fmt.Sprintf("%v (%d MB were free on its disk)", e.err, e.free>>20)
}

func (e *errFull) Unwrap() error { return e.err }

// discard removes a scratch folder, after an error as well, to which it adds what
// only now can be seen: that the folder's disk was full.
func discard(scratch string, err error) error {
	if left, told := free(scratch); err != nil && told && left < tight {
		err = &errFull{left, err}
	}
	return errors.Join(err, os.RemoveAll(scratch))
}

// free gives the bytes that a folder's file system has left for others than root.
func free(dir string) (left int64, told bool) {
	var fs syscall.Statfs_t
	if syscall.Statfs(dir, &fs) != nil {
		return 0, false
	}
	return int64(fs.Bavail) * fs.Bsize, true
}

// full tells whether an error comes of a full disk: it was seen to be, or we
// met it in our own writing, or a program said so. tar names no reason when the
// disk fills in the middle of a file's last block: "Wrote only 4096 of 9728
// bytes".
func full(err error) bool {
	var seen *errFull
	if err == nil || errors.As(err, &seen) || errors.Is(err, syscall.ENOSPC) {
		return err != nil
	}
	said := strings.ToLower(err.Error())
	return strings.Contains(said, syscall.ENOSPC.Error()) || strings.Contains(said, "wrote only ")
}
