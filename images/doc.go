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
// recipe.yaml. Programs are built from Go modules (package gomod), the system
// comes from Debian packages (package deb), files/ is laid over it. The
// container images are single layers made here (package oci), so neither a
// registry nor a release page is ever asked. The package guest holds the small
// programs of our own inside the images: pause, ra2-probe, and the CNI plugin
// flannel.
//
// # The cache
//
// Each result is addressed by all its inputs and appears whole or not at all:
//
//	program/    one Go program: module version and sum, flags, compiler
//	tree/       an installed Debian system: package list and mirror
//	package/    unpacked Debian packages: kernel, boot loaders
//	container/  a container image's archive
//	data/       the data partition's file system
//	input/      inputs of a whole build, to the digest of its image
//
// A second build with the same inputs reads one file. A changed ra2-node
// rebuilds initrd, root and disk. Debian's packages are those of the day that
// the tree was made: the manifest lists their versions, and a tree is made anew
// when its list changes or its folder is removed. One process builds at a time.
//
// The same inputs give the same bytes, whenever and wherever they are built
// (Check proves it): every time stamp is disk.Epoch, every identifier comes from
// the inputs, and what a program writes in its own order is written anew in ours.
//
// Building needs root, because files of the system belong to their owners.
// Nothing is mounted.
package images
