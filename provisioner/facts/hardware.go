package facts

import "slices"

// Hardware is what a machine is made of: as its management controller tells,
// or as the machine sees itself (sysfs, SMBIOS, PCI). A list is nil when
// nobody told of such parts, and empty when it is known that there are none.
type Hardware struct {
	Processors []Processor       `json:"processors,omitempty"`
	MemoryGiB  *float64          `json:"memoryGiB,omitempty"`  // what is installed, not what the firmware leaves
	NUMANodes  *int              `json:"numaNodes,omitempty"`  //
	SMT        *bool             `json:"smt,omitempty"`        // threads share cores now
	CanSMT     *bool             `json:"canSMT,omitempty"`     // the processors have SMT, on or off
	Drives     []Drive           `json:"drives,omitempty"`     //
	Ports      []Port            `json:"ports,omitempty"`      //
	Slots      []Slot            `json:"slots,omitempty"`      // nil when nobody told of slots
	SecureBoot *bool             `json:"secureBoot,omitempty"` // enabled and in force
	TPM        string            `json:"tpm,omitempty"`        // "TPM2_0", "TPM1_2", "disabled", "none"; empty is unknown
	From       map[string]string `json:"from,omitempty"`       // JSON name of a scalar above to what told it
	Partial    []string          `json:"partial,omitempty"`    // JSON names of the lists above of which more may be there than was told
}

// Whole reports whether a list, by its JSON name, was told to its end, so that
// what isn't in it isn't there.
func (h Hardware) Whole(list string) bool { return !slices.Contains(h.Partial, list) }

// Processor is one socket that holds an enabled CPU.
type Processor struct {
	Model   string `json:"model,omitempty"`
	Cores   int    `json:"cores"`          // 0 is unknown
	Threads int    `json:"threads"`        // 0 is unknown
	From    string `json:"from,omitempty"` // "/redfish/v1/Systems/1/Processors/CPU1", "SMBIOS type 4", "sysfs"
}

// Drive is one disk.
type Drive struct {
	Name     string `json:"name,omitempty"`
	Model    string `json:"model,omitempty"`
	Serial   string `json:"serial,omitempty"`
	WWN      string `json:"wwn,omitempty"`
	Media    string `json:"media,omitempty"`    // "SSD", "HDD"; empty is unknown
	Protocol string `json:"protocol,omitempty"` // "NVMe", "SATA", "SAS"; empty is unknown
	Bytes    int64  `json:"bytes,omitempty"`    // 0 is unknown
	From     string `json:"from,omitempty"`
}

// Port is one Ethernet port of a network adapter.
type Port struct {
	MAC       string   `json:"mac,omitempty"`       // lower case, colons
	Adapter   string   `json:"adapter,omitempty"`   // model of the card
	SpeedGbps *float64 `json:"speedGbps,omitempty"` // the fastest that it can do; nil is unknown
	LinkGbps  *float64 `json:"linkGbps,omitempty"`  // what the link runs at now, so that it can do at least that; nil when down or unknown
	LinkUp    *bool    `json:"linkUp,omitempty"`
	SRIOV     *bool    `json:"sriov,omitempty"`  // the card can do SR-IOV
	MaxVFs    *int     `json:"maxVFs,omitempty"` // virtual functions of this port at most
	From      string   `json:"from,omitempty"`
}

// Slot is one PCIe slot.
type Slot struct {
	Name       string `json:"name,omitempty"`
	Type       string `json:"type,omitempty"`    // Redfish SlotType: "FullLength", "OCP3Small", "U2"; empty is unknown
	Generation int    `json:"generation"`        // 3 for Gen3; 0 is unknown
	Lanes      int    `json:"lanes"`             // 0 is unknown
	AtLeast    bool   `json:"atLeast,omitempty"` // generation and lanes are those of the card in it; the slot may do more
	From       string `json:"from,omitempty"`
}
