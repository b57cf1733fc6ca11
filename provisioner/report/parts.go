package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

func told(untold bool, said string) string {
	if untold {
		return "unknown"
	}
	return said
}

func labelled(label, value string) string {
	if value == "" {
		return ""
	}
	return label + " " + value
}

func orDash(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return "-"
	}
	return s
}

func onOff(b *bool, on, off string) string { return yes(b != nil, b != nil && *b, on, off) }

// number prints a count; none, or zero where zero says nothing, is unknown.
func number(n *int) string {
	if n == nil || *n == 0 {
		return "unknown"
	}
	return fmt.Sprint(*n)
}

func model(b facts.BMC) string {
	if strings.HasPrefix(b.Model, b.Vendor) {
		return b.Model
	}
	return strings.TrimSpace(b.Vendor + " " + b.Model)
}

func memory(gib *float64) string {
	if gib == nil {
		return ""
	}
	return fmt.Sprintf("%.4g GiB", *gib)
}

func size(bytes int64) string {
	switch {
	case bytes == 0:
		return "-"
	case bytes >= 1e12:
		return fmt.Sprintf("%.3g TB", float64(bytes)/1e12)
	}
	return fmt.Sprintf("%.3g GB", float64(bytes)/1e9)
}

func gbps(speed *float64) string {
	if speed == nil {
		return "-"
	}
	return fmt.Sprintf("%.4gG", *speed)
}

func link(p facts.Port) string {
	if p.LinkUp != nil && *p.LinkUp && p.LinkGbps != nil {
		return "up " + gbps(p.LinkGbps)
	}
	return onOff(p.LinkUp, "up", "down")
}

// alike counts equal words, in the order in which they came first.
func alike(words []string) string {
	count := map[string]int{}
	var order []string
	for _, w := range words {
		if count[w]++; count[w] == 1 {
			order = append(order, w)
		}
	}
	for i, w := range order {
		if count[w] > 1 {
			order[i] = fmt.Sprintf("%d × %s", count[w], w)
		}
	}
	return strings.Join(order, ", ")
}

func processors(all []facts.Processor) string {
	var words []string
	for _, p := range all {
		words = append(words, fmt.Sprintf("%s (%s cores, %s threads)", orUnknown(p.Model), number(&p.Cores), number(&p.Threads)))
	}
	return alike(words)
}

func cores(all []facts.Processor) string {
	var words []string
	for _, p := range all {
		words = append(words, strings.NewReplacer("unknown", "?").Replace(number(&p.Cores))+" cores")
	}
	return alike(words)
}

func drives(all []facts.Drive) string {
	var words []string
	for _, d := range all {
		words = append(words, strings.TrimSpace(size(d.Bytes)+" "+d.Media))
	}
	return orNone(alike(words))
}

func ports(all []facts.Port) string {
	var words []string
	for _, p := range all {
		words = append(words, strings.NewReplacer("-", "?").Replace(gbps(p.SpeedGbps)))
	}
	return orNone(alike(words))
}

func slots(all []facts.Slot) string {
	var words []string
	for _, s := range all {
		words = append(words, strings.NewReplacer("Gen0", "Gen?", "x0", "x?").Replace(fmt.Sprintf("Gen%d x%d", s.Generation, s.Lanes)))
	}
	return orNone(alike(words))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func firmware(all []facts.Firmware) string {
	var words []string
	for _, f := range all {
		words = append(words, f.Name+" "+f.Version)
	}
	return strings.Join(words, ", ")
}

func boot(b facts.BMC) string {
	said := "no override"
	if b.BootOverride != "" {
		said = "once from " + b.BootOverride
	}
	if len(b.BootTargets) > 0 {
		said += "; it may be " + strings.Join(b.BootTargets, ", ")
	}
	return said
}

// clockOf prints the controller's time; a second is not worth a word.
func clockOf(c facts.Clock) string {
	said := c.Time.Format(time.RFC3339)
	if skew := c.Skew.Abs().Round(time.Second); skew > time.Second {
		long := skew.String()
		if days := skew / (24 * time.Hour); days > 1 {
			long = fmt.Sprintf("%d days", days)
		}
		said += fmt.Sprintf(", %s %s", long, yes(true, c.Skew > 0, "ahead of this machine", "behind this machine"))
	}
	return said
}

// settings prints the BIOS settings that installs depend on, in our words and
// in the vendor's, and all attributes that wait for the next POST.
func settings(b facts.BMC) string {
	if b.BIOS == nil {
		return "unknown"
	}
	var words []string
	for _, s := range []bios.Setting{bios.SMT, bios.SRIOV, bios.IOMMU, bios.NUMAPerSocket, bios.PowerProfile, bios.BootMode, bios.Turbo, bios.CStates} {
		word, attribute := bios.Word(s, b)
		switch {
		case word != "":
			words = append(words, fmt.Sprintf("%s %s (%s %v)", s, word, attribute, b.BIOS[attribute]))
		case attribute != "":
			words = append(words, fmt.Sprintf("%s (%s %v)", s, attribute, b.BIOS[attribute]))
		}
	}
	words = append(words, Count(len(b.BIOS), "attribute")+" in all")
	for _, name := range slices.Sorted(maps.Keys(b.PendingBIOS)) {
		if now, later := fmt.Sprint(b.BIOS[name]), fmt.Sprint(b.PendingBIOS[name]); now != later {
			words = append(words, fmt.Sprintf("after the next POST %s: %s → %s", name, now, later))
		}
	}
	return strings.Join(words, ", ")
}
