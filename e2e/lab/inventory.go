package lab

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"
)

// username of every BMC of a lab.
const username = "admin"

// writeInventory writes DIR/inventory.yaml, ready for ra2-deploy. Fingerprints
// are those of the BMCs by machine name.
func (f File) writeInventory(dir string, all []server, fingerprints map[string]string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	vips, err := f.vips()
	if err != nil {
		return err
	}
	var nodes []any
	var zones []string
	for _, s := range all {
		if !slices.Contains(zones, s.Zone) {
			zones = append(zones, s.Zone)
		}
		nodes = append(nodes, s.node(filepath.Join(abs, passwordFile), fingerprints[s.Name]))
	}
	spec := yaml.MapSlice{
		{Key: "kubernetes", Value: yaml.MapSlice{{Key: "endpoint", Value: yaml.MapSlice{
			{Key: "host", Value: "api." + f.Metadata.Name + ".example"}, {Key: "vips", Value: vips},
		}}}},
		{Key: "image", Value: yaml.MapSlice{{Key: "distribution", Value: "debian-13"}, {Key: "kernel", Value: "cloud"}}},
		{Key: "provisioning", Value: yaml.MapSlice{
			{Key: "interface", Value: provBridge}, {Key: "cidrs", Value: f.Spec.Networks.Provisioning}, {Key: "dhcp", Value: "authoritative"},
		}},
		{Key: "zones", Value: zones}, {Key: "nodes", Value: nodes},
	}
	for _, key := range slices.Sorted(maps.Keys(f.Spec.Cluster)) {
		spec = with(spec, key, f.Spec.Cluster[key])
	}
	text, err := yaml.Marshal(yaml.MapSlice{
		{Key: "apiVersion", Value: "ra2-deploy/v1alpha1"}, {Key: "kind", Value: "Cluster"},
		{Key: "metadata", Value: yaml.MapSlice{{Key: "name", Value: f.Metadata.Name}}}, {Key: "spec", Value: spec},
	})
	if err != nil {
		return fmt.Errorf("write the inventory: %w", err)
	}
	head := "# Written by `ra2-deploy lab up`; the machines are those of this lab.\n"
	return os.WriteFile(filepath.Join(dir, InventoryFile), append([]byte(head), text...), 0o644)
}

// with returns the spec with one key set, in its old place if it was there.
func with(spec yaml.MapSlice, key string, value any) yaml.MapSlice {
	for i := range spec {
		if spec[i].Key == key {
			spec[i].Value = value
			return spec
		}
	}
	return append(spec, yaml.MapItem{Key: key, Value: value})
}

func (s server) node(password, fingerprint string) yaml.MapSlice {
	var addresses []string
	for _, a := range s.address {
		addresses = append(addresses, a.String())
	}
	n := yaml.MapSlice{{Key: "name", Value: s.Name}, {Key: "zone", Value: s.Zone}, {Key: "roles", Value: s.Roles}}
	if s.Class != "" {
		n = append(n, yaml.MapItem{Key: "class", Value: s.Class})
	}
	return append(n,
		yaml.MapItem{Key: "serial", Value: s.serial},
		yaml.MapItem{Key: "bmc", Value: s.controller(password, fingerprint)},
		yaml.MapItem{Key: "boot", Value: yaml.MapSlice{{Key: "mac", Value: s.mac.String()}, {Key: "method", Value: s.Machine.Boot}}},
		yaml.MapItem{Key: "disk", Value: yaml.MapSlice{{Key: "serial", Value: s.disk}}},
		yaml.MapItem{Key: "addresses", Value: addresses},
	)
}

// controller is how the inventory reaches the machine's controller.
func (s server) controller(password, fingerprint string) yaml.MapSlice {
	login := yaml.MapItem{Key: "credentials", Value: yaml.MapSlice{
		{Key: "username", Value: username}, {Key: "password", Value: yaml.MapSlice{{Key: "file", Value: password}}},
	}}
	byIPMI := "ipmi://" + s.bmc.String()
	if s.IPMI == IPMIOnly {
		return yaml.MapSlice{{Key: "url", Value: byIPMI}, login}
	}
	out := yaml.MapSlice{{Key: "url", Value: "redfish+https://" + s.bmc.String()}, login, {Key: "fingerprint", Value: fingerprint}}
	if s.IPMI == IPMIBeside {
		out = append(out, yaml.MapItem{Key: "ipmi", Value: byIPMI})
	}
	return out
}

// vips are host 10 of each provisioning network.
func (f File) vips() ([]string, error) {
	var vips []string
	for _, cidr := range f.Spec.Networks.Provisioning {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			return nil, err
		}
		a, err := hostAddr(p, firstNumber-1)
		if err != nil {
			return nil, err
		}
		vips = append(vips, a.String())
	}
	return vips, nil
}
