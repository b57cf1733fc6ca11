package redfish

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// manners are what a controller does otherwise than DSP0266 and DSP0268 say,
// or what they leave open. The zero value is a controller by the book.
type manners struct {
	enabledAlways bool          // BootSourceOverrideEnabled falls back when another field is written without it
	wholeBoot     bool          // the override is taken only with all three fields
	cd            text          // BootSourceOverrideTarget of the virtual CD; empty is "Cd"
	gap           time.Duration // after an answer that says "busy" or 5xx, the next request is too early before this
}

// over returns m with what the row sets.
func (m manners) over(row manners) manners {
	m.enabledAlways = m.enabledAlways || row.enabledAlways
	m.wholeBoot = m.wholeBoot || row.wholeBoot
	if row.cd != "" {
		m.cd = row.cd
	}
	if row.gap != 0 {
		m.gap = row.gap
	}
	return m
}

// A quirk is one row of the table: which controllers, what they do, and who
// says so. Later rows win over earlier ones.
type quirk struct {
	name        string  // also that of its test
	vendor      string  // of the service root, by its letters and digits; see vendorOf
	model       string  // regular expression on ComputerSystem.Model; empty is every model
	from, below string  // Manager.FirmwareVersion: from <= version < below; empty is unbounded
	what        manners //
	source      string  // where it is reported
}

// quirks are all rows. What a controller can be asked, such as which targets it
// takes, where its settings are, whether it has an action, is asked and has
// no row. The maker of the chassis is not looked at: rebadged servers name
// another one than the maker of their controller (Ironic release note
// fix-detect-vendor-serviceroot).
func quirks() []quirk {
	return []quirk{
		{name: "supermicro-enabled", vendor: "Supermicro", what: manners{enabledAlways: true},
			source: "Ironic release note supermicro-redfish-override: Enabled falls back to Once unless it is sent"},
		{name: "supermicro-usbcd", vendor: "Supermicro", what: manners{cd: "UsbCd"},
			source: "sushy release note change-bootdev-smc; the recorded SYS-821GE-TNHR offers both Cd and UsbCd"},
		{name: "supermicro-grace-cd", vendor: "Supermicro", model: `(?i)^ars-111gl`, what: manners{cd: "Cd"},
			source: "sushy release note supermicro-vmedia-dev"},
		{name: "asrockrack-whole-boot", vendor: "ASRockRack", what: manners{wholeBoot: true},
			source: "Ironic release note redfish-full-boot-payload-asrockrack"},
		{name: "idrac-4-gap", vendor: "Dell", from: "4", below: "5", what: manners{gap: 10 * time.Second},
			source: "sushy release note increase-server-retries: 10 s between operations in the 4.x series"},
		{name: "idrac-5-gap", vendor: "Dell", from: "5", below: "6", what: manners{gap: 20 * time.Second},
			source: "sushy release note increase-server-retries: almost 20 s between operations in the 5.x series"},
	}
}

// mannersOf returns what the table says of one controller. A version that isn't
// known is in no range.
func mannersOf(table []quirk, vendor, model, version string) manners {
	var m manners
	for _, q := range table {
		if q.ofVendor(vendor) && q.ofModel(model) && q.ofVersion(version) {
			m = m.over(q.what)
		}
	}
	return m
}

func (q quirk) ofVendor(vendor string) bool {
	return vendor != "" && strings.HasPrefix(letters(vendor), letters(q.vendor))
}

func (q quirk) ofModel(model string) bool {
	return q.model == "" || regexp.MustCompile(q.model).MatchString(model)
}

func (q quirk) ofVersion(version string) bool {
	if q.from == "" && q.below == "" {
		return true
	}
	v := numbers(version)
	return v != nil && (q.from == "" || slices.Compare(v, numbers(q.from)) >= 0) && (q.below == "" || slices.Compare(v, numbers(q.below)) < 0)
}

// letters returns lower case letters and digits alone: "Dell Inc." is "dellinc".
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// dotted finds the version in what vendors write: "6.00.30.00", "iLO 5 v3.14",
// "TGBT42S 2.83 2023-07-05". A number without a dot is no version.
var dotted = regexp.MustCompile(`\d+(?:\.\d+)+`)

// numbers returns the parts of a version, nil when there is none. Bounds of the
// table may be one number.
func numbers(version string) []int {
	found := dotted.FindString(version)
	if found == "" {
		if _, err := strconv.Atoi(version); err != nil {
			return nil
		}
		found = version
	}
	var out []int
	for part := range strings.SplitSeq(found, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil // more digits than an int has
		}
		out = append(out, n)
	}
	return out
}

// vendorOf returns the maker of the controller, as its service root says: by
// Vendor, which is newer than many controllers (ServiceRoot v1.5), else by the
// one name below Oem, as the recorded Supermicro tree has it.
func (r *serviceRoot) vendorOf() string {
	if r.Vendor != "" {
		return string(r.Vendor)
	}
	var oem map[string]json.RawMessage
	if json.Unmarshal(r.Oem, &oem) != nil || len(oem) != 1 {
		return ""
	}
	for name := range maps.Keys(oem) {
		return name
	}
	return ""
}

// manners returns what the table says of this controller. Its firmware version
// is asked for only where a row depends on it. One that can't be had leaves the
// standard behaviour.
func (c *Client) manners(ctx context.Context, s computerSystem) manners {
	if c.habits != nil {
		return *c.habits
	}
	vendor, version := c.root.vendorOf(), ""
	known := true
	if slices.ContainsFunc(c.table, func(q quirk) bool { return q.ofVendor(vendor) && q.from+q.below != "" }) {
		version, known = c.managerVersion(ctx, s)
	}
	m := mannersOf(c.table, vendor, string(s.Model), version)
	if known {
		c.habits = &m
	}
	return m
}

// managerVersion returns the firmware version of the controller; ok is false
// when it could not be read.
func (c *Client) managerVersion(ctx context.Context, s computerSystem) (version string, ok bool) {
	if len(s.Links.ManagedBy) == 0 {
		return "", true
	}
	var manager struct {
		Version text `json:"FirmwareVersion"`
	}
	_, err := c.get(ctx, s.Links.ManagedBy[0].Path, &manager)
	return string(manager.Version), err == nil
}
