// Command flannel is the CNI plugin that a flannel network configuration names
// ("type": "flannel"). It reads what flanneld has written about this node's
// pod subnets and hands on to the plugin bridge (or ptp) with the IPAM plugin
// host-local. Upstream's is github.com/flannel-io/cni-plugin, which the public
// module proxy doesn't serve; this one does what its Linux side does, for both
// families, so that upstream's manifests work unchanged.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Defaults of upstream's plugin.
const (
	defaultSubnetFile = "/run/flannel/subnet.env"
	defaultDataDir    = "/var/lib/cni/flannel"
	addressDir        = "/run/cni-ipam-state" // a reboot ends all pods: their addresses are free again
)

// versions are those of the CNI specification that the delegates of
// containernetworking/plugins 1.1 understand.
const versions = `{"cniVersion":"1.0.0","supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0"]}`

// Error codes (CNI specification 1.0.0, "Error"): from 100 on a plugin's own.
const (
	codeBadInput = 7   // invalid network configuration
	codeTryLater = 11  // flanneld hasn't written its file yet
	codeDelegate = 100 // the delegate could not be run
)

// conf is the network configuration on standard input.
type conf struct {
	CNIVersion    string          `json:"cniVersion"`
	Name          string          `json:"name"`
	SubnetFile    string          `json:"subnetFile"`
	DataDir       string          `json:"dataDir"`
	Delegate      map[string]any  `json:"delegate"`
	RuntimeConfig json.RawMessage `json:"runtimeConfig"`
	PrevResult    json.RawMessage `json:"prevResult"`
}

// failure is an error as the runtime reads it.
type failure struct {
	CNIVersion string `json:"cniVersion"`
	Code       int    `json:"code"`
	Msg        string `json:"msg"`
	Details    string `json:"details,omitempty"`
}

// Error gives the message and the details.
func (f *failure) Error() string { return f.Msg + ": " + f.Details }

func main() {
	err := run(os.Getenv("CNI_COMMAND"), os.Stdin, os.Stdout)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode()) // the delegate has said why
	}
	if err != nil {
		var f *failure
		if !errors.As(err, &f) {
			f = &failure{Code: codeDelegate, Msg: "flannel", Details: err.Error()}
		}
		f.CNIVersion = "1.0.0"
		json.NewEncoder(os.Stdout).Encode(f)
		os.Exit(1)
	}
}

func run(verb string, in io.Reader, out io.Writer) error {
	if verb == "VERSION" {
		_, err := fmt.Fprintln(out, versions)
		return err
	}
	c := conf{SubnetFile: defaultSubnetFile, DataDir: defaultDataDir}
	if err := json.NewDecoder(in).Decode(&c); err != nil {
		return &failure{Code: codeBadInput, Msg: "read the network configuration", Details: err.Error()}
	}
	saved := filepath.Join(c.DataDir, filepath.Base(os.Getenv("CNI_CONTAINERID")))
	switch verb {
	case "ADD":
		return add(c, saved, out)
	case "DEL", "CHECK":
		return again(c, verb, saved, out)
	case "STATUS":
		_, err := readSubnets(c.SubnetFile)
		return err
	case "GC":
		return nil // host-local cleans up at DEL
	}
	return &failure{Code: codeBadInput, Msg: "CNI_COMMAND", Details: strconv.Quote(verb) + " is not known"}
}

// add makes the delegate's configuration, keeps it for DEL and runs it.
func add(c conf, saved string, out io.Writer) error {
	env, err := readSubnets(c.SubnetFile)
	if err != nil {
		return err
	}
	delegate, err := c.delegate(env)
	if err != nil {
		return err
	}
	text, err := json.Marshal(delegate)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(saved), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(saved, text, 0o600); err != nil {
		return err
	}
	return hand(delegate["type"], text, out)
}

// again runs the delegate with the configuration that ADD made. A DEL without
// one is done already.
func again(c conf, verb, saved string, out io.Writer) error {
	text, err := os.ReadFile(saved)
	if errors.Is(err, fs.ErrNotExist) && verb == "DEL" {
		return nil
	}
	var delegate map[string]any
	if err == nil {
		err = json.Unmarshal(text, &delegate)
	}
	if err != nil {
		return &failure{Code: codeDelegate, Msg: "read what ADD kept", Details: err.Error()}
	}
	c.addRuntime(delegate)
	if text, err = json.Marshal(delegate); err != nil {
		return err
	}
	if err := hand(delegate["type"], text, out); err != nil {
		return err
	}
	if verb == "DEL" {
		return os.Remove(saved)
	}
	return nil
}

// readSubnets reads flanneld's file of KEY=value lines.
func readSubnets(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &failure{Code: codeTryLater, Msg: "flanneld has not told this node's subnet yet", Details: err.Error()}
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			env[name] = value
		}
	}
	if env["FLANNEL_SUBNET"] == "" && env["FLANNEL_IPV6_SUBNET"] == "" {
		return nil, &failure{Code: codeTryLater, Msg: "flanneld has not told this node's subnet yet", Details: file + " names none"}
	}
	return env, nil
}

// delegate gives the configuration of the plugin that does the work: what the
// user wrote under "delegate", and what follows from the subnets.
func (c conf) delegate(env map[string]string) (map[string]any, error) {
	d := map[string]any{"type": "bridge"}
	maps.Copy(d, c.Delegate)
	d["name"], d["cniVersion"] = c.Name, c.CNIVersion
	setDefault(d, "ipMasq", env["FLANNEL_IPMASQ"] != "true") // flanneld masquerades itself, or the plugin does
	if mtu, err := strconv.Atoi(env["FLANNEL_MTU"]); err == nil {
		setDefault(d, "mtu", mtu)
	}
	if d["type"] == "bridge" {
		setDefault(d, "isGateway", true)
	}
	if _, ok := d["ipam"]; !ok {
		var err error
		if d["ipam"], err = ipam(env, d["type"] == "ptp"); err != nil {
			return nil, err
		}
	}
	if _, ok := d["type"].(string); !ok {
		return nil, &failure{Code: codeBadInput, Msg: "delegate", Details: "its type is no string"}
	}
	c.addRuntime(d)
	return d, nil
}

func (c conf) addRuntime(d map[string]any) {
	if c.RuntimeConfig != nil {
		d["runtimeConfig"] = c.RuntimeConfig
	}
	if c.PrevResult != nil {
		d["prevResult"] = c.PrevResult
	}
}

// ipam gives the configuration of host-local. flanneld writes the gateway's
// address with the subnet's length (10.244.1.1/24); host-local refuses host
// bits and takes the first address for the gateway by itself. The plugin ptp
// has no setting for a default route as bridge has (isDefaultGateway), so with
// everywhere the routes lead everywhere.
func ipam(env map[string]string, everywhere bool) (map[string]any, error) {
	var ranges [][]map[string]string
	var routes []map[string]string
	for _, each := range [][2]string{{"FLANNEL_", "0.0.0.0/0"}, {"FLANNEL_IPV6_", "::/0"}} {
		family, all := each[0], each[1]
		if subnet := env[family+"SUBNET"]; subnet != "" {
			prefix, err := netip.ParsePrefix(subnet)
			if err != nil {
				return nil, &failure{Code: codeTryLater, Msg: family + "SUBNET", Details: err.Error()}
			}
			ranges = append(ranges, []map[string]string{{"subnet": prefix.Masked().String()}})
			if everywhere {
				routes = append(routes, map[string]string{"dst": all})
			}
		}
		for network := range strings.SplitSeq(env[family+"NETWORK"], ",") {
			if network != "" {
				routes = append(routes, map[string]string{"dst": network})
			}
		}
	}
	return map[string]any{"type": "host-local", "dataDir": addressDir, "ranges": ranges, "routes": routes}, nil
}

func setDefault(d map[string]any, name string, value any) {
	if _, ok := d[name]; !ok {
		d[name] = value
	}
}

// hand runs the plugin from CNI_PATH in this one's place.
func hand(plugin any, stdin []byte, out io.Writer) error {
	name, _ := plugin.(string)
	for _, dir := range filepath.SplitList(os.Getenv("CNI_PATH")) {
		file := filepath.Join(dir, filepath.Base(name))
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			continue
		}
		cmd := exec.Command(file)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), out, os.Stderr
		return cmd.Run()
	}
	return &failure{Code: codeDelegate, Msg: "find the plugin " + name, Details: "it is not in " + os.Getenv("CNI_PATH")}
}
