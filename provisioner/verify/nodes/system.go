package nodes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// release reads os-release(5).
func (s Said) release() map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(s.Files["/etc/os-release"]) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") {
			all[name] = strings.Trim(value, `"'`)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// packages reads the database of packages: that of the manager which has some.
func (s Said) packages() *conform.Packages {
	for _, m := range []struct{ name, run string }{{"dpkg", debs}, {"rpm", rpms}} {
		r, ran := s.Runs[m.run]
		if !ran || r.Exit != 0 {
			continue
		}
		var lines []string
		for line := range strings.Lines(r.Output) {
			if name, version, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
				lines = append(lines, name+" "+version)
			}
		}
		if len(lines) == 0 {
			continue
		}
		slices.Sort(lines)
		sum := sha256.Sum256([]byte(strings.Join(lines, "\n") + "\n"))
		return &conform.Packages{Manager: m.name, Count: len(lines), Digest: "sha256:" + hex.EncodeToString(sum[:])}
	}
	return nil
}

// mounts reads /proc/1/mounts; in its fields a blank is written \040 (fstab(5)).
func (s Said) mounts() []conform.Mount {
	var all []conform.Mount
	for line := range strings.Lines(s.Files["/proc/1/mounts"]) {
		if f := strings.Fields(line); len(f) >= 4 {
			all = append(all, conform.Mount{Source: plain(f[0]), Target: plain(f[1]), Type: f[2], Options: strings.Split(f[3], ",")})
		}
	}
	return all
}

func plain(field string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(field)
}

func (s Said) unified() *bool {
	if len(s.mounts()) == 0 {
		return nil
	}
	return new(s.has("/sys/fs/cgroup/cgroup.controllers"))
}

func (s Said) sysctls() map[string]string {
	const dir = "/proc/sys/net/"
	all := map[string]string{}
	for file := range s.Files {
		if strings.HasPrefix(file, dir) {
			all[strings.ReplaceAll(strings.TrimPrefix(file, "/proc/sys/"), "/", ".")] = s.text(file)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// virtual is what systemd says of the machine, not of containers. It says "none" by
// exit status 1.
func (s Said) virtual() *string {
	r, ran := s.Runs[machine]
	if kind := strings.TrimSpace(r.Output); ran && kind != "" {
		return &kind
	}
	return nil
}

// runtime reads what the runtimes say of themselves. "spec:" is the version of the
// OCI runtime specification; runc and crun write it alike.
func (s Said) runtime() conform.Runtime {
	var out conform.Runtime
	if f := strings.Fields(s.Runs[container].Output); len(f) >= 3 { // containerd github.com/containerd/containerd/v2 v2.1.4 <revision>
		out.Name, out.Version = f[0], f[2]
	}
	for _, run := range []string{runc, crun} {
		r, ran := s.Runs[run]
		if !ran || r.Exit != 0 {
			continue
		}
		for line := range strings.Lines(r.Output) {
			line = strings.TrimSpace(line)
			name, version, first := strings.Cut(line, " version ")
			spec, isSpec := strings.CutPrefix(line, "spec:")
			switch {
			case first:
				out.OCIName, out.OCIVersion = name, version
			case isSpec:
				out.OCISpec = strings.TrimSpace(spec)
			}
		}
		return out
	}
	return out
}

// clock reads what chronyc(1) says with -c: of tracking the source's address is the
// second field, the offset in seconds the fifth, and the leap status the last.
func (s Said) clock() conform.Clock {
	r, ran := s.Runs[tracking]
	f := strings.Split(strings.TrimSpace(r.Output), ",")
	if !ran || r.Exit != 0 || len(f) < 14 {
		return conform.Clock{}
	}
	out := conform.Clock{Service: "chrony", Source: f[1], Synced: new(f[13] != "Not synchronised")}
	if offset, err := strconv.ParseFloat(f[4], 64); err == nil && offset == offset { // no NaN: JSON has none
		out.Offset = max(-1e9, min(1e9, offset))
	}
	out.NTS = s.authenticated(out.Source)
	return out
}

// authenticated tells of a source whether it is authenticated by NTS: name and mode
// are the first two fields of authdata.
func (s Said) authenticated(source string) *bool {
	r, ran := s.Runs[sources]
	if !ran || r.Exit != 0 {
		return nil
	}
	for line := range strings.Lines(r.Output) {
		if f := strings.Split(strings.TrimSpace(line), ","); len(f) > 2 && f[0] == source {
			return new(f[1] == "NTS")
		}
	}
	return nil
}

// cni reads the configurations of networks in the order in which the runtime takes
// them, which is that of their names.
func (s Said) cni() conform.CNI {
	var out conform.CNI
	var files []string
	for file := range s.Files {
		if path.Dir(file) == networks {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	for _, file := range files {
		var c struct {
			Name, Type string
			Plugins    []struct{ Type string }
		}
		if json.Unmarshal([]byte(s.Files[file]), &c) != nil {
			continue
		}
		one := conform.CNIConfig{File: path.Base(file), Name: c.Name}
		if c.Type != "" {
			one.Types = append(one.Types, c.Type)
		}
		for _, p := range c.Plugins {
			one.Types = append(one.Types, p.Type)
		}
		out.Configs = append(out.Configs, one)
	}
	out.Bin = slices.Compact(slices.Sorted(slices.Values(append(s.named("/opt/cni/bin", "*"), s.named("/usr/lib/cni", "*")...))))
	return out
}
