package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Where the kernel has no netem, packets make a detour: a program of a few
// instructions (bpf.go) at the link's exit (clsact) leads them to a tap, this process
// reads them there, disturbs them, and sends them on behind that exit.

// Numbers of linux/if_tun.h, linux/if_packet.h and linux/if_ether.h.
const (
	tunSetIff       = 0x400454ca
	iffTap, iffNoPI = 0x2, 0x1000
	qdiscBypass     = 20 // packet(7): sent past the queue, and past our program
	ethernet        = 14 // bytes of a header
	waiting         = 1 << 14
)

// detoured is a link whose packets make a detour.
type detoured struct {
	name  string
	at    int      // index of the link
	made  bool     // whether its clsact is ours
	tap   *os.File // gone with this process, whatever ends it
	out   int      // socket that sends on the link
	kind  string
	count atomic.Int64
	late  chan packet
	done  sync.WaitGroup
}

// packet is one that waits.
type packet struct {
	frame []byte
	due   time.Time
}

// detour leads what leaves by a link through this process, for no longer than longest
// and a little more: the program at its exit looks at the clock, so that a pod is
// whole again even if this process is killed.
func detour(l net.Interface, kind string, longest time.Duration) (link, error) {
	if len(l.HardwareAddr) != 6 {
		return nil, lacks{fmt.Errorf("%s is no Ethernet link", l.Name)}
	}
	d := &detoured{name: l.Name, at: l.Index, kind: kind, late: make(chan packet, waiting), out: -1}
	tap, index, err := newTap(l)
	if err != nil {
		return nil, err
	}
	d.tap = tap
	if d.out, err = sender(l); err != nil {
		return nil, errors.Join(err, d.undo())
	}
	if err := d.lead(index, longest+10*time.Second); err != nil {
		return nil, errors.Join(err, d.undo())
	}
	d.done.Add(2)
	go d.read(l.HardwareAddr)
	go d.send()
	return d, nil
}

// newTap makes a tap in this thread's network, for packets as large as a link's.
func newTap(l net.Interface) (*os.File, int, error) {
	fd, err := openTun()
	if err != nil {
		return nil, 0, err
	}
	name := fmt.Sprintf("ra2tap%d", l.Index)
	var request [40]byte // struct ifreq
	copy(request[:15], name)
	binary.NativeEndian.PutUint16(request[16:], iffTap|iffNoPI)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&request[0]))); errno != 0 {
		return nil, 0, errors.Join(lacks{fmt.Errorf("make a tap: %w", errno)}, syscall.Close(fd))
	}
	tap := os.NewFile(uintptr(fd), name) // not before: Go polls it from now on, and there was nothing to poll
	made, err := net.InterfaceByName(name)
	if err == nil {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0o644) // it has nothing to say itself; read drops what it says
		up := words(0, uint32(made.Index), syscall.IFF_UP, syscall.IFF_UP)                    // struct ifinfomsg
		err = ask(syscall.RTM_NEWLINK, 0, attribute(up, syscall.IFLA_MTU, words(uint32(l.MTU))))
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("set the tap up: %w", err), tap.Close())
	}
	return tap, made.Index, nil
}

// openTun opens the device of taps, also where /dev doesn't have it (10:200,
// Documentation/admin-guide/devices.txt).
func openTun() (int, error) {
	const flags = syscall.O_RDWR | syscall.O_CLOEXEC | syscall.O_NONBLOCK
	fd, err := syscall.Open("/dev/net/tun", flags, 0)
	if err == nil {
		return fd, nil
	}
	dir, failed := os.MkdirTemp("", "ra2-disturb-")
	if failed != nil {
		return -1, lacks{errors.Join(err, failed)}
	}
	defer os.RemoveAll(dir)
	if err = syscall.Mknod(dir+"/tun", syscall.S_IFCHR|0o600, 10<<8|200); err == nil {
		fd, err = syscall.Open(dir+"/tun", flags, 0)
	}
	if err != nil {
		return -1, lacks{fmt.Errorf("there is no device for taps: %w", err)}
	}
	return fd, nil
}

// sender returns a socket that sends whole frames on a link, behind its exit.
func sender(l net.Interface) (int, error) {
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = errors.Join(syscall.SetsockoptInt(fd, syscall.SOL_PACKET, qdiscBypass, 1), syscall.Bind(fd, &syscall.SockaddrLinklayer{Ifindex: l.Index}))
	if err != nil {
		return -1, errors.Join(err, syscall.Close(fd))
	}
	return fd, nil
}

// read takes packets from the tap and lets them wait, until the tap is closed. What
// the tap says itself isn't the pod's.
func (d *detoured) read(by net.HardwareAddr) {
	defer d.done.Done()
	defer close(d.late)
	buf := make([]byte, 1<<16)
	for {
		n, err := d.tap.Read(buf)
		if err != nil {
			return
		}
		if n < ethernet || net.HardwareAddr(buf[6:12]).String() != by.String() {
			continue
		}
		p := packet{append([]byte(nil), buf[:n]...), time.Now()}
		if d.kind == "latency" {
			p.due = p.due.Add(latency)
		}
		select {
		case d.late <- p:
		default: // as netem drops what is more than its limit
		}
	}
}

// send sends packets when they are due, in their order.
func (d *detoured) send() {
	defer d.done.Done()
	for p := range d.late {
		time.Sleep(time.Until(p.due))
		switch {
		case d.kind == "corruption" && rand.N(100) < corruption:
			bit := ethernet*8 + rand.N((len(p.frame)-ethernet)*8)
			p.frame[bit/8] ^= 1 << (bit % 8)
		case d.kind == "duplication":
			_, _ = syscall.Write(d.out, p.frame)
		}
		_, _ = syscall.Write(d.out, p.frame) // what a link doesn't take is lost, as on a wire
		d.count.Add(1)
	}
}

// passed implements link.
func (d *detoured) passed() int64 { return d.count.Load() }

// undo implements link: new packets go straight, and those that wait go out.
func (d *detoured) undo() error {
	err := d.release()
	err = errors.Join(err, d.tap.Close())
	d.done.Wait()
	if d.out >= 0 {
		err = errors.Join(err, syscall.Close(d.out))
	}
	return err
}
