// Package images is the factory of disposable systems: from a recipe to one
// whole-disk image, addressed by its digest.
//
//	Build(ctx, Spec{Kubernetes: true, Node: "bin/ra2-node"}, DefaultCache, report)
//
// # What comes out
//
// In <cache>/images/<digest>/, where digest is the sha256 of the raw disk:
//
//	image.raw.zst   the disk: GPT with ra2-esp, ra2-config, ra2-root, ra2-data
//	kernel, initrd  the same that lie on ra2-esp; network boot and kexec use them
//	manifest.json   Manifest
//	sbom.spdx.json  all that it holds (SPDX 2.3); the image has it too, in /usr/share/ra2
//
// and in <cache>/loaders the network boot loaders undionly.kpxe (BIOS),
// snponly.efi and ipxe.efi (UEFI), ipxe.iso (both, for virtual media).
//
// ra2-esp boots by UEFI (systemd-boot) and BIOS (syslinux). ra2-config is
// empty; the installer writes the node's configuration there. ra2-root is
// erofs and never changes: no SSH server, no password, no login prompt, no
// package manager that could fetch. ra2-data is ext4 and holds containerd's
// store with all container images unpacked; the installer makes it as large as
// the disk, the first boot resizes the file system.
//
// # What goes in
//
// A bundle (package bundle), and nothing else: packages, installed by the
// distribution's own package manager (package family and those below it), and
// container images. files/ is laid over it where no package has the file.
//
// Where the user gives no bundle, one is made in the cache of recipe.yaml and of
// what the distribution's mirror has today. Programs are built from Go modules
// (package gomod) and become packages (package pack) and container images of a
// single layer (package oci), so neither a registry nor a release page is ever
// asked. The package guest holds the small programs of our own inside: pause,
// ra2-probe, ra2-disturb, ra2-read, and the CNI plugin flannel. Sources gives the
// same to who makes a bundle to keep.
//
// The program ra2-node comes from this host, packed as any other, or from the
// bundle.
//
// # The cache
//
// Each result is addressed by all its inputs and appears whole or not at all:
//
//	program/    one Go program: module version and sum, flags, compiler
//	own/        a package made of such programs
//	base/       unpacked packages that container images have programs of
//	container/  a container image, as an OCI layout
//	fetched/    packages as they came from a mirror, by digest
//	bundle/     a bundle that was made here
//	tree/       an installed system, without ra2-node: digests of its packages
//	package/    unpacked packages: kernel, boot loaders
//	data/       the data partition's file system
//	netboot/    signed programs that hosts boot from the network (Secure Boot)
//	input/      inputs of a whole build, to the digest of its image
//
// A second build with the same inputs reads one file. A changed ra2-node
// rebuilds initrd, root and disk. A bundle that is made here has the packages of
// its day: the manifest lists their versions, and it is made anew when the
// recipe changes or its folder is removed. One process builds at a time.
//
// The same inputs give the same bytes, whenever and wherever they are built
// (Check proves it): every time stamp is disk.Epoch, every identifier comes from
// the inputs, and what a program writes in its own order is written anew in ours.
//
// Building needs root, because files of the system belong to their owners.
// Nothing is mounted, but for /proc and a few devices that scriptlets of rpm
// packages expect, in a mount namespace of their own.
package images
