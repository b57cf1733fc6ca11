package plan_test

import (
	"bufio"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/plan"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
)

var update = flag.Bool("update", false, "accept what the plans say now")

// TestTranscripts reads testdata/*.txt. Each stanza ends with "plan" and its
// answer between "----" and an empty line; see world.line for the words.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(data))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(data) {
				t.Errorf("plans differ; look at the change with -update and git diff\n%s", got)
			}
		})
	}
}

// replay runs the words of a transcript and returns it with fresh answers.
func replay(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	w := newWorld()
	lines := bufio.NewScanner(strings.NewReader(text))
	for skip := false; lines.Scan(); {
		line := lines.Text()
		if skip && line != "" {
			continue
		}
		skip = false
		fmt.Fprintln(&out, line)
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "", "#":
		case "----":
			skip = true
			print(&out, w)
		case "plan", "down", "ask":
			w.verb = word
		default:
			if err := w.line(word, strings.Fields(rest)); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	}
	return out.String()
}

func print(out *strings.Builder, w *world) {
	p := plan.Make(w.want, w.seen, w.rec)
	switch w.verb {
	case "down":
		p = plan.Down(w.want.Cluster, w.seen)
	case "ask":
		p = plan.Inspect(w.want.Certificate, w.untold, w.seen, w.rec)
	}
	if p.Empty() {
		fmt.Fprintln(out, "nothing to do")
	}
	for _, s := range p.Steps {
		fmt.Fprintf(out, "%s %-16s %-8s %s", s.Do.Risk(), s.ID, step.Name(s.Do), s.Why)
		if len(s.Needs) > 0 {
			fmt.Fprintf(out, " (needs %v)", s.Needs)
		}
		fmt.Fprintln(out)
	}
	for _, l := range p.Later {
		fmt.Fprintln(out, "later", l)
	}
}

// world is what a transcript has said so far.
type world struct {
	want plan.Want
	seen facts.Seen
	rec  step.Record
	verb string

	untold []plan.Untold
}

func newWorld() *world {
	return &world{
		want: plan.Want{
			Image: "sha256:1", Objects: "objects1",
			Generations: map[string]string{}, Firmware: map[string]map[string]any{},
			Cluster: inventory.Cluster{Image: inventory.Image{Kubernetes: true}},
		},
		seen: facts.Seen{Hosts: map[string]facts.Host{}, Cluster: facts.Cluster{VIPs: map[netip.Addr]bool{}}},
		rec:  step.Record{},
	}
}

// line takes one line of a transcript:
//
//	node NAME ROLE GENERATION          role is cp or worker
//	vip ADDRESS...                     wanted addresses
//	bios NAME KEY=VALUE...             attributes that differ
//	host NAME KEY=VALUE...             power, heard (generation), root (what it says of it), line (the signed word that it lacks), stage, gen (as member), corrupt (yes: its Node object says so), unsaid (the signed word that it lacks, by its Node object), ready, voter, told (yes: its hardware)
//	untold NAME REQUIREMENT...         what nobody tells of a host
//	certificate FINGERPRINT            that firmware must have in db
//	keys NAME KEY=VALUE...             of a host named before: db (a fingerprint), enabled, inforce (yes, no)
//	cluster KEY=VALUE...               answers, objects, verified (yes: as wanted), vip (address)
//	record STEP STATUS [REACHES [HOST]]
func (w *world) line(word string, args []string) error {
	switch word {
	case "node":
		n := inventory.Node{Name: args[0], ControlPlane: args[1] == "cp", Worker: args[1] == "worker"}
		n.Disk.Serial = "D-" + args[0]
		w.want.Cluster.Nodes = append(w.want.Cluster.Nodes, n)
		w.want.Generations[args[0]] = args[2]
	case "want": // a changed inventory: the node's new generation
		w.want.Generations[args[0]] = args[1]
	case "vip":
		for _, a := range args {
			w.want.Cluster.Kubernetes.Endpoint.VIPs = append(w.want.Cluster.Kubernetes.Endpoint.VIPs, netip.MustParseAddr(a))
		}
	case "bios":
		w.want.Firmware[args[0]] = map[string]any{}
		for k, v := range pairs(args[1:]) {
			w.want.Firmware[args[0]][k] = v
		}
	case "certificate":
		w.want.Certificate = args[0]
	case "keys":
		w.keys(args[0], pairs(args[1:]))
	case "host":
		w.seen.Hosts[args[0]] = hostOf(pairs(args[1:]))
	case "untold":
		w.untold = append(w.untold, plan.Untold{Host: args[0], Rows: args[1:]})
	case "cluster":
		w.seen.Cluster = w.clusterOf(pairs(args))
	case "record":
		ev := step.Event{Step: step.ID(args[0]), Status: step.Status(args[1])}
		if len(args) > 2 {
			ev.Reaches = args[2]
		}
		if len(args) > 3 {
			ev.Host = args[3]
		}
		w.rec = w.rec.With(ev)
	default:
		return fmt.Errorf("no such word")
	}
	return nil
}

func (w *world) keys(host string, kv map[string]string) {
	h := w.seen.Hosts[host]
	h.BMC.Keys = &facts.Keys{Offered: true, Enabled: new(kv["enabled"] == "yes"), DB: []string{kv["db"]}}
	h.BMC.SecureBoot = new(kv["inforce"] == "yes")
	w.seen.Hosts[host] = h
}

func hostOf(kv map[string]string) facts.Host {
	h := facts.Host{BMC: facts.BMC{Reached: true, Power: kv["power"], BIOS: map[string]any{"LogicalProc": "Disabled"}}}
	if g := kv["heard"]; g != "" {
		h.Agent = facts.Agent{Heard: time.Unix(1, 0), Generation: g, Stage: "node"}
		if root := kv["root"]; root != "" {
			h.Agent.Root = &facts.Root{Verity: root, Why: "data block 7 is corrupted"}
		}
		if kv["line"] != "" {
			h.Agent.Root = &facts.Root{Verity: facts.RootVerified, Line: "it lacks " + kv["line"]}
		}
		if s := kv["stage"]; s != "" {
			h.Agent.Stage = s
		}
	}
	if kv["told"] == "yes" {
		h.Agent.Hardware = &facts.Hardware{}
	}
	if g := kv["gen"]; g != "" {
		h.Member = facts.Member{
			Known: true, Exists: true, Generation: g, Ready: kv["ready"] != "no", EtcdVoter: kv["voter"] != "no",
		}
		if kv["corrupt"] == "yes" {
			h.Member.Corrupt = "data block 7 is corrupted"
		}
		if word := kv["unsaid"]; word != "" {
			h.Member.Line = "it lacks " + word
		}
	}
	return h
}

func (w *world) clusterOf(kv map[string]string) facts.Cluster {
	c := facts.Cluster{Answers: kv["answers"] == "yes", Err: kv["err"], Objects: kv["objects"], VIPs: map[netip.Addr]bool{}}
	for _, a := range w.want.Cluster.Kubernetes.Endpoint.VIPs {
		c.VIPs[a] = kv["vip"] == "yes"
	}
	if kv["verified"] == "yes" {
		c.Verified = plan.Team(w.want)
	}
	return c
}

func pairs(args []string) map[string]string {
	out := map[string]string{}
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		out[k] = v
	}
	return out
}
