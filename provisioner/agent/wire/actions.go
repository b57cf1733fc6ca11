package wire

import "strings"

// Images of the actions that ra2-node does itself, in this order. In a
// Tinkerbell Template they are what stands in "image:".
const (
	ActionImage2Disk = "image2disk"  // write the image to the disk, read it back
	ActionAddon      = "addon"       // write the signed add-on of the kernel line to its place on ra2-esp; only where the host's class has words and the image is signed
	ActionNodeConfig = "node-config" // write Install.Config to ra2-config, grow ra2-data, make the disk bootable
	ActionKexec      = "kexec"       // start the installed system without another POST; reboots where it can't
)

// Environment of the actions: IMG_URL, DEST_DISK, COMPRESSED and CMD_LINE are
// those of Tinkerbell's public actions image2disk and kexec; the digests are
// ours. A URL may be a path ("/v1/image/..."): it is then on the agent API.
const (
	EnvImageURL     = "IMG_URL"       // image2disk
	EnvImageDigest  = "IMG_DIGEST"    // image2disk: "sha256:<hex>" of the raw image
	EnvImageBytes   = "IMG_BYTES"     // image2disk: length of the raw image, decimal; may be absent
	EnvCompressed   = "COMPRESSED"    // image2disk: "true" when the URL gives zstd
	EnvDisk         = "DEST_DISK"     // image2disk, addon, node-config: "serial:<s>" or "wwn:<w>"
	EnvAddonURL     = "ADDON_URL"     // addon
	EnvAddonDigest  = "ADDON_DIGEST"  // addon: "sha256:<hex>"
	EnvAddonOffset  = "ADDON_OFFSET"  // addon: its place in ra2-esp, bytes, decimal
	EnvAddonOld     = "ADDON_OLD"     // addon: "sha256:<hex>" of what the image has there, of the same length
	EnvKernelURL    = "KERNEL_URL"    // kexec
	EnvKernelDigest = "KERNEL_DIGEST" // kexec
	EnvInitrdURL    = "INITRD_URL"    // kexec
	EnvInitrdDigest = "INITRD_DIGEST" // kexec
	EnvCommandLine  = "CMD_LINE"      // kexec: kernel line of the installed system
)

// Names of the files of an image that the API serves.
const (
	FileImage  = "image.raw.zst"
	FileKernel = "kernel"
	FileInitrd = "initrd"
	FileAddon  = "addon" // not of an image: named by its own digest

	// ImageSuffix follows the digest in the path of an image.
	ImageSuffix = ".raw.zst"
)

// ImagePath returns the path of the image with this digest ("sha256:<hex>" or
// "<hex>") on the API.
func ImagePath(digest string) string { return PathImage + hexOf(digest) + ImageSuffix }

// KernelPath returns the path of the image's kernel on the API.
func KernelPath(digest string) string { return PathBoot + hexOf(digest) + "/" + FileKernel }

// InitrdPath returns the path of the image's initrd on the API.
func InitrdPath(digest string) string { return PathBoot + hexOf(digest) + "/" + FileInitrd }

// AddonPath returns the path of the signed add-on with this digest on the API.
func AddonPath(digest string) string { return PathAddon + hexOf(digest) }

// hexOf returns the hex digits of "sha256:<hex>" or "<hex>".
func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }
