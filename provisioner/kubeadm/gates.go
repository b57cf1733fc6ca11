package kubeadm

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// gateList names the feature gates of Version, one in a line, sorted: from
// test/compatibility_lifecycle/reference/versioned_feature_list.yaml of
// k8s.io/kubernetes. A test compares it with the module.
//
//go:embed gates.txt
var gateList string

// A Gate is a feature gate that a configuration names.
type Gate struct {
	Field string // "KubeletConfiguration.featureGates", "apiServer.extraArgs"
	Name  string
}

// gateFields is what the four configurations can hold of feature gates.
type gateFields struct {
	Kind              string          `json:"kind"`
	FeatureGates      map[string]bool `json:"featureGates"`
	APIServer         gateArgs        `json:"apiServer"`
	ControllerManager gateArgs        `json:"controllerManager"`
	Scheduler         gateArgs        `json:"scheduler"`
	NodeRegistration  struct {
		KubeletExtraArgs []gateArg `json:"kubeletExtraArgs"`
	} `json:"nodeRegistration"`
}

type gateArgs struct {
	ExtraArgs []gateArg `json:"extraArgs"`
}

type gateArg struct{ Name, Value string }

// UnknownGates returns the feature gates that config names and Version doesn't
// know, sorted. kubeadm checks only its own gates (ClusterConfiguration), so
// those are left to it. RA2 names several gates that were removed years ago
// (ra2.k8s.006, ra2.k8s.007, ra2.k8s.010).
func UnknownGates(config []byte) ([]Gate, error) {
	var unknown []Gate
	for _, doc := range documents(config) {
		var f gateFields
		if err := yaml.Unmarshal(doc, &f); err != nil {
			return nil, fmt.Errorf("look for feature gates: %w", err)
		}
		if f.Kind != "ClusterConfiguration" {
			for name := range f.FeatureGates {
				unknown = appendUnknown(unknown, f.Kind+".featureGates", name)
			}
		}
		for field, args := range map[string][]gateArg{
			"apiServer.extraArgs":               f.APIServer.ExtraArgs,
			"controllerManager.extraArgs":       f.ControllerManager.ExtraArgs,
			"scheduler.extraArgs":               f.Scheduler.ExtraArgs,
			"nodeRegistration.kubeletExtraArgs": f.NodeRegistration.KubeletExtraArgs,
		} {
			for _, a := range args {
				if a.Name != "feature-gates" {
					continue
				}
				for pair := range strings.SplitSeq(a.Value, ",") {
					name, _, _ := strings.Cut(pair, "=")
					unknown = appendUnknown(unknown, field, strings.TrimSpace(name))
				}
			}
		}
	}
	slices.SortFunc(unknown, func(a, b Gate) int { return strings.Compare(a.Field+a.Name, b.Field+b.Name) })
	return unknown, nil
}

func appendUnknown(to []Gate, field, name string) []Gate {
	// AllAlpha and AllBeta are of every component and in no list.
	if name == "AllAlpha" || name == "AllBeta" || slices.Contains(strings.Fields(gateList), name) {
		return to
	}
	return append(to, Gate{field, name})
}

// documents splits YAML at its document separators.
func documents(config []byte) [][]byte {
	var docs [][]byte
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(config)))
	for {
		doc, err := reader.Read()
		if err != nil {
			return docs
		}
		docs = append(docs, doc)
	}
}
