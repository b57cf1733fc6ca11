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
	all, err := b.components(p, root, m)
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

// components returns the packages of the distribution and of our own, the Go
// modules of every program (as each says itself) and the container images, sorted.
func (b *builder) components(p pieces, root string, m Manifest) ([]component, error) {
	found := map[component]bool{}
	for _, line := range m.Packages {
		name, version, _ := strings.Cut(line, " ")
		found[b.distro.component(name, version, b.recipe.owns(name), m)] = true
	}
	modules := map[string]bool{}
	if _, err := buildinfo.ReadFile(filepath.Join(root, "usr/bin/ra2-node")); err != nil {
		return nil, fmt.Errorf("read which modules ra2-node was built from: %w", err)
	}
	if err := modulesIn(filepath.Join(root, "usr"), modules); err != nil {
		return nil, fmt.Errorf("read which modules programs were built from: %w", err)
	}
	if err := readModules(p.data, modules); err != nil {
		return nil, err
	}
	for line := range modules {
		path, version, _ := strings.Cut(line, " ")
		found[module(path, version)] = true
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

// component gives a package as SPDX lists it. The package URL says whose it is:
// the distribution's, or one that was made of programs built here.
func (d Distribution) component(name, version string, own bool, m Manifest) component {
	vendor, source := d.Vendor, "package of "+m.Distribution
	if own {
		vendor, source = "ra2-deploy", "package made of programs built from Go modules"
	}
	url := "pkg:" + d.Family + "/" + vendor + "/" + name + "@"
	if d.Family != "rpm" {
		return component{name, version, url + escape(version) + "?arch=amd64", source}
	}
	// The type rpm has the epoch apart from the version (purl-spec, types/rpm).
	epoch, rest, ok := strings.Cut(version, ":")
	if !ok {
		return component{name, version, url + escape(version) + "?arch=x86_64", source}
	}
	return component{name, version, url + escape(rest) + "?arch=x86_64&epoch=" + epoch, source}
}

// owns tells whether a package is made of programs built here.
func (r Recipe) owns(name string) bool {
	return slices.ContainsFunc(r.Packages, func(p Package) bool { return p.Name == name })
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
