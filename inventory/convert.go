package inventory

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ra2-deploy/ra2-deploy/inventory/v1alpha1"
)

// Defaults of what a user may leave out.
const (
	defaultVersion = "v1.37.2"
	defaultPort    = 6443
	defaultClass   = "default" // of nodes without a class: profile basic, firmware as it is
)

// converter turns what the user wrote into what the program uses.
type converter struct {
	*reader
	now  time.Time
	rows []string // that a waiver can name
}

const (
	pathKubernetes   = "spec.kubernetes"
	pathProvisioning = "spec.provisioning"
)

func (c *converter) cluster(f v1alpha1.File) Cluster {
	c.label("metadata.name", f.Metadata.Name)
	out := Cluster{
		Name:         f.Metadata.Name,
		SecureBoot:   c.secureBoot(f.Spec.SecureBoot),
		Provisioning: c.provisioning(f.Spec.Provisioning),
		Classes:      c.classes(f.Spec.Classes),
		Zones:        c.zones(f.Spec.Zones),
	}
	out.Image = Image{
		Distribution: or(f.Spec.Image.Distribution, "debian-13"),
		Kernel:       or(f.Spec.Image.Kernel, "generic"),
		Kubernetes:   f.Spec.Image.Kubernetes == nil || *f.Spec.Image.Kubernetes,
	}
	for _, r := range f.Spec.Image.Repositories {
		out.Image.Repositories = append(out.Image.Repositories, Repository(r))
	}
	for i, n := range f.Spec.Nodes {
		out.Nodes = append(out.Nodes, c.node(fmt.Sprintf("spec.nodes[%d]", i), n, out))
	}
	for i, w := range f.Spec.Waivers {
		out.Waivers = append(out.Waivers, c.waiver(fmt.Sprintf("spec.waivers[%d]", i), w, out.Nodes))
	}
	out.Kubernetes = c.kubernetes(f, out)
	return out
}

func (c *converter) kubernetes(f v1alpha1.File, out Cluster) Kubernetes {
	k := f.Spec.Kubernetes
	version := or(k.Version, defaultVersion)
	if !regexp.MustCompile(`^v1\.\d{1,3}\.\d{1,3}$`).MatchString(version) {
		c.say(pathKubernetes+".version", strconv.Quote(version)+" is not a Kubernetes release", "write it like "+defaultVersion)
	}
	pods, services := k.PodCIDRs, k.ServiceCIDRs
	if !c.written(pathKubernetes + ".podCIDRs") {
		pods = defaultCIDRs(out.Provisioning.Networks, "10.244.0.0/16", "fd00:10:244::/56")
	}
	if !c.written(pathKubernetes + ".serviceCIDRs") {
		services = defaultCIDRs(out.Provisioning.Networks, "10.96.0.0/16", "fd00:10:96::/112")
	}
	members := k.Etcd.Members
	if members == 0 {
		members = len(controlPlanes(out.Nodes))
	}
	host := or(k.Endpoint.Host, "api."+f.Metadata.Name+".internal")
	if !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`).MatchString(host) && c.written(pathKubernetes+".endpoint.host") {
		c.say(pathKubernetes+".endpoint.host", strconv.Quote(host)+" is not a DNS name", "write it like api.edge-17.example")
	}
	return Kubernetes{
		Version:      version,
		PodCIDRs:     c.networks(pathKubernetes+".podCIDRs", pods),
		ServiceCIDRs: c.networks(pathKubernetes+".serviceCIDRs", services),
		EtcdMembers:  members,
		Endpoint: Endpoint{
			Host: host,
			VIPs: c.pair(pathKubernetes+".endpoint.vips", c.addresses(pathKubernetes+".endpoint.vips", k.Endpoint.VIPs)),
			Port: port(k.Endpoint.Port),
		},
	}
}

func port(written int) uint16 {
	if written == 0 {
		return defaultPort
	}
	return uint16(written) // the reader kept it in range
}

// defaultCIDRs gives one network for each family of the provisioning networks.
func defaultCIDRs(like []netip.Prefix, v4, v6 string) []string {
	var out []string
	for _, p := range like {
		if p.Addr().Is4() {
			out = append(out, v4)
		} else {
			out = append(out, v6)
		}
	}
	return out
}

func (c *converter) provisioning(p v1alpha1.Provisioning) Provisioning {
	path, texts := pathProvisioning+".cidrs", p.CIDRs
	switch one, many := c.written(pathProvisioning+".cidr"), c.written(path); {
	case one && many:
		c.say(path, "is written beside cidr", "keep cidrs only, with one address per family")
	case one:
		path, texts = pathProvisioning+".cidr", []string{p.CIDR}
	case !many && c.written(pathProvisioning):
		c.say(pathProvisioning+".cidr", "is missing", "add cidr: the address of this machine on the interface and the prefix length, like 10.17.0.1/24")
	}
	if p.Interface != "" && (len(p.Interface) > 15 || strings.ContainsAny(p.Interface, "/ \t\n")) {
		c.say(pathProvisioning+".interface", strconv.Quote(p.Interface)+" can't be the name of a network interface", "write the name that `ip link` shows, at most 15 letters")
	}
	return Provisioning{
		Interface: p.Interface,
		Networks:  c.hosts(path, texts),
		DHCP:      DHCP(or(p.DHCP, string(DHCPAuthoritative))),
		Gateways:  c.pair(pathProvisioning+".gateways", c.addresses(pathProvisioning+".gateways", p.Gateways)),
		DNS:       c.addresses(pathProvisioning+".dns", p.DNS),
		NTP:       c.addresses(pathProvisioning+".ntp", p.NTP),
	}
}

func (c *converter) classes(written map[string]v1alpha1.Class) map[string]Class {
	out := map[string]Class{}
	for name, class := range written {
		path := join("spec.classes", name)
		c.label(path, name)
		for size, pages := range class.HugePages {
			if size != "2Mi" && size != "1Gi" {
				c.say(join(path+".hugepages", size), "is not a size of huge pages", "write 2Mi or 1Gi (ra2.ch.001)")
			}
			if pages < 0 {
				c.say(join(path+".hugepages", size), "is negative", "write a number of pages")
			}
		}
		out[name] = Class{
			Profile:   or(class.Profile, "basic"),
			BIOS:      c.bios(path+".bios", class.BIOS),
			HugePages: class.HugePages,
			Reserved:  c.cpus(path+".reservedCPUs", class.Reserved),
			Edge:      class.Edge,
		}
	}
	if _, ok := out[defaultClass]; !ok {
		out[defaultClass] = Class{Profile: "basic"}
	}
	return out
}

func (c *converter) bios(path string, b v1alpha1.BIOS) BIOS {
	for name := range b.Attributes {
		if name == "" || strings.ContainsFunc(name, unicode.IsControl) {
			c.say(join(path+".attributes", name), "can't be the name of a BIOS attribute", "write the name that the BMC's attribute registry has")
		}
	}
	return BIOS{
		SMT: enabled(b.SMT), SRIOV: enabled(b.SRIOV), IOMMU: enabled(b.IOMMU), Turbo: enabled(b.Turbo), CStates: enabled(b.CStates),
		NUMAPerSocket: b.NUMAPerSocket, PowerProfile: b.PowerProfile, BootMode: b.BootMode, Attributes: b.Attributes,
	}
}

// cpus converts the reserved processors. Two threads are RA2's least.
func (c *converter) cpus(path, text string) CPUs {
	if text == "" || c.broken[path] {
		return ""
	}
	list, err := ParseCPUs(text)
	if err != nil {
		c.say(path, err.Error(), "write numbers and ranges of CPUs, like 0-1,32-33")
		return ""
	}
	if count, _ := list.Count(); count < 2 {
		c.say(path, "holds one CPU", "write both threads of one core at least (ra2.k8s.008), as /sys/devices/system/cpu/cpu0/topology/thread_siblings_list tells them")
	}
	return list
}

// enabled returns nil for a setting that the user left out.
func enabled(text string) *bool {
	if text == "" {
		return nil
	}
	on := text == "enabled"
	return &on
}

func (c *converter) zones(zones []string) []string {
	seen := map[string]bool{}
	for i, z := range zones {
		path := fmt.Sprintf("spec.zones[%d]", i)
		c.label(path, z)
		if seen[z] && z != "" {
			c.say(path, "zone "+strconv.Quote(z)+" is written twice", "keep one of them")
		}
		seen[z] = true
	}
	return zones
}

// written reports whether the file holds this path.
func (c *converter) written(path string) bool {
	_, ok := c.marks[path]
	return ok
}

func or(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}
