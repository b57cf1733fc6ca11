package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
)

// MachineStatus is one machine as the daemon sees it.
type MachineStatus struct {
	Name    string     `json:"name"`
	Kind    string     `json:"kind"`
	Power   string     `json:"power"` // Redfish PowerState
	BMC     string     `json:"bmc"`   // URL
	IPMI    string     `json:"ipmi,omitempty"`
	Stage   string     `json:"stage"` // where its boot is
	Since   time.Time  `json:"since"` // of the stage
	Console string     `json:"console"`
	Log     string     `json:"requests"` // log of the BMC's requests
	MAC     string     `json:"mac"`
	Faults  bmc.Faults `json:"faults"`
}

// socket is where the daemon of a lab listens. The path of a socket is short,
// so it isn't in the lab's own directory.
func socket(name string) string { return "/run/ra2-lab-" + name + ".sock" }

// listen serves the control socket: GET /status, PUT /faults/<machine>, POST
// /stop.
func (d *daemon) listen() (*http.Server, error) {
	path := socket(d.file.Metadata.Name)
	_ = os.Remove(path)
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(d.status())
	})
	mux.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) { d.stop() })
	mux.HandleFunc("PUT /chassis/{machine}", d.answerChassis)
	mux.HandleFunc("PUT /faults/{machine}", func(w http.ResponseWriter, r *http.Request) {
		var f bmc.Faults
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if wrong := f.Check(); len(wrong) > 0 {
			http.Error(w, strings.Join(wrong, "; "), http.StatusBadRequest)
			return
		}
		for _, rack := range d.racks {
			if rack.Name == r.PathValue("machine") {
				rack.bmc.SetFaults(f)
				return
			}
		}
		http.NotFound(w, r)
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(ln) }()
	return s, nil
}

// answerChassis does what ipmi_sim asks for a machine.
func (d *daemon) answerChassis(w http.ResponseWriter, r *http.Request) {
	var order []string
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, rack := range d.racks {
		if rack.Name != r.PathValue("machine") {
			continue
		}
		said, err := rack.chassis(order)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		_ = json.NewEncoder(w).Encode(said)
		return
	}
	http.NotFound(w, r)
}

func (d *daemon) status() []MachineStatus {
	var all []MachineStatus
	for _, r := range d.racks {
		r.mu.Lock()
		s := MachineStatus{
			Name: r.Name, Kind: r.Kind, Power: r.bmc.Power(), BMC: "https://" + r.server.bmc.String(), Stage: r.stage, Since: r.since,
			Console: r.path(consoleFile), Log: r.path(requestFile), MAC: r.mac.String(), Faults: r.bmc.Faults(),
		}
		r.mu.Unlock()
		if r.IPMI != "" {
			s.IPMI = "ipmi://" + r.server.bmc.String()
		}
		all = append(all, s)
	}
	return all
}

// ask sends one request to the daemon of a lab.
func ask(ctx context.Context, name, method, path string, in, out any) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket(name))
		},
	}}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://lab"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// Status asks the daemon of the lab in dir for its machines.
func Status(ctx context.Context, dir string) ([]MachineStatus, error) {
	f, err := Read(filepathOf(dir))
	if err != nil {
		return nil, fmt.Errorf("%w; next: ra2-deploy lab up FILE --dir %s", err, dir)
	}
	var all []MachineStatus
	if err := ask(ctx, f.Metadata.Name, http.MethodGet, "/status", nil, &all); err != nil {
		return nil, fmt.Errorf("the daemon of lab %s does not answer: %w; next: read %s/%s, then ra2-deploy lab down %s", f.Metadata.Name, err, dir, logFile, dir)
	}
	return all, nil
}

// SetFaults switches the faults of one machine's controller.
func SetFaults(ctx context.Context, dir, machine string, faults bmc.Faults) error {
	f, err := Read(filepathOf(dir))
	if err != nil {
		return err
	}
	return ask(ctx, f.Metadata.Name, http.MethodPut, "/faults/"+machine, faults, nil)
}
