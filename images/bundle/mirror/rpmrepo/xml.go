package rpmrepo

import "encoding/xml"

// The documents, in the order of createrepo_c's elements. encoding/xml writes
// "rpm:" as a part of the name, which is what their readers look for.

type repomd struct {
	XMLName  struct{} `xml:"repomd"`
	XMLNS    string   `xml:"xmlns,attr"`
	RPM      string   `xml:"xmlns:rpm,attr"`
	Revision string   `xml:"revision"`
	Data     []data   `xml:"data"`
}

type data struct {
	Type      string   `xml:"type,attr"`
	Checksum  checksum `xml:"checksum"`
	Open      checksum `xml:"open-checksum"`
	Location  location `xml:"location"`
	Timestamp int64    `xml:"timestamp"` // 0: the same packages are the same repository, whenever they are served
	Size      int      `xml:"size"`
	OpenSize  int      `xml:"open-size"`
}

type checksum struct {
	Type string `xml:"type,attr"`
	Sum  string `xml:",chardata"`
}

type location struct {
	Href string `xml:"href,attr"`
}

type primary struct {
	XMLName  struct{}         `xml:"metadata"`
	XMLNS    string           `xml:"xmlns,attr"`
	RPM      string           `xml:"xmlns:rpm,attr"`
	Count    int              `xml:"packages,attr"`
	Packages []primaryPackage `xml:"package"`
}

type primaryPackage struct {
	Type        string     `xml:"type,attr"`
	Name        string     `xml:"name"`
	Arch        string     `xml:"arch"`
	Version     version    `xml:"version"`
	Checksum    packageSum `xml:"checksum"`
	Summary     string     `xml:"summary"`
	Description string     `xml:"description"`
	Packager    string     `xml:"packager"`
	URL         string     `xml:"url"`
	Time        times      `xml:"time"`
	Size        sizes      `xml:"size"`
	Location    location   `xml:"location"`
	Format      format     `xml:"format"`
}

type version struct {
	Epoch   string `xml:"epoch,attr,omitempty"`
	Version string `xml:"ver,attr,omitempty"`
	Release string `xml:"rel,attr,omitempty"`
}

type packageSum struct {
	Type string `xml:"type,attr"`
	ID   string `xml:"pkgid,attr"`
	Sum  string `xml:",chardata"`
}

type times struct {
	File  int64 `xml:"file,attr"`
	Build int64 `xml:"build,attr"`
}

type sizes struct {
	Package   int64 `xml:"package,attr"`
	Installed int64 `xml:"installed,attr"`
	Archive   int64 `xml:"archive,attr"`
}

type format struct {
	License     string         `xml:"rpm:license"`
	Vendor      string         `xml:"rpm:vendor"`
	Group       string         `xml:"rpm:group"`
	BuildHost   string         `xml:"rpm:buildhost"`
	SourceRPM   string         `xml:"rpm:sourcerpm"`
	HeaderRange headerRange    `xml:"rpm:header-range"`
	Relations   []relationList `xml:"relations"`
	Files       []xmlFile      `xml:"file"`
}

type headerRange struct {
	Begin int64 `xml:"start,attr"`
	End   int64 `xml:"end,attr"`
}

// relationList is named after its kind: rpm:provides.
type relationList struct {
	XMLName xml.Name
	Entries []xmlRelation `xml:"rpm:entry"`
}

type xmlRelation struct {
	Name  string `xml:"name,attr"`
	Flags string `xml:"flags,attr,omitempty"`
	version
	Pre string `xml:"pre,attr,omitempty"`
}

type xmlFile struct {
	Type string `xml:"type,attr,omitempty"`
	Path string `xml:",chardata"`
}

type filelists struct {
	XMLName  struct{}          `xml:"filelists"`
	XMLNS    string            `xml:"xmlns,attr"`
	Count    int               `xml:"packages,attr"`
	Packages []filelistPackage `xml:"package"`
}

type filelistPackage struct {
	ID      string    `xml:"pkgid,attr"`
	Name    string    `xml:"name,attr"`
	Arch    string    `xml:"arch,attr"`
	Version version   `xml:"version"`
	Files   []xmlFile `xml:"file"`
}

func (p Package) version() version { return version{p.Epoch, p.Version, p.Release} }

func newPrimary(all []Package) primary {
	out := primary{XMLNS: "http://linux.duke.edu/metadata/common", RPM: "http://linux.duke.edu/metadata/rpm", Count: len(all)}
	for _, p := range all {
		out.Packages = append(out.Packages, primaryPackage{
			Type: "rpm", Name: p.Name, Arch: p.Arch, Version: p.version(), Checksum: packageSum{"sha256", "YES", p.SHA256},
			Summary: p.Summary, Description: p.Description, Packager: p.Packager, URL: p.URL,
			Time: times{p.Built, p.Built}, Size: sizes{p.Size, p.Installed, p.Archive}, Location: location{p.Path}, Format: p.format(),
		})
	}
	return out
}

func (p Package) format() format {
	f := format{License: p.License, Vendor: p.Vendor, Group: p.Group, BuildHost: p.Host, SourceRPM: p.Source, HeaderRange: headerRange{p.Begin, p.End}}
	for _, r := range p.Relations {
		list := relationList{XMLName: xml.Name{Local: "rpm:" + r.Kind}}
		for _, one := range r.All {
			line := xmlRelation{Name: one.Name, Flags: one.Flags, version: version{one.Epoch, one.Version, one.Release}}
			if one.Pre {
				line.Pre = "1"
			}
			list.Entries = append(list.Entries, line)
		}
		f.Relations = append(f.Relations, list)
	}
	for _, file := range p.Files {
		if inPrimary.MatchString(file.Path) {
			f.Files = append(f.Files, xmlFile{file.Type, file.Path})
		}
	}
	return f
}

func newFilelists(all []Package) filelists {
	out := filelists{XMLNS: "http://linux.duke.edu/metadata/filelists", Count: len(all)}
	for _, p := range all {
		one := filelistPackage{ID: p.SHA256, Name: p.Name, Arch: p.Arch, Version: p.version()}
		for _, file := range p.Files {
			one.Files = append(one.Files, xmlFile{file.Type, file.Path})
		}
		out.Packages = append(out.Packages, one)
	}
	return out
}
