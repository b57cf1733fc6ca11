package step

import "time"

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

// Limits bound the work of a verb. A timeout is a failure.
type Limits struct {
	Timeout time.Duration // for one try
	Tries   int
}

// SetBIOS writes the vendor attributes that differ and restarts the host to
// apply them. The step is done when they are read back after POST.
type SetBIOS struct {
	Attributes map[string]any `json:"attributes"` // vendor attribute name to wanted value
}

// Install boots the host from the network and writes the image to the disk
// with this serial or WWN. It erases that disk and no other.
type Install struct {
	Image      string `json:"image"`      // digest of the image, "sha256:<hex>"
	Generation string `json:"generation"` // digest of all that determines the node
	Disk       string `json:"disk"`       // "serial:<s>" or "wwn:<w>"
}

// Form creates the cluster: kubeadm init on the first control plane.
type Form struct{}

// Join makes the host a node of the cluster: kubeadm join.
type Join struct {
	ControlPlane bool `json:"controlPlane"`
}

// Apply brings the cluster's own objects (pod network, labels) to what the
// inventory wants.
type Apply struct {
	Objects string `json:"objects"` // digest of the rendered objects
}

// PowerOff switches the host off. Its disks keep what they hold.
type PowerOff struct{}

// Risk implements Verb.
func (SetBIOS) Risk() Risk { return Reboots }

// Risk implements Verb.
func (Install) Risk() Risk { return Erases }

// Risk implements Verb.
func (Form) Risk() Risk { return Changes }

// Risk implements Verb.
func (Join) Risk() Risk { return Changes }

// Risk implements Verb.
func (Apply) Risk() Risk { return Changes }

// Risk implements Verb.
func (PowerOff) Risk() Risk { return Reboots }

// Limits implements Verb. POST of a server with much memory takes minutes.
func (SetBIOS) Limits() Limits { return Limits{15 * time.Minute, 2} }

// Limits implements Verb.
func (Install) Limits() Limits { return Limits{30 * time.Minute, 3} }

// Limits implements Verb.
func (Form) Limits() Limits { return Limits{30 * time.Minute, 2} }

// Limits implements Verb.
func (Join) Limits() Limits { return Limits{30 * time.Minute, 2} }

// Limits implements Verb.
func (Apply) Limits() Limits { return Limits{5 * time.Minute, 5} }

// Limits implements Verb.
func (PowerOff) Limits() Limits { return Limits{5 * time.Minute, 3} }
