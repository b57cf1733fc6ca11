// Package pack makes real .deb and .rpm packages of programs that were built
// here, with their units, configuration and scripts, so that an image is always
// made from packages, whatever their source.
//
//	p := pack.Package{Name: "kubelet", Version: "v1.37.2", Files: []pack.File{{Path: "/usr/bin/kubelet", Host: built, Mode: 0o755}}, …}
//	err := p.Write(out, pack.Deb)
//
// The writers are nfpm's. The same package gives the same bytes, whenever and
// wherever it is written: every time stamp is Time, the build host is a name.
//
// A file below /etc is the administrator's to change (a conffile in Debian
// Policy 10.7, %config(noreplace) in rpm). What a package was made from, a Go
// module with its sum for one, stands in its description and, in a .deb, in the
// field Ra2-Source; rpm has no place for fields of one's own.
package pack
