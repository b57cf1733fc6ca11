package main

import (
	"encoding/binary"
	"errors"
	"syscall"
)

// Numbers of rtnetlink(7).
const (
	newRoute, delRoute     = 24, 25
	newQdisc, delQdisc     = 36, 37
	newFilter, delFilter   = 44, 45
	ack, create, exclusive = 4, 0x400, 0x200
	echoing                = 8 // what is asked for comes back to who asks, and not only to who listens
)

// attribute appends an attribute, padded to 4 bytes.
func attribute(to []byte, kind uint16, data []byte) []byte {
	to = binary.NativeEndian.AppendUint16(to, uint16(4+len(data)))
	to = binary.NativeEndian.AppendUint16(to, kind)
	return append(append(to, data...), make([]byte, -len(data)&3)...)
}

func words(all ...uint32) []byte {
	var b []byte
	for _, w := range all {
		b = binary.NativeEndian.AppendUint32(b, w)
	}
	return b
}

// ask sends one message of rtnetlink and waits for the kernel's answer.
func ask(kind, flags uint16, body []byte) error {
	_, err := answer(kind, ack|flags, body)
	return err
}

// answer sends one message and returns what the kernel answers first.
func answer(kind, flags uint16, body []byte) (syscall.NetlinkMessage, error) {
	var none syscall.NetlinkMessage
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return none, err
	}
	defer syscall.Close(fd)
	patience := syscall.Timeval{Sec: 5} // the kernel answers at once, or never
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience); err != nil {
		return none, err
	}
	msg := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
	msg = binary.NativeEndian.AppendUint16(msg, kind)
	msg = binary.NativeEndian.AppendUint16(msg, 1|flags)
	msg = append(append(msg, words(1, 0)...), body...)
	if err := syscall.Sendto(fd, msg, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return none, err
	}
	buf := make([]byte, 8192)
	n, _, err := syscall.Recvfrom(fd, buf, 0)
	if err != nil {
		return none, err
	}
	all, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil || len(all) == 0 {
		return none, errors.Join(errors.New("the kernel's answer can't be read"), err)
	}
	if all[0].Header.Type == syscall.NLMSG_ERROR && len(all[0].Data) >= 4 {
		if code := int32(binary.NativeEndian.Uint32(all[0].Data)); code != 0 {
			return none, syscall.Errno(-code)
		}
	}
	return all[0], nil
}

// inside returns the attribute of a kind in a row of them; nil when it isn't there.
func inside(row []byte, kind uint16) []byte {
	for len(row) >= 4 {
		size, is := int(binary.NativeEndian.Uint16(row)), binary.NativeEndian.Uint16(row[2:])
		if size < 4 || size > len(row) {
			return nil
		}
		if is == kind {
			return row[4:size]
		}
		row = row[min(len(row), size+-size&3):]
	}
	return nil
}
