package secureboot

import (
	"errors"
	"fmt"
	"strings"
)

// AddonBytes is the size of every add-on before it is signed. Those of one signer
// are then all of one size, so that each fits in the place of another.
const AddonBytes = 8 << 10

// maxLine is the longest kernel line of x86, with its end (COMMAND_LINE_SIZE in
// Linux, arch/x86/include/asm/setup.h).
const maxLine = 2048

// sectionFill is what makes an add-on as large as the others. Nobody reads it.
const sectionFill = ".fill"

// Addon makes an add-on (UAPI Group Specification UKI, "PE Addons"): a program
// that is never started, whose .cmdline systemd's stub puts behind its own when
// firmware finds it as well signed as the stub itself (systemd-stub(7),
// \loader\addons\*.addon.efi; since systemd 254). An empty line gives one that
// says nothing. stub is addonx64.efi.stub.
func Addon(stub []byte, line string) ([]byte, error) {
	switch {
	case strings.ContainsAny(line, "\x00\n"):
		return nil, errors.New("make an add-on: the kernel line has a line break or a zero in it")
	case len(line) >= maxLine:
		return nil, fmt.Errorf("make an add-on: the kernel line has %d bytes, and a kernel reads %d", len(line), maxLine-1)
	}
	b, err := newBuilding(stub)
	if err == nil {
		err = b.add(sectionLine, []byte(line), dataSection)
	}
	if err == nil && len(b.p.data) >= AddonBytes {
		err = fmt.Errorf("it has %d bytes, and %d are for all add-ons", len(b.p.data), AddonBytes)
	}
	if err == nil {
		err = b.add(sectionFill, make([]byte, AddonBytes-len(b.p.data)), dataSection)
	}
	if err == nil && len(b.p.data) != AddonBytes {
		err = fmt.Errorf("its sections are aligned to %d bytes, and it has to be of %d", b.p.file, AddonBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("make an add-on: %w", err)
	}
	return b.finish(), nil
}

// Line gives the kernel line in a unified kernel image or an add-on; "" for none.
func Line(program []byte) (string, error) {
	p, err := parse(program)
	if err != nil {
		return "", err
	}
	text, _ := p.content(sectionLine)
	return string(text), nil
}

// StubName gives how a stub of systemd names itself: "systemd-stub 257.13-1~deb13u1".
func StubName(stub []byte) (string, error) {
	p, err := parse(stub)
	if err != nil {
		return "", err
	}
	magic, _ := p.content(".sdmagic")
	_, rest, ok := strings.Cut(string(magic), "#### LoaderInfo: ")
	name, _, closed := strings.Cut(rest, " ####")
	if !ok || !closed {
		return "", errors.New("the program is not systemd's stub: it has no section .sdmagic with its name")
	}
	return name, nil
}
