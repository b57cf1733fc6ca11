package redfish

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A card's name says what its ports can do when the ports themselves don't:
// those without a link report speed 0 on most firmwares.

// ethernetWord finds "25G", "10/25Gb", "100GbE", "10GBase-T". Gen4 has no
// digit before its G, and GB is memory.
var ethernetWord = regexp.MustCompile(`(\d+(?:/\d+)*)\s?(?:G[Bb][Aa][Ss][Ee]|GbE|GigE|Gbps|Gbit|Gb|GE|G)(?:[^A-Za-z0-9]|T\b|$)`)

// gigabitWord finds "Gigabit", "10-Gigabit".
var gigabitWord = regexp.MustCompile(`(?i)(?:(\d+)[ -]?)?gigabit`)

// isSpeed reports whether Ethernet has this speed, in Gb/s (IEEE 802.3).
func isSpeed(gbps float64) bool {
	return slices.Contains([]float64{1, 10, 25, 40, 50, 100, 200, 400, 800}, gbps)
}

// part is the beginning of a part number and the speed of each of its ports,
// from the data sheets of the vendors. Chips that come in cards of several
// speeds aren't there.
type part struct {
	begin string
	gbps  float64
}

func parts() []part {
	return []part{
		{"BCM5719", 1}, {"BCM5720", 1}, {"BCM57412", 10}, {"BCM57414", 25}, {"BCM57416", 10}, {"BCM57508", 100}, {"BCM57810", 10}, {"BCM57840", 10},
		{"I210", 1}, {"I350", 1}, {"X540", 10}, {"X550", 10}, {"X710", 10}, {"82599", 10}, {"XXV710", 25}, {"XL710", 40}, {"E810-XXV", 25}, {"E810-C", 100},
		{"MCX4121A", 25}, {"MCX512A", 25}, {"MCX516A", 100}, {"MCX556A", 100}, {"MCX623106A", 100}, {"MCX75310A", 400}, {"MBF2M516C", 100}, {"MBF2H536C", 100},
		{"AOC-SGP", 1}, {"AOC-STG", 10}, {"AOC-S25G", 25}, {"AOC-S40G", 40}, {"AOC-S100G", 100},
	}
}

// namedSpeed returns the speed that a card's names tell, in Gb/s, and the name
// that told it; 0 is unknown. Of several speeds the highest counts.
func namedSpeed(names ...text) (float64, text) {
	for _, name := range names {
		if best := wordSpeed(string(name)); best > 0 {
			return best, name
		}
	}
	table := parts()
	for _, name := range names {
		for _, word := range strings.FieldsFunc(strings.ToUpper(string(name)), func(r rune) bool { return r == ' ' || r == ',' || r == '(' || r == ')' || r == '/' }) {
			i := slices.IndexFunc(table, func(p part) bool { return strings.HasPrefix(word, p.begin) || strings.HasPrefix("BCM"+word, p.begin) })
			if i >= 0 {
				return table[i].gbps, name
			}
		}
	}
	return 0, ""
}

func wordSpeed(name string) float64 {
	best := 0.0
	for _, m := range ethernetWord.FindAllStringSubmatch(name, -1) {
		for _, digits := range strings.Split(m[1], "/") {
			if v, err := strconv.ParseFloat(digits, 64); err == nil && isSpeed(v) {
				best = max(best, v)
			}
		}
	}
	if m := gigabitWord.FindStringSubmatch(name); best == 0 && m != nil {
		if v, err := strconv.ParseFloat(m[1], 64); err != nil {
			best = 1
		} else if isSpeed(v) {
			best = v
		}
	}
	return best
}

var portsWord = regexp.MustCompile(`(?i)\b(\d|single|dual|quad)[ -]?p(?:orts?)?\b`)

// namedPorts returns how many ports a card's names tell, or 0.
func namedPorts(names ...text) int {
	for _, name := range names {
		m := portsWord.FindStringSubmatch(string(name))
		if m == nil {
			continue
		}
		if i := slices.Index([]string{"single", "dual", "", "quad"}, strings.ToLower(m[1])); i >= 0 {
			return i + 1
		}
		n, err := strconv.Atoi(m[1])
		if err == nil {
			return n
		}
	}
	return 0
}

var otherFabric = regexp.MustCompile(`(?i)\bfib(?:re|er) ?channel|\bFC\b|\bHBA\b|infiniband|omni-?path`)

// otherName reports whether a card's names are those of a storage or compute
// fabric and not of Ethernet.
func otherName(names ...text) bool {
	var all []string
	for _, n := range names {
		all = append(all, string(n))
	}
	line := strings.Join(all, " ")
	return otherFabric.MatchString(line) && !strings.Contains(strings.ToLower(line), "ethernet") && !strings.Contains(line, "GbE")
}
