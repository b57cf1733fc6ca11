// Package secureboot makes boot programs that UEFI firmware verifies, and
// speaks of the keys that it verifies them by.
//
//	program, err := secureboot.Unified(stub, secureboot.Parts{Linux: kernel, Initrd: initrd, Line: line})
//	signed, err := signer.Sign(program)
//
// A unified kernel image (UKI) is systemd's stub with kernel, initrd and kernel
// line as sections of one PE/COFF program, so that one signature covers all that
// decides what runs (UAPI Group Specification UKI; systemd-stub(7)). The
// signature is Authenticode (Microsoft, "Windows Authenticode Portable
// Executable Signature Format", 1.0), which UEFI 2.10, 32.2.2 takes over. It
// holds no time, so the same program and key give the same bytes.
//
// List is what the variables PK, KEK, db and dbx hold (UEFI 2.10, 32.4.1).
//
// Everything that comes from elsewhere (programs, signatures, lists) is bounded
// by its own lengths: nothing is read past an end, and what is malformed is an
// error.
package secureboot
