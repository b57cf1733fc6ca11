// Package rpmrepo makes the lists of an rpm repository from packages, as
// createrepo_c does: repomd.xml, primary and filelists, which dnf, zypper and
// microdnf read. The list "other" has changelogs, which nobody installs by; it is
// left out. The same packages give the same bytes.
package rpmrepo

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"path"
	"regexp"
)

// Package is one rpm package in a repository.
type Package struct {
	Header
	Path   string // below the repository
	Size   int64
	SHA256 string // hex
}

// Lists returns all lists by path below the repository.
func Lists(all []Package) (map[string][]byte, error) {
	primary, filelists := newPrimary(all), newFilelists(all)
	out := map[string][]byte{}
	md := repomd{XMLNS: "http://linux.duke.edu/metadata/repo", RPM: "http://linux.duke.edu/metadata/rpm"}
	for _, l := range []struct {
		name string
		list any
	}{{"primary", primary}, {"filelists", filelists}} {
		text, err := document(l.list)
		if err != nil {
			return nil, fmt.Errorf("write %s.xml: %w", l.name, err)
		}
		small, err := packed(text)
		if err != nil {
			return nil, err
		}
		at := path.Join("repodata", sum(small)+"-"+l.name+".xml.gz")
		out[at] = small
		md.Data = append(md.Data, data{
			Type: l.name, Checksum: checksum{"sha256", sum(small)}, Open: checksum{"sha256", sum(text)},
			Location: location{at}, Size: len(small), OpenSize: len(text),
		})
	}
	md.Revision = sum(out[md.Data[0].Location.Href])[:16]
	text, err := document(md)
	out["repodata/repomd.xml"] = text
	return out, err
}

// document is v as an XML document.
func document(v any) ([]byte, error) {
	text, err := xml.MarshalIndent(v, "", " ")
	return append(append([]byte(xml.Header), text...), '\n'), err
}

// packed is text with gzip, without a time or a name.
func packed(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

// inPrimary are files that primary has as well, since packages may require them
// (createrepo_c, cr_is_primary).
var inPrimary = regexp.MustCompile(`^/etc/|bin/|^/usr/lib/sendmail$`)
