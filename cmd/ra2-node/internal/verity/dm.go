package verity

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes and places in struct dm_ioctl and struct dm_target_spec
// (linux/dm-ioctl.h), in the byte order of the machine.
const (
	headBytes   = 312
	atDataSize  = 12
	atDataStart = 16
	atTargets   = 20
	atFlags     = 28
	atDevice    = 40
	atName      = 48  // 128 bytes
	atUUID      = 176 // 129 bytes
	specBytes   = 40
	atLength    = 8
	atType      = 24 // 16 bytes, in the spec

	flagReadOnly = 1 << 0
)

// Commands of device mapper's control device.
const (
	devCreate   = 3
	devRemove   = 4
	devSuspend  = 6 // resumes a device that has no suspend flag: the loaded table becomes live
	tableLoad   = 9
	tableStatus = 12
)

// request is the number of a command: _IOWR(0xfd, command, struct dm_ioctl).
func request(command uintptr) uintptr { return 3<<30 | headBytes<<16 | 0xfd<<8 | command }

// message builds the argument of a command; data, if any, follows the head.
func message(uuid string, flags uint32, data []byte) []byte {
	m := make([]byte, headBytes, headBytes+max(len(data), 4096))
	order := binary.NativeEndian
	order.PutUint32(m, 4) // version 4.0.0 of the interface
	order.PutUint32(m[atDataStart:], headBytes)
	order.PutUint32(m[atFlags:], flags)
	copy(m[atName:atName+127], Name)
	copy(m[atUUID:atUUID+128], uuid)
	if len(data) > 0 {
		order.PutUint32(m[atTargets:], 1)
	}
	m = append(m, data...)
	m = m[:cap(m)] // room for an answer
	order.PutUint32(m[atDataSize:], uint32(len(m)))
	return m
}

// target is one line of a table: struct dm_target_spec, the parameters, a zero
// byte, filled up to eight bytes.
func target(sectors uint64, kind, parameters string) []byte {
	t := make([]byte, specBytes, specBytes+len(parameters)+8)
	binary.NativeEndian.PutUint64(t[atLength:], sectors)
	copy(t[atType:atType+15], kind)
	t = append(t, parameters...)
	t = append(t, 0)
	for len(t)%8 != 0 {
		t = append(t, 0)
	}
	return t
}

// activate makes a read-only device with one target and starts it.
func activate(uuid string, sectors uint64, parameters string) (device string, err error) {
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("open device mapper: %w: is the module dm-mod loaded?", err)
	}
	defer control.Close()
	if _, err := do(control, devCreate, message(uuid, 0, nil)); err != nil {
		return "", fmt.Errorf("make the device %s: %w", Name, err)
	}
	steps := []struct {
		doing   string
		command uintptr
		message []byte
	}{
		{"load the table \"verity " + parameters + "\"", tableLoad, message("", flagReadOnly, target(sectors, "verity", parameters))},
		{"start the device " + Name, devSuspend, message("", flagReadOnly, nil)},
	}
	var answer []byte
	for _, s := range steps {
		if answer, err = do(control, s.command, s.message); err != nil {
			_, undo := do(control, devRemove, message("", 0, nil))
			return "", errors.Join(fmt.Errorf("%s: %w", s.doing, err), undo)
		}
	}
	return fmt.Sprintf("/dev/dm-%d", unix.Minor(binary.NativeEndian.Uint64(answer[atDevice:]))), nil
}

// status returns the status of the mapping's one target.
func status() (string, error) {
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer control.Close()
	answer, err := do(control, tableStatus, message("", 0, nil))
	if err != nil {
		return "", err
	}
	return parseStatus(answer)
}

func parseStatus(answer []byte) (string, error) {
	from := int(binary.NativeEndian.Uint32(answer[atDataStart:])) + specBytes
	if binary.NativeEndian.Uint32(answer[atTargets:]) != 1 || from > len(answer) {
		return "", errors.New("device mapper's answer doesn't hold one target")
	}
	text, _, _ := bytes.Cut(answer[from:], []byte{0})
	return string(text), nil
}

func do(control *os.File, command uintptr, m []byte) ([]byte, error) {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), request(command), uintptr(unsafe.Pointer(&m[0])))
	if errno != 0 {
		return nil, errno
	}
	return m, nil
}
