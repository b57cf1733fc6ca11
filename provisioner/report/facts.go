package report

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bios"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// FactsTable returns one line for each host, in the order of the names.
func FactsTable(names []string, hosts map[string]facts.BMC) string {
	return table("host\tpower\thealth\tmodel\tserial\tprocessors\tmemory\tdrives\tports\tslots", len(names), func(i int) string {
		name, b := names[i], hosts[names[i]]
		if !b.Reached {
			return name + "\t-\t-\tnot reached" + strings.Repeat("\t-", 6)
		}
		h := b.Hardware
		return strings.Join([]string{
			name, orUnknown(b.Power), orUnknown(b.Health), orUnknown(model(b)), orUnknown(b.Serial), orUnknown(processors(h.Processors)),
			orUnknown(memory(h.MemoryGiB)), told(h.Drives == nil, drives(h.Drives)), told(h.Ports == nil, ports(h.Ports)), told(h.Slots == nil, fmt.Sprint(len(h.Slots))),
		}, "\t")
	})
}

// HostFacts returns all that is known of one host on about a page. With from,
// each part has a note of what told it.
func HostFacts(name string, b facts.BMC, from bool) string {
	var w strings.Builder
	if !b.Reached {
		fmt.Fprintf(&w, "%s  not reached\n", name)
		return w.String()
	}
	fmt.Fprintf(&w, "%s  %s\n", name, strings.Join(slices.DeleteFunc([]string{
		orUnknown(model(b)), labelled("serial", b.Serial), labelled("SKU", b.SKU), labelled("UUID", b.UUID), labelled("told by", b.Protocol),
	}, func(s string) bool { return s == "" }), ", "))
	h := b.Hardware
	source := func(key string) string {
		if s := h.From[key]; from && s != "" {
			return "  [" + s + "]"
		}
		return ""
	}
	row := func(what, said, note string) { fmt.Fprintf(&w, "  %-12s %s%s\n", what, said, note) }
	row("power", orUnknown(b.Power)+", health "+orUnknown(b.Health), "")
	row("processors", orUnknown(processors(h.Processors)), "")
	row("memory", orUnknown(memory(h.MemoryGiB)), source("memoryGiB"))
	row("NUMA nodes", number(h.NUMANodes), source("numaNodes"))
	row("SMT", onOff(h.SMT, "on", "off")+"; the processors have it: "+onOff(h.CanSMT, "yes", "no"), source("smt"))
	row("Secure Boot", onOff(h.SecureBoot, "on", "off"), source("secureBoot"))
	row("TPM", orUnknown(h.TPM), source("tpm"))
	row("firmware", orUnknown(firmware(b.Firmware)), "")
	row("boot", boot(b), "")
	if b.Clock != nil {
		row("clock", clockOf(*b.Clock), "")
	}
	row("BIOS", settings(b), "")
	row("slots", told(h.Slots == nil, slots(h.Slots)), "")
	w.WriteString(parts(h, from))
	if b.Err != "" {
		fmt.Fprintf(&w, "  not read: %s\n", strings.ReplaceAll(b.Err, "\n", "\n            "))
	}
	return w.String()
}

// parts are the tables of processors, drives and ports.
func parts(h facts.Hardware, from bool) string {
	var w strings.Builder
	add := func(what, head string, n int, row func(int) (string, string)) {
		if n == 0 {
			return
		}
		if from {
			head += "\tfrom"
		}
		text := table(head, n, func(i int) string {
			line, source := row(i)
			if from {
				line += "\t" + source
			}
			return line
		})
		fmt.Fprintf(&w, "  %s\n    %s\n", what, strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    "))
	}
	if from {
		add("processors", "model\tcores\tthreads", len(h.Processors), func(i int) (string, string) {
			p := h.Processors[i]
			return fmt.Sprintf("%s\t%s\t%s", orUnknown(p.Model), number(&p.Cores), number(&p.Threads)), p.From
		})
	}
	add("drives", "name\tmodel\tserial\tWWN\tmedia\tprotocol\tsize", len(h.Drives), func(i int) (string, string) {
		d := h.Drives[i]
		return strings.Join([]string{orDash(d.Name), orDash(d.Model), orDash(d.Serial), orDash(d.WWN), orDash(d.Media), orDash(d.Protocol), size(d.Bytes)}, "\t"), d.From
	})
	add("ports", "MAC\tadapter\tspeed\tlink\tSR-IOV\tVFs", len(h.Ports), func(i int) (string, string) {
		p := h.Ports[i]
		return strings.Join([]string{orDash(p.MAC), orDash(p.Adapter), gbps(p.SpeedGbps), link(p), onOff(p.SRIOV, "yes", "no"), number(p.MaxVFs)}, "\t"), p.From
	})
	return w.String()
}

// table aligns columns; the rows have tabs between their cells.
func table(head string, n int, row func(int) string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for i := range n {
		fmt.Fprintln(w, row(i))
	}
	_ = w.Flush() // into memory
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(b.String(), "")
}

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
		words = append(words, gbps(p.SpeedGbps))
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
		said += fmt.Sprintf(", %s %s", skew, yes(true, c.Skew > 0, "ahead of this machine", "behind this machine"))
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
