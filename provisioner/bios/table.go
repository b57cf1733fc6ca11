package bios

// line is one way in which firmware names and values a setting.
type line struct {
	setting Setting
	vendors []string // beginnings of facts.BMC.Vendor, in lower case; none: every vendor
	name    string   // the whole attribute name, a regular expression; empty: any
	display string   // the whole DisplayName as plain() writes it, a regular expression; empty: not looked at
	values  values
}

// values are the spellings of each neutral word, best first. They are compared
// as plain() writes them. Spellings at the same place of two words belong
// together: where no registry tells what may be written, a firmware that says
// "Enable" is given "Disable" and never "Disabled".
type values map[string][]string

// The neutral words.
const (
	enabled, disabled                = "enabled", "disabled"
	performance, balanced, efficient = "performance", "balanced", "efficient"
	uefi, legacy                     = "uefi", "legacy"
	one, two, four                   = "1", "2", "4"
)

// onOff are the spellings of a switch.
func onOff() values {
	return values{
		enabled:  {"Enabled", "Enable", "On", "Yes", "true"},
		disabled: {"Disabled", "Disable", "Off", "No", "false"},
	}
}

// autoIsOn are those of a switch whose "Auto" means on: AMD's reference
// firmware has Auto and Disable for SMT. "Auto" of an I/O MMU may be either.
func autoIsOn() values {
	v := onOff()
	v[enabled] = append(v[enabled], "Auto")
	return v
}

// spelled are values with one spelling for each word, or several.
func spelled(words map[string]string, more ...values) values {
	out := values{}
	for word, text := range words {
		out[word] = append(out[word], text)
	}
	for _, v := range more {
		for word, texts := range v {
			out[word] = append(out[word], texts...)
		}
	}
	return out
}

// nps are the NUMA nodes per socket of AMD's reference firmware.
func nps() values {
	return values{one: {"NPS1", "1"}, two: {"NPS2", "2"}, four: {"NPS4", "4"}}
}

// snc are the sub-NUMA clusters of Intel's reference firmware and its heirs.
func snc() values {
	return values{
		one:  {"Disabled", "Disable", "Disabled", "Disabled"},
		two:  {"2-Way", "Enable SNC2 (2-clusters)", "EnableSnc2", "SNC2"},
		four: {"4-Way", "Enable SNC4 (4-clusters)", "EnableSnc4", "SNC4"},
	}
}

// bootModes are the ways to start.
func bootModes() values {
	return values{
		uefi:   {"Uefi", "Uefi", "UEFIMode", "UEFIBoot"},
		legacy: {"Bios", "LegacyBios", "LegacyMode", "LegacyBoot", "Legacy"},
	}
}

// bias is Intel's energy performance bias, as most firmware writes it.
func bias() values {
	return values{
		performance: {"Performance", "Maximum Performance", "MaxPerf"},
		balanced:    {"Balanced Performance", "Balanced Power", "BalancedPerf", "Balanced Energy", "Balanced"},
		efficient:   {"Energy Efficient", "Power", "PowerSavingsMode", "Efficient", "Power Saving"},
	}
}

// lines is the table: what is known of each vendor, then what DisplayNames
// tell. The first line that fits the vendor, and whose attribute the firmware
// has, is taken.
func lines() []line {
	var all []line
	for _, part := range [][]line{dell(), hpe(), lenovo(), supermicro(), cisco(), huawei(), fujitsu(), ami(), displayed()} {
		all = append(all, part...)
	}
	return all
}
