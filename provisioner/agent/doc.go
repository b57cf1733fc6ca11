// Package agent is the conversation between a host's ra2-node and the
// provisioner: claim, word, report. It is HTTPS with JSON (RFC 8259) bodies;
// the host trusts one public key only (the pin), the provisioner trusts a
// one-time ticket first and the session that the claim gave afterwards.
package agent

import "github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"

// The nouns of package wire, for those who speak and don't only decide.
type (
	Claim      = wire.Claim      // see package wire
	InBand     = wire.InBand     // see package wire
	Disk       = wire.Disk       // see package wire
	Session    = wire.Session    // see package wire
	Hello      = wire.Hello      // see package wire
	Word       = wire.Word       // see package wire
	Install    = wire.Install    // see package wire
	Action     = wire.Action     // see package wire
	NodeConfig = wire.NodeConfig // see package wire
	Mirror     = wire.Mirror     // see package wire
	Join       = wire.Join       // see package wire
	File       = wire.File       // see package wire
	Phase      = wire.Phase      // see package wire
	Report     = wire.Report     // see package wire
)

// The constants of package wire.
const (
	InterfacePlaceholder = wire.InterfacePlaceholder
	PathClaim            = wire.PathClaim
	PathWord             = wire.PathWord
	PathReport           = wire.PathReport
	PathImage            = wire.PathImage
	PathBoot             = wire.PathBoot
	PathAddon            = wire.PathAddon
	ConditionRootCorrupt = wire.ConditionRootCorrupt
	ConditionKernelLine  = wire.ConditionKernelLine
	StageInstaller       = wire.StageInstaller
	StageNode            = wire.StageNode
	StatusStarted        = wire.StatusStarted
	StatusNoted          = wire.StatusNoted
	StatusDone           = wire.StatusDone
	StatusFailed         = wire.StatusFailed
	ActionImage2Disk     = wire.ActionImage2Disk
	ActionAddon          = wire.ActionAddon
	ActionNodeConfig     = wire.ActionNodeConfig
	ActionKexec          = wire.ActionKexec
	EnvImageURL          = wire.EnvImageURL
	EnvImageDigest       = wire.EnvImageDigest
	EnvImageBytes        = wire.EnvImageBytes
	EnvCompressed        = wire.EnvCompressed
	EnvDisk              = wire.EnvDisk
	EnvAddonURL          = wire.EnvAddonURL
	EnvAddonDigest       = wire.EnvAddonDigest
	EnvAddonOffset       = wire.EnvAddonOffset
	EnvAddonOld          = wire.EnvAddonOld
	EnvKernelURL         = wire.EnvKernelURL
	EnvKernelDigest      = wire.EnvKernelDigest
	EnvInitrdURL         = wire.EnvInitrdURL
	EnvInitrdDigest      = wire.EnvInitrdDigest
	EnvCommandLine       = wire.EnvCommandLine
	FileImage            = wire.FileImage
	FileKernel           = wire.FileKernel
	FileInitrd           = wire.FileInitrd
	FileAddon            = wire.FileAddon
	PartESP              = wire.PartESP
	PartConfig           = wire.PartConfig
	PartRoot             = wire.PartRoot
	PartVerity           = wire.PartVerity
	PartData             = wire.PartData
	ConfigBytes          = wire.ConfigBytes
)

// EncodeConfig returns the content of the partition ra2-config.
func EncodeConfig(c NodeConfig) ([]byte, error) { return wire.EncodeConfig(c) }

// DecodeConfig reads the content of a partition ra2-config and checks it.
func DecodeConfig(part []byte) (NodeConfig, error) { return wire.DecodeConfig(part) }

// ImagePath returns the path of an image on the API.
func ImagePath(digest string) string { return wire.ImagePath(digest) }

// KernelPath returns the path of an image's kernel on the API.
func KernelPath(digest string) string { return wire.KernelPath(digest) }

// InitrdPath returns the path of an image's initrd on the API.
func InitrdPath(digest string) string { return wire.InitrdPath(digest) }

// AddonPath returns the path of a signed add-on of the kernel line on the API.
func AddonPath(digest string) string { return wire.AddonPath(digest) }
