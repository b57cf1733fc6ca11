package rules

import (
	"slices"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// JudgeSecureBoot tells of each host whether its firmware will start what we
// boot, before it is switched on: one that refuses does so in silence, on its
// own console. certificate is the fingerprint of the inventory's certificate;
// empty where it names none.
func JudgeSecureBoot(want inventory.Cluster, seen facts.Seen, certificate string) []Finding {
	var all []Finding
	for _, n := range want.Nodes {
		h := seen.Hosts[n.Name]
		if !h.BMC.Reached {
			continue
		}
		f := Finding{Requirement: Verified, Host: n.Name, Verdict: Fail, Where: h.Hardware().From["secureBoot"]}
		if want.SecureBoot == nil {
			if on := h.Hardware().SecureBoot; on == nil || !*on {
				continue // nothing is verified, or nobody tells: as on any host before Secure Boot
			}
			f.Want = "Secure Boot off, or spec.secureBoot with a key that the firmware has"
			f.Got = "Secure Boot is on, and what is booted here is not signed: its firmware would refuse it"
		} else {
			f.Want = "firmware with Secure Boot on and the certificate " + certificate + " in db"
			f.Verdict, f.Got = keys(*want.SecureBoot, h, certificate)
		}
		all = append(all, f)
	}
	return all
}

// keys judges what a controller tells of its firmware's keys.
func keys(want inventory.SecureBoot, h facts.Host, certificate string) (Verdict, string) {
	k := h.BMC.Keys
	if !want.Enroll {
		return enrolled(k, h.Hardware().SecureBoot, certificate)
	}
	const byHand = "; bring the certificate into db by hand, switch Secure Boot on, and write enroll: false"
	switch {
	case k == nil:
		return Fail, "its controller tells nothing of Secure Boot" + byHand
	case !k.Offered:
		return Fail, "its controller offers no databases of keys" + byHand
	case k.Setup && want.PlatformKey == "":
		return Fail, "the firmware has no platform key (setup mode): name platformKey and exchangeKey, or reset its keys to the factory's"
	case !slices.Contains(k.DB, certificate):
		return Planned, "db lacks the certificate; a step before the install brings it there"
	case k.Enabled == nil || !*k.Enabled:
		return Planned, "Secure Boot is off; a step before the install switches it on"
	}
	return Pass, "the certificate is in db and Secure Boot is enabled"
}

// enrolled judges a host whose firmware a person has prepared. What nobody tells
// is believed here: the machine itself must say that Secure Boot is in force
// before its disk is touched.
func enrolled(k *facts.Keys, inForce *bool, certificate string) (Verdict, string) {
	switch {
	case k != nil && k.Offered && !slices.Contains(k.DB, certificate):
		return Fail, "db lacks the certificate, and enroll is false"
	case k != nil && k.Enabled != nil && !*k.Enabled:
		return Fail, "Secure Boot is off, and enroll is false"
	case k != nil && k.Offered && k.Enabled != nil:
		return Pass, "the certificate is in db and Secure Boot is enabled"
	case inForce != nil && !*inForce:
		return Fail, "Secure Boot is off, and enroll is false"
	}
	return NotApplicable, "its controller doesn't tell; the machine has to, before its disk is touched"
}
