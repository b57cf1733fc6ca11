package images

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// FileSBOM is the list of all that an image is made of, as an SPDX 2.3 document
// in JSON. It lies beside the image, and in it below sbomDir.
const (
	FileSBOM = "sbom.spdx.json"
	sbomDir  = "usr/share/ra2"
)

// component is one thing that an image holds.
type component struct {
	name, version, purl string // purl is a package URL (ECMA-427)
	source              string // what it came with, in words
}

// writeSBOM lays the document into the root tree and beside the image.
func (b *builder) writeSBOM(p pieces, root, out string, m Manifest) error {
	all, err := b.components(p, m)
	if err != nil {
		return fmt.Errorf("list what the image holds: %w", err)
	}
	text, err := sbom(m, all)
	if err != nil {
		return fmt.Errorf("write the SPDX document: %w", err)
	}
	for _, dir := range []string{out, filepath.Join(root, sbomDir)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, FileSBOM), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// components returns the packages of the distribution, the Go modules of every
// program (as each says itself) and the container images, sorted.
func (b *builder) components(p pieces, m Manifest) ([]component, error) {
	found := map[component]bool{}
	for _, line := range m.Packages {
		name, version, _ := strings.Cut(line, " ")
		found[component{name, version, "pkg:deb/debian/" + name + "@" + escape(version) + "?arch=amd64", "package of " + m.Distribution}] = true
	}
	programs := maps.Clone(p.programs)
	if programs == nil {
		programs = map[string]string{}
	}
	programs["ra2-node"] = b.spec.Node
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		info, err := buildinfo.ReadFile(programs[name])
		if err != nil {
			return nil, fmt.Errorf("read which modules %s was built from: %w", name, err)
		}
		found[module("std", strings.TrimPrefix(info.GoVersion, "go"))] = true
		for _, d := range info.Deps {
			if d.Replace != nil {
				d = d.Replace
			}
			found[module(d.Path, d.Version)] = true
		}
	}
	if b.spec.Kubernetes {
		for _, m := range b.recipe.Modules {
			found[module(m.Path, m.Version)] = true
		}
		for _, c := range b.recipe.Containers {
			name, tag, _ := strings.Cut(c.Name, ":")
			found[component{name, tag, "", "container image, made of the programs listed here"}] = true
		}
	}
	all := slices.Collect(maps.Keys(found))
	slices.SortFunc(all, func(a, b component) int {
		return strings.Compare(a.purl+" "+a.name+" "+a.version, b.purl+" "+b.name+" "+b.version)
	})
	return all, nil
}

func module(path, version string) component {
	if version == "" { // a module of this build itself
		version = "(devel)"
	}
	return component{path, version, "pkg:golang/" + path + "@" + escape(version), "Go module"}
}

// escape writes a version as a package URL has it: "+", ":" and parentheses
// mean something there.
func escape(version string) string {
	return strings.NewReplacer("+", "%2B", ":", "%3A", "(", "%28", ")", "%29").Replace(version)
}

// sbom is the document (SPDX 2.3, clauses 6, 7 and 11). It names the inputs of
// the image, not the image: that one holds the document.
func sbom(m Manifest, all []component) ([]byte, error) {
	epoch, err := imageTime()
	if err != nil {
		return nil, err
	}
	doc := v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      "ra2-image-" + m.Distribution,
		DocumentNamespace: "https://ra2-deploy.io/spdx/" + m.Inputs,
		CreationInfo: &v2_3.CreationInfo{
			Created: epoch.Format(time.RFC3339), Creators: []common.Creator{{CreatorType: "Tool", Creator: "ra2-deploy"}},
		},
		Packages: []*v2_3.Package{{
			PackageName: "ra2-image", PackageSPDXIdentifier: "Image", PackageVersion: m.Inputs[:min(16, len(m.Inputs))],
			PackageDownloadLocation: "NOASSERTION", PrimaryPackagePurpose: "OPERATING-SYSTEM",
		}},
		Relationships: []*v2_3.Relationship{related("DOCUMENT", "DESCRIBES", "Image")},
	}
	for i, c := range all {
		p := &v2_3.Package{
			PackageName: c.name, PackageVersion: c.version, PackageDownloadLocation: "NOASSERTION", PackageSourceInfo: c.source,
			PackageSPDXIdentifier: common.ElementID(fmt.Sprintf("Part-%d-%s", i+1, notInIDs().ReplaceAllString(c.name, "-"))),
		}
		if c.purl != "" {
			p.PackageExternalReferences = []*v2_3.PackageExternalReference{{Category: "PACKAGE-MANAGER", RefType: "purl", Locator: c.purl}}
		}
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, related("Image", "CONTAINS", p.PackageSPDXIdentifier))
	}
	var out bytes.Buffer
	err = spdxjson.Write(&doc, &out, spdxjson.Indent(" "))
	return out.Bytes(), err
}

// notInIDs is what an SPDX identifier can't hold (clause 3.2).
func notInIDs() *regexp.Regexp { return regexp.MustCompile(`[^A-Za-z0-9.-]+`) }

func related(a common.ElementID, how string, b common.ElementID) *v2_3.Relationship {
	return &v2_3.Relationship{
		RefA: common.MakeDocElementID("", string(a)), Relationship: how, RefB: common.MakeDocElementID("", string(b)),
	}
}
