package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

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
			name, orUnknown(b.Power), orUnknown(b.Health), orUnknown(model(b)), orUnknown(b.Serial), orUnknown(cores(h.Processors)),
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
