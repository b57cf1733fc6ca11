// Package cni turns what flannel found out about a node's pod ranges into the
// configuration of the pod network that the container runtime reads. flannel's
// own plugin would do the same at each pod's start, in one more binary.
//
// It imports the standard library only: the program that runs it in every node
// is small.
package cni

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// The configuration (CNI specification 1.0.0): ptp gives each pod a point to
// point link and lets the kernel route between pods, so that services work on
// one node without br_netfilter; host-local hands out addresses and forgets
// them with the reboot.
type list struct {
	Version string   `json:"cniVersion"`
	Name    string   `json:"name"`
	Plugins []plugin `json:"plugins"`
}

type plugin struct {
	Type   string `json:"type"`
	MTU    int    `json:"mtu"`
	IPMasq bool   `json:"ipMasq"`
	IPAM   ipam   `json:"ipam"`
}

type ipam struct {
	Type    string     `json:"type"`
	DataDir string     `json:"dataDir"`
	Ranges  [][]subnet `json:"ranges"`
	Routes  []route    `json:"routes"`
}

type subnet struct {
	Subnet string `json:"subnet"`
}

type route struct {
	Dst string `json:"dst"`
}

// Conflist returns the network configuration list for a node, from flannel's
// file subnet.env (FLANNEL_SUBNET and FLANNEL_IPV6_SUBNET are the first address
// and prefix length of the node's ranges, FLANNEL_MTU what fits its tunnel).
func Conflist(subnetEnv []byte) ([]byte, error) {
	p := plugin{Type: "ptp", IPAM: ipam{Type: "host-local", DataDir: "/run/cni-ipam-state"}}
	for line := range strings.Lines(string(subnetEnv)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET":
			prefix, err := netip.ParsePrefix(value)
			if err != nil {
				return nil, fmt.Errorf("read flannel's subnet.env: %s: %w", name, err)
			}
			everywhere := "0.0.0.0/0"
			if prefix.Addr().Is6() {
				everywhere = "::/0"
			}
			p.IPAM.Ranges = append(p.IPAM.Ranges, []subnet{{prefix.Masked().String()}})
			p.IPAM.Routes = append(p.IPAM.Routes, route{everywhere})
		case "FLANNEL_MTU":
			mtu, err := strconv.Atoi(value)
			if err != nil {
				return nil, fmt.Errorf("read flannel's subnet.env: %s: %w", name, err)
			}
			p.MTU = mtu
		}
	}
	if len(p.IPAM.Ranges) == 0 || p.MTU <= 0 {
		return nil, errors.New("read flannel's subnet.env: it lacks a subnet or the MTU")
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(list{"1.0.0", "ra2", []plugin{p}})
	return out.Bytes(), err
}
