package rpmrepo

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Header is what an rpm package tells of itself, as far as dnf wants to know it.
type Header struct {
	Name, Epoch, Version, Release, Arch   string
	Summary, Description, Packager, URL   string
	License, Vendor, Group, Host, Source  string
	Built, Installed, Archive, Begin, End int64 // seconds since 1970; bytes; the header's place in the file
	Relations                             []Relations
	Files                                 []File
}

// Relations is all of one kind that a package has to others.
type Relations struct {
	Kind string // "provides", "requires", ... as primary.xml names them
	All  []Relation
}

// Relation is one line: name, or name and version.
type Relation struct {
	Name                    string
	Flags                   string // "EQ", "LE", ...; empty without a version
	Epoch, Version, Release string
	Pre                     bool // needed before the package's scripts run
}

// File is one path of a package.
type File struct {
	Path string
	Type string // "dir", "ghost", or empty for what is neither
}

// Tags of a header (rpm's lib/rpmtag.h).
const (
	tagName, tagVersion, tagRelease, tagEpoch = 1000, 1001, 1002, 1003
	tagSummary, tagDescription                = 1004, 1005
	tagBuildTime, tagBuildHost                = 1006, 1007
	tagSize, tagLongSize                      = 1009, 5009
	tagVendor, tagLicense, tagPackager        = 1011, 1014, 1015
	tagGroup, tagURL, tagArch, tagSource      = 1016, 1020, 1022, 1044
	tagArchiveSize, tagLongArchiveSize        = 1046, 271
	tagPayloadSize                            = 1007 // of the signature: RPMSIGTAG_PAYLOADSIZE
	tagModes, tagFileFlags                    = 1030, 1037
	tagDirIndexes, tagBaseNames, tagDirNames  = 1116, 1117, 1118
)

// kinds are the relations and the tags of their names, versions and flags.
func kinds() []kind {
	return []kind{
		{"provides", 1047, 1113, 1112}, {"requires", 1049, 1050, 1048}, {"conflicts", 1054, 1055, 1053}, {"obsoletes", 1090, 1115, 1114},
		{"suggests", 5049, 5050, 5051}, {"enhances", 5055, 5056, 5057}, {"recommends", 5046, 5047, 5048}, {"supplements", 5052, 5053, 5054},
	}
}

type kind struct {
	name                   string
	names, versions, flags uint32
}

// Read reads the header of an rpm package; its payload is not read.
func Read(r io.Reader) (Header, error) {
	both, err := readHeaders(r)
	if err != nil {
		return Header{}, fmt.Errorf("not an rpm package: %w", err)
	}
	raw := both.main
	h := Header{
		Name: raw.text(tagName), Version: raw.text(tagVersion), Release: raw.text(tagRelease), Arch: raw.text(tagArch),
		Epoch:   strconv.FormatUint(raw.number(tagEpoch), 10),
		Summary: raw.text(tagSummary), Description: raw.text(tagDescription), Packager: raw.text(tagPackager), URL: raw.text(tagURL),
		License: raw.text(tagLicense), Vendor: raw.text(tagVendor), Group: raw.text(tagGroup), Host: raw.text(tagBuildHost), Source: raw.text(tagSource),
		Built: int64(raw.number(tagBuildTime)), Installed: int64(raw.number(tagLongSize, tagSize)), Archive: int64(raw.number(tagLongArchiveSize, tagArchiveSize)),
		Begin: both.begin, End: both.end,
	}
	if h.Archive == 0 { // before rpm 4.6 and in packages that rpm didn't make
		h.Archive = int64(both.signature.number(tagPayloadSize))
	}
	if h.Name == "" || h.Version == "" || h.Release == "" || h.Arch == "" {
		return h, errors.New("its header lacks name, version, release or architecture")
	}
	for _, k := range kinds() {
		if all := relations(raw, k); len(all) > 0 {
			h.Relations = append(h.Relations, Relations{k.name, all})
		}
	}
	h.Files, err = files(raw)
	return h, err
}

// Bits of a relation (rpm's lib/rpmds.h: RPMSENSE_…).
const (
	less, greater, equal           = 1 << 1, 1 << 2, 1 << 3
	prerequired, beforePre, before = 1 << 6, 1 << 9, 1 << 10
)

// relations returns those of one kind. What rpm itself must know
// ("rpmlib(...)") is no package's to provide.
func relations(h header, k kind) []Relation {
	names, versions, flags := h.texts(k.names), h.texts(k.versions), h.numbers(k.flags)
	var out []Relation
	seen := map[Relation]bool{}
	for i, name := range names {
		if strings.HasPrefix(name, "rpmlib(") {
			continue
		}
		r := Relation{Name: name}
		if i < len(flags) {
			r.Pre = k.name == "requires" && flags[i]&(prerequired|beforePre|before) != 0
			r.Flags = senses(flags[i])
		}
		if i < len(versions) && r.Flags != "" && versions[i] != "" {
			r.Epoch, r.Version, r.Release = evr(versions[i])
		} else {
			r.Flags = ""
		}
		if !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}
	return out
}

func senses(flags uint64) string {
	return map[uint64]string{less: "LT", greater: "GT", equal: "EQ", less | equal: "LE", greater | equal: "GE"}[flags&(less|greater|equal)]
}

// evr splits "epoch:version-release"; an epoch that isn't there is 0.
func evr(text string) (epoch, version, release string) {
	epoch, rest, ok := strings.Cut(text, ":")
	if !ok {
		epoch, rest = "0", text
	}
	version, release, _ = strings.Cut(rest, "-")
	return epoch, version, release
}

const (
	modeType, modeDir = 0o170000, 0o040000 // stat(2)
	ghost             = 1 << 6             // rpm's lib/rpmfiles.h: RPMFILE_GHOST
)

// files joins folders and names of the files.
func files(h header) ([]File, error) {
	names, dirs, at := h.texts(tagBaseNames), h.texts(tagDirNames), h.numbers(tagDirIndexes)
	modes, flags := h.numbers(tagModes), h.numbers(tagFileFlags)
	if len(at) != len(names) || len(modes) != len(names) {
		return nil, fmt.Errorf("its header has %d file names with %d folders and %d modes", len(names), len(at), len(modes))
	}
	var out []File
	for i, name := range names {
		if at[i] >= uint64(len(dirs)) {
			return nil, fmt.Errorf("its header has no folder for the file %s", name)
		}
		f := File{Path: dirs[at[i]] + name}
		switch {
		case modes[i]&modeType == modeDir:
			f.Type = "dir"
		case i < len(flags) && flags[i]&ghost != 0:
			f.Type = "ghost"
		}
		out = append(out, f)
	}
	return out, nil
}
