package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// Numbers of linux/bpf.h, linux/pkt_cls.h and linux/pkt_sched.h.
const (
	progLoad, schedCls          = 5, 3
	bpfFD, bpfName, bpfFlags    = 6, 7, 8
	actDirect                   = 1
	clsact, clsactOut           = 0xfffffff1, 0xfffffff3
	everyProtocol               = 0x0300 // ETH_P_ALL, as it stands in a packet
	priority                    = 0x2a2  // of our filter, by which one that a killed run has left is known
	helperClock, helperRedirect = 5, 23
)

// lead leads all that leaves the link to another one, for so long.
func (d *detoured) lead(to int, longest time.Duration) error {
	fd, err := load(program(to, monotonic()+uint64(longest)))
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	switch err := ask(newQdisc, create|exclusive, d.exit()); {
	case err == nil:
		d.made = true
	case errors.Is(err, syscall.EEXIST): // somebody else's, or left: our filter goes beside what is there
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EOPNOTSUPP):
		return lacks{fmt.Errorf("the node's kernel has no clsact, module sch_ingress: %w", err)}
	default:
		return fmt.Errorf("clsact on %s: %w", d.name, err)
	}
	_ = ask(delFilter, 0, d.filter())
	options := attribute(attribute(attribute(nil, bpfFD, words(uint32(fd))), bpfName, []byte("ra2-disturb\x00")), bpfFlags, words(actDirect))
	err = ask(newFilter, create|exclusive, attribute(attribute(d.filter(), tcaKind, []byte("bpf\x00")), tcaOptions, options))
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EOPNOTSUPP) {
		err = lacks{fmt.Errorf("the node's kernel has no classifier by BPF, module cls_bpf: %w", err)}
	}
	return err
}

// exit returns the message about a link's clsact (struct tcmsg).
func (d *detoured) exit() []byte {
	return attribute(words(0, uint32(d.at), 0xffff0000, clsact, 0), tcaKind, []byte("clsact\x00"))
}

// filter returns the message about our filter there.
func (d *detoured) filter() []byte {
	return words(0, uint32(d.at), 0, clsactOut, priority<<16|everyProtocol)
}

// release lets packets go straight again.
func (d *detoured) release() error {
	message, body := uint16(delFilter), d.filter()
	if d.made {
		message, body = delQdisc, d.exit()
	}
	err := ask(message, 0, body)
	if errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EINVAL) {
		return nil // the link is gone, or the filter never was there
	}
	return err
}

// program returns instructions that lead a packet to a link until a moment of the
// monotonic clock, and let it pass after that.
func program(to int, until uint64) []byte {
	var p []byte
	add := func(code, registers byte, offset int16, value uint32) {
		p = binary.NativeEndian.AppendUint16(append(p, code, registers), uint16(offset))
		p = binary.NativeEndian.AppendUint32(p, value)
	}
	add(0x85, 0, 0, helperClock)    // r0 = nanoseconds
	add(0x18, 1, 0, uint32(until))  // r1 = until
	add(0, 0, 0, uint32(until>>32)) //
	add(0x2d, 0|1<<4, 4, 0)         // if r0 > r1: pass
	add(0xb7, 1, 0, uint32(to))     // r1 = link
	add(0xb7, 2, 0, 0)              // r2 = no flags: to its exit
	add(0x85, 0, 0, helperRedirect) //
	add(0x95, 0, 0, 0)              // return what that says
	add(0xb7, 0, 0, 0)              // pass: TC_ACT_OK
	add(0x95, 0, 0, 0)              //
	return p
}

// monotonic returns the clock that a program sees.
func monotonic() uint64 {
	var now syscall.Timespec
	_, _, _ = syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&now)), 0)
	return uint64(now.Nano())
}

// load gives a program to the kernel.
func load(p []byte) (int, error) {
	number := map[string]uintptr{"amd64": 321, "arm64": 280}[runtime.GOARCH] // bpf(2)
	license := []byte("GPL\x00")                                             // the clock's helper asks for it
	var attributes struct {
		kind, count uint32
		program     unsafe.Pointer
		license     unsafe.Pointer
		_           [96]byte
	}
	attributes.kind, attributes.count = schedCls, uint32(len(p)/8)
	attributes.program, attributes.license = unsafe.Pointer(&p[0]), unsafe.Pointer(&license[0])
	fd, _, errno := syscall.Syscall(number, progLoad, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	runtime.KeepAlive(p)
	runtime.KeepAlive(license)
	if errno != 0 {
		return -1, lacks{fmt.Errorf("the node's kernel doesn't take a program of BPF: %w", errno)}
	}
	return int(fd), nil
}
