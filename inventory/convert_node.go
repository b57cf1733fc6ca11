package inventory

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory/v1alpha1"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// node converts one host. cluster holds what comes before the nodes.
func (c *converter) node(path string, n v1alpha1.Node, cluster Cluster) Node {
	c.label(path+".name", n.Name)
	if n.Zone != "" && !slices.Contains(cluster.Zones, n.Zone) {
		c.say(path+".zone", "zone "+strconv.Quote(n.Zone)+" is not in spec.zones", meant(n.Zone, cluster.Zones, "add it to spec.zones"))
	}
	class := or(n.Class, defaultClass)
	if _, ok := cluster.Classes[class]; !ok {
		var known []string
		for name := range cluster.Classes {
			known = append(known, name)
		}
		slices.Sort(known)
		c.say(path+".class", "class "+strconv.Quote(class)+" is not in spec.classes", meant(class, known, "add it to spec.classes"))
	}
	bmc := c.bmc(path+".bmc", n.BMC)
	if bmc.OnlyIPMI() && strings.TrimSpace(n.Serial) == "" {
		c.say(path+".serial", "is missing, and bmc.url is of IPMI", "write the serial number of the chassis: nothing else in IPMI tells whose BMC it is")
	}
	return Node{
		Name:         n.Name,
		Zone:         n.Zone,
		Class:        class,
		ControlPlane: slices.Contains(n.Roles, "control-plane"),
		Worker:       slices.Contains(n.Roles, "worker"),
		Serial:       strings.TrimSpace(n.Serial),
		BMC:          bmc,
		Boot:         Boot{MAC: c.mac(path+".boot.mac", n.Boot.MAC), Method: c.method(path+".boot.method", n.Boot.Method, bmc)},
		Disk:         c.disk(path+".disk", n.Disk),
		Addresses:    c.hosts(path+".addresses", n.Addresses),
	}
}

// method returns how the host boots. IPMI can ask for PXE and nothing else
// (IPMI 2.0 table 28-14).
func (c *converter) method(path, text string, bmc BMC) string {
	if !bmc.OnlyIPMI() {
		return or(text, "uefi-http")
	}
	if text == "uefi-http" || text == "virtual-media" {
		c.say(path, "is "+text+", and bmc.url is of IPMI, which can only ask for PXE", "write uefi-pxe")
	}
	return or(text, "uefi-pxe")
}

func (c *converter) bmc(path string, b v1alpha1.BMC) BMC {
	out := BMC{
		URL: c.bmcURL(path+".url", b.URL), IPMI: c.ipmiURL(path+".ipmi", b.IPMI),
		Fingerprint: c.fingerprint(path+".fingerprint", b.Fingerprint),
	}
	if out.OnlyIPMI() && b.Fingerprint != "" {
		c.say(path+".fingerprint", "stands beside an IPMI URL, and IPMI has no certificate: it can't prove who answers", "remove it, or write a redfish+https:// URL")
	}
	if out.OnlyIPMI() && b.IPMI != "" {
		c.say(path+".ipmi", "is the fall-back beside Redfish, and url is of IPMI already", "remove it, or write a redfish+https:// URL")
		out.IPMI = ""
	}
	at := path + ".credentials"
	cred := b.Credentials
	forms := 0
	for _, set := range []bool{cred.Username != "" || cred.Password != nil, cred.Env != "", cred.File != ""} {
		if set {
			forms++
		}
	}
	if c.troubled(at) || !c.written(at) {
		return out
	}
	if forms != 1 || (cred.Username == "") != (cred.Password == nil) {
		_, fix := cred.Instead()
		c.say(at, "needs exactly one way to find user and password", fix)
		return out
	}
	if cred.Password != nil {
		out.Username, out.Password = cred.Username, c.secret(at+".password", *cred.Password)
	} else {
		out.Password = c.secret(at, v1alpha1.SecretRef{Env: cred.Env, File: cred.File})
	}
	return out
}

// secret converts a reference. A value that can't be a reference may be the
// secret itself, so it is never repeated.
func (c *converter) secret(path string, ref v1alpha1.SecretRef) secret.Ref {
	if c.troubled(path) {
		return secret.Ref{}
	}
	_, fix := ref.Instead()
	if (ref.Env == "") == (ref.File == "") {
		c.say(path, "needs exactly one of env and file", fix)
	}
	if ref.Env != "" && !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(ref.Env) {
		c.say(path+".env", "is not the name of an environment variable", "write the name of the variable, like CP_A_BMC, not the secret itself")
	}
	return secret.Ref{Env: ref.Env, File: ref.File}
}

func (c *converter) bmcURL(path, text string) string {
	if strings.HasPrefix(text, "ipmi:") {
		return c.ipmiURL(path, text)
	}
	return c.address(path, strings.TrimPrefix(text, "redfish+"), "https", "begin with redfish+https:// or ipmi://", "write it like redfish+https://10.17.1.11; Redfish is never spoken without TLS")
}

func (c *converter) ipmiURL(path, text string) string {
	return strings.TrimSuffix(c.address(path, text, "ipmi", "begin with ipmi://", "write it like ipmi://10.17.1.11"), ":623")
}

// address checks a URL that names a host, and maybe a port, and nothing else.
func (c *converter) address(path, text, scheme, begin, fix string) string {
	if text == "" || c.broken[path] {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		c.say(path, "is not a URL", fix)
		return ""
	case u.User != nil:
		c.say(path, "holds a user or a password", "write them as credentials: {username: admin, password: {env: NAME}}")
		return ""
	case u.Scheme != scheme:
		c.say(path, "should "+begin+" and begins with "+strconv.Quote(u.Scheme), fix)
		return ""
	case u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		c.say(path, "should name a host, and a port if needed, and nothing else", fix)
		return ""
	}
	return scheme + "://" + strings.ToLower(u.Host)
}

func (c *converter) fingerprint(path, text string) string {
	if text == "" || c.broken[path] {
		return ""
	}
	algorithm, digits, ok := strings.Cut(strings.ToLower(text), ":")
	raw, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if !ok || algorithm != "sha256" || err != nil || len(raw) != 32 {
		c.say(path, "is not a SHA-256 fingerprint", "write sha256: and 64 hexadecimal digits, as `openssl x509 -fingerprint -sha256` prints them")
		return ""
	}
	return "sha256:" + hex.EncodeToString(raw)
}

// mac returns the address in lower case with colons. Group and zero addresses
// belong to no network card (IEEE 802, bit 0 of the first byte).
func (c *converter) mac(path, text string) string {
	if text == "" || c.broken[path] {
		return ""
	}
	raw, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(text))
	if err != nil || !regexp.MustCompile(`^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$`).MatchString(text) {
		c.say(path, strconv.Quote(text)+" is not a MAC address", "write it like 52:54:00:17:00:11")
		return ""
	}
	if raw[0]&1 == 1 || strings.Trim(hex.EncodeToString(raw), "0") == "" {
		c.say(path, strconv.Quote(text)+" is the address of no network card", "write the MAC that is printed on the card or told by the BMC")
		return ""
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", raw[0], raw[1], raw[2], raw[3], raw[4], raw[5])
}

func (c *converter) disk(path string, d v1alpha1.Disk) Disk {
	if c.troubled(path) || !c.written(path) {
		return Disk{}
	}
	wrong, fix := d.Instead()
	if strings.ContainsRune(d.Serial, '/') || strings.ContainsRune(d.WWN, '/') {
		c.say(path, wrong, fix)
	} else if (d.Serial == "") == (d.WWN == "") {
		c.say(path, "needs exactly one of serial and wwn", fix)
	}
	wwn := NormalWWN(d.WWN)
	if d.WWN != "" && !regexp.MustCompile(`^[0-9a-f]{16,32}$`).MatchString(wwn) {
		c.say(path+".wwn", strconv.Quote(d.WWN)+" is not a World Wide Name", "write 16 or 32 hexadecimal digits, like 5002538f0123abcd")
	}
	return Disk{Serial: strings.TrimSpace(d.Serial), WWN: wwn}
}

// NormalWWN returns a World Wide Name as bare hexadecimal digits in lower
// case. Redfish, udev and sysfs write 0x5002..., wwn-0x5002..., naa.5002...,
// eui.5002... and 50:02:... for the same disk.
func NormalWWN(text string) string {
	text = strings.ToLower(strings.TrimSpace(text))
	for _, prefix := range []string{"wwn-", "nvme-", "naa.", "eui.", "0x"} {
		text = strings.TrimPrefix(text, prefix)
	}
	return strings.NewReplacer(":", "", "-", "").Replace(text)
}

func (c *converter) waiver(path string, w v1alpha1.Waiver, nodes []Node) Waiver {
	switch at := path + ".requirement"; {
	case w.Requirement == "":
	case !regexp.MustCompile(`^ra2\.[a-z0-9]+\.\d{3}$`).MatchString(w.Requirement):
		c.say(at, strconv.Quote(w.Requirement)+" is not the id of a requirement", "write it like ra2.ch.016")
	case c.rows != nil && !slices.Contains(c.rows, w.Requirement):
		c.say(at, "RA2 has no requirement "+w.Requirement, "write the id as RA2's chapter 4 has it; a waiver of nothing sets nothing aside")
	}
	if strings.TrimSpace(w.Reason) == "" && c.written(path+".reason") && !c.broken[path+".reason"] {
		c.say(path+".reason", "is empty", "say why the requirement is set aside; it is printed in the report")
	}
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	for i, name := range w.Nodes {
		if at := fmt.Sprintf("%s.nodes[%d]", path, i); name != "" && !slices.Contains(names, name) {
			c.say(at, "no node is called "+strconv.Quote(name), meant(name, names, "write the name of a node of this file"))
		}
	}
	return Waiver{Requirement: w.Requirement, Nodes: w.Nodes, Reason: w.Reason, Until: c.until(path, w)}
}

func (c *converter) until(path string, w v1alpha1.Waiver) time.Time {
	at := path + ".until"
	if w.Until == "" || c.broken[at] {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, w.Until)
	if err != nil {
		c.say(at, strconv.Quote(w.Until)+" is not a date", "write year-month-day, like 2027-06-30")
		return time.Time{}
	}
	end := day.AddDate(0, 0, 1).Add(-time.Second)
	if !c.now.IsZero() && c.now.After(end) {
		c.say(at, "the waiver of "+w.Requirement+" ended on "+w.Until, "meet the requirement and remove the waiver, or agree on a later date")
	}
	return end
}

// troubled reports whether path or anything below it has a problem already.
func (c *converter) troubled(path string) bool {
	for p := range c.broken {
		if p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(p, path+"[") {
			return true
		}
	}
	return false
}

func meant(word string, known []string, fix string) string {
	if near := nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	return fix
}
