package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// Numbers of linux/rtnetlink.h.
const (
	tableMain, routeUnreachable = 254, 7
	routeByUs                   = 250 // of the numbers that are free for programs
)

// route returns the message about an unreachable route (struct rtmsg).
func route(a netip.Addr) []byte {
	family := byte(syscall.AF_INET)
	if a.Is6() {
		family = syscall.AF_INET6
	}
	msg := []byte{family, byte(a.BitLen()), 0, 0, tableMain, routeByUs, 0, routeUnreachable, 0, 0, 0, 0}
	return attribute(msg, 1, a.AsSlice()) // RTA_DST
}

// cutOff are addresses that a pod can't reach any more.
type cutOff []netip.Addr

// cut takes the ways to some addresses away from a pod. Those that it had no way to
// are left out.
func cut(pid int, all []netip.Addr) (string, disturbance, error) {
	if len(all) == 0 {
		return "", nil, lacks{errors.New("no address is named")}
	}
	if err := enterNet(pid); err != nil {
		return "", nil, err
	}
	var done cutOff
	var never []string
	for _, a := range all {
		_ = ask(delRoute, 0, route(a)) // of ours, that a run that was killed has left
		if err := way(a); err != nil {
			never = append(never, fmt.Sprintf("%v: %v", a, err))
			continue
		}
		err := ask(newRoute, create|exclusive, route(a))
		if err == nil {
			done = append(done, a)
			if way(a) == nil {
				err = errors.New("the pod's network has a way that goes before ours")
			}
		}
		if err != nil {
			_, _, undone := done.undo()
			return "", nil, errors.Join(fmt.Errorf("make %v unreachable: %w", a, err), undone)
		}
	}
	if done == nil {
		return "", nil, lacks{fmt.Errorf("the pod had no way there before: %s", strings.Join(never, "; "))}
	}
	return fmt.Sprintf("%v can't be reached", []netip.Addr(done)), done, nil
}

// way asks the kernel for its way to an address: connecting a socket for datagrams
// does that, and sends nothing (udp(7)).
func way(a netip.Addr) error {
	family, to := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Port: 53, Addr: a.As16()})
	if a.Is4() {
		family, to = syscall.AF_INET, &syscall.SockaddrInet4{Port: 53, Addr: a.As4()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Connect(fd, to)
}

// undo implements disturbance. That there was no way any more was seen when it began;
// that it stayed so is seen here.
func (c cutOff) undo() (string, bool, error) {
	var errs []error
	var open []netip.Addr
	for _, a := range c {
		if way(a) == nil {
			open = append(open, a)
		}
		if err := ask(delRoute, 0, route(a)); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	if open != nil {
		return fmt.Sprintf("%v could be reached in the end, before that was undone", open), false, errors.Join(errs...)
	}
	return fmt.Sprintf("%v can be reached again", []netip.Addr(c)), true, errors.Join(errs...)
}

// over implements disturbance.
func (cutOff) over() <-chan struct{} { return nil }
