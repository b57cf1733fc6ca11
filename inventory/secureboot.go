package inventory

import (
	"fmt"
	"strconv"

	"github.com/ra2-deploy/ra2-deploy/inventory/v1alpha1"
)

const pathSecureBoot = "spec.secureBoot"

// secureBoot converts the keys of Secure Boot; nil where none are written.
func (c *converter) secureBoot(s *v1alpha1.SecureBoot) *SecureBoot {
	if s == nil || c.troubled(pathSecureBoot) {
		return nil
	}
	out := &SecureBoot{
		Certificate: s.Certificate, Enroll: s.Enroll == nil || *s.Enroll, PlatformKey: s.PlatformKey, ExchangeKey: s.ExchangeKey,
	}
	if s.Key != nil {
		out.Key = c.secret(pathSecureBoot+".key", *s.Key)
	}
	if out.Key.File != "" && out.Key.File == out.Certificate {
		c.say(pathSecureBoot+".key", "names the file of the certificate", "keep the private key in a file of its own, mode 0600")
	}
	if (out.PlatformKey == "") != (out.ExchangeKey == "") {
		c.say(pathSecureBoot, "has one of platformKey and exchangeKey", "write both: firmware in setup mode has neither")
	}
	if !out.Enroll && out.PlatformKey != "" {
		c.say(pathSecureBoot+".platformKey", "stands beside enroll: false, and would be brought into no firmware", "remove it with exchangeKey, or remove enroll")
	}
	return out
}

// verifies reports hosts that would boot by a way on which no firmware verifies
// anything.
func (c *converter) verifies(cluster Cluster) {
	if cluster.SecureBoot == nil {
		return
	}
	for name, class := range cluster.Classes {
		if class.BIOS.BootMode == "legacy" {
			c.say(join("spec.classes", name)+".bios.bootMode", "is legacy, and Secure Boot is of UEFI", "write uefi, or remove spec.secureBoot")
		}
	}
	for i, n := range cluster.Nodes {
		if n.Boot.Method == "bios-pxe" || n.Boot.Method == "virtual-media" {
			c.say(fmt.Sprintf("spec.nodes[%d].boot.method", i), "is "+strconv.Quote(n.Boot.Method)+", and what it loads can't be signed", "write uefi-http or uefi-pxe, or remove spec.secureBoot")
		}
	}
}
