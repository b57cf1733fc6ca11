package step

import (
	"reflect"
	"time"
)

// A Verb is one thing this program can do to a machine or to a cluster. This
// file lists all of them; nothing else in the program changes anything.
type Verb interface {
	Risk() Risk
	Limits() Limits
}

// Risk says what a verb can cost.
type Risk int

// The risks, lowest first.
const (
	Reads   Risk = iota // looks and changes nothing
	Changes             // changes settings and loses nothing
	Reboots             // takes the host down for some minutes
	Erases              // destroys data
)

// String returns the glyph that a plan prints before a step.
func (r Risk) String() string { return [...]string{" ", "~", "!", "-"}[r] }

// Word returns the risk as JSON tells it.
func (r Risk) Word() string { return [...]string{"reads", "changes", "reboots", "erases"}[r] }

// Name returns the name of a verb, as plans and JSON print it.
func Name(v Verb) string { return reflect.TypeOf(v).Name() }

// Limits bound the work of a verb. A timeout is a failure. It is longer than
// the waits of the verb together: a wait that ends says what was missing, and
// this only that nothing ended.
type Limits struct {
	Timeout time.Duration // for one try
	Tries   int
}

// SetBIOS writes the vendor attributes that differ. With Restart the host is
// restarted and the step ends when they are read back after POST; without, the
// power-on of the Install that follows applies them and reads them back.
type SetBIOS struct {
	Attributes map[string]any `json:"attributes"` // vendor attribute name to wanted value
	Restart    bool           `json:"restart"`
}

// Enroll brings a certificate into the db of the host's firmware, beside those
// that are there, and switches Secure Boot on. Restart is as in SetBIOS: without
// it the Install that follows brings it in force, and the machine itself tells
// so before its disk is touched.
type Enroll struct {
	Certificate string `json:"certificate"` // fingerprint, "sha256:<hex>"
	Restart     bool   `json:"restart"`
}

// Inspect boots the host from the network into the installer, which tells what
// the machine is made of and writes nothing; then the host is switched off.
type Inspect struct{}

// Install boots the host from the network and writes the image to the disk
// with this serial or WWN. It erases that disk and no other.
type Install struct {
	Image      string         `json:"image"`              // digest of the image, "sha256:<hex>"
	Generation string         `json:"generation"`         // digest of all that determines the node
	Disk       string         `json:"disk"`               // "serial:<s>" or "wwn:<w>"
	Firmware   map[string]any `json:"firmware,omitempty"` // BIOS attributes that must hold after POST, before the disk is touched

	KernelLine string `json:"kernelLine,omitempty"` // what the host's class adds to the image's own
}

// Wake switches on a host that holds its image already, or waits for it to
// speak; a host that stays silent is power-cycled once.
type Wake struct {
	Generation string `json:"generation"`
}

// Form creates the cluster: kubeadm init on the first control plane.
type Form struct{}

// Join makes the host a node of the cluster: kubeadm join.
type Join struct {
	ControlPlane bool `json:"controlPlane"`
}

// Settle waits until what earlier steps brought about can be seen: the API
// server and the virtual addresses answer, or the node is Ready and its etcd
// member votes.
type Settle struct {
	For string `json:"for"` // SettleAPI, SettleAddress or SettleMember
}

// What Settle can wait for.
const (
	SettleAPI     = "api"     // an API server answers
	SettleAddress = "address" // the virtual addresses answer, in every family
	SettleMember  = "member"  // the step's host is Ready; a control plane's etcd member votes
)

// Apply brings the cluster's own objects (pod network) to what the inventory
// wants.
type Apply struct {
	Objects string `json:"objects"` // digest of the rendered objects
}

// Probe proves that pods of different nodes reach each other in every family,
// with two pods of its own that it removes afterwards.
type Probe struct{}

// Remove takes a node out of the cluster, its etcd member first, and only
// while the others keep quorum.
type Remove struct {
	ControlPlane bool `json:"controlPlane"`
}

// PowerOff switches the host off. Its disks keep what they hold.
type PowerOff struct{}

// Risk implements Verb.
func (SetBIOS) Risk() Risk { return Reboots }

// Risk implements Verb.
func (Enroll) Risk() Risk { return Reboots }

// Risk implements Verb.
func (Inspect) Risk() Risk { return Reboots }

// Risk implements Verb.
func (Install) Risk() Risk { return Erases }

// Risk implements Verb.
func (Wake) Risk() Risk { return Reboots }

// Risk implements Verb.
func (Form) Risk() Risk { return Changes }

// Risk implements Verb.
func (Join) Risk() Risk { return Changes }

// Risk implements Verb.
func (Settle) Risk() Risk { return Reads }

// Risk implements Verb.
func (Apply) Risk() Risk { return Changes }

// Risk implements Verb.
func (Probe) Risk() Risk { return Changes }

// Risk implements Verb.
func (Remove) Risk() Risk { return Erases }

// Risk implements Verb.
func (PowerOff) Risk() Risk { return Reboots }

// Limits implements Verb.
func (SetBIOS) Limits() Limits { return Limits{25 * time.Minute, 2} }

// Limits implements Verb.
func (Enroll) Limits() Limits { return Limits{25 * time.Minute, 2} }

// Limits implements Verb.
func (Inspect) Limits() Limits { return Limits{140 * time.Minute, 2} }

// Limits implements Verb.
func (Install) Limits() Limits { return Limits{180 * time.Minute, 3} }

// Limits implements Verb.
func (Wake) Limits() Limits { return Limits{45 * time.Minute, 1} }

// Limits implements Verb.
func (Form) Limits() Limits { return Limits{40 * time.Minute, 2} }

// Limits implements Verb.
func (Join) Limits() Limits { return Limits{60 * time.Minute, 2} }

// Limits implements Verb.
func (Settle) Limits() Limits { return Limits{20 * time.Minute, 1} }

// Limits implements Verb.
func (Apply) Limits() Limits { return Limits{5 * time.Minute, 5} }

// Limits implements Verb.
func (Probe) Limits() Limits { return Limits{10 * time.Minute, 3} }

// Limits implements Verb.
func (Remove) Limits() Limits { return Limits{10 * time.Minute, 2} }

// Limits implements Verb.
func (PowerOff) Limits() Limits { return Limits{5 * time.Minute, 3} }
