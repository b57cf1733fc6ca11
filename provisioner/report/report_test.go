package report_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/step"
	"github.com/ra2-deploy/ra2-deploy/provisioner/workflow"
)

var began = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

// same compares what is printed with what is wanted.
func same(t *testing.T, got, want string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestPlan(t *testing.T) {
	seen := facts.Seen{Hosts: map[string]facts.Host{
		"a": {BMC: facts.BMC{Hardware: facts.Hardware{Drives: []facts.Drive{
			{Model: "other", Serial: "D1", Bytes: 1e12}, {Model: "PM893", Serial: "d2 ", WWN: "0x5002538F00000862", Bytes: 960e9},
		}}}},
		"b": {BMC: facts.BMC{Hardware: facts.Hardware{Drives: []facts.Drive{{Serial: "D3", WWN: "naa.5002538f00000863", Bytes: 480e9}}}}},
	}}
	p := step.Plan{
		Steps: []step.Step{
			{ID: "a/firmware", Host: "a", Why: "LogicalProc: Disabled → Enabled", Do: step.SetBIOS{}},
			{ID: "a/installed", Host: "a", Why: "nothing says that it runs the image", Do: step.Install{Disk: "serial:D2", KernelLine: "intel_iommu=on iommu=pt"}},
			{ID: "b/installed", Host: "b", Why: "it runs another", Do: step.Install{Disk: "wwn:5002538f00000863"}},
			{ID: "c/installed", Host: "c", Why: "it runs another", Do: step.Install{Disk: "serial:D9"}},
			{ID: "cluster/born", Why: "none was formed", Do: step.Form{}},
			{ID: "a/member", Host: "a", Why: "it is not Ready", Do: step.Settle{For: step.SettleMember}},
		},
		Later: []string{"cluster/verified: not before all are members"},
	}
	same(t, report.Plan(p, seen), `! a/firmware             LogicalProc: Disabled → Enabled
- a/installed            nothing says that it runs the image
                          erases PM893, serial d2, 960 GB and no other disk
                          kernel line: intel_iommu=on iommu=pt
- b/installed            it runs another
                          erases unknown, serial D3, 480 GB and no other disk
- c/installed            it runs another
                          erases the disk serial:D9 (the controller reports no such disk; the installer looks for it) and no other disk
~ cluster/born           none was formed
  a/member               it is not Ready
later: cluster/verified: not before all are members

6 steps: “ ” reads, “~” changes, “!” restarts, “-” erases. Disks that are erased: 3.
`)
	same(t, report.Plan(step.Plan{}, seen), "Nothing to do: everything is as the inventory wants it.\n")
}

func TestLine(t *testing.T) {
	for _, c := range []struct {
		ev   step.Event
		want string
	}{
		{step.Event{Time: at(3), Step: "a/installed", Host: "a", Status: step.Started}, "  0:03  a/installed            ▸ started"},
		{step.Event{Time: at(3725), Step: "cluster/born", Status: step.Done}, " 62:05  cluster/born           ✓ done"},
		{step.Event{Time: at(61), Step: "a/installed", Host: "a", Status: step.Noted, Mark: step.MarkLoader}, "  1:01  a/installed            · loader"},
		{step.Event{
			Time: at(10), Step: "a/installed", Host: "a", Status: step.Noted, Note: "waiting for the first DHCP request of 52:54:00:17:00:11",
			Evidence: "power On\nmore", Deadline: at(910), Next: "power-cycle it",
		}, "  0:10  a/installed            · waiting for the first DHCP request of 52:54:00:17:00:11 [power On], at most 15m, then: power-cycle it"},
		{step.Event{Time: at(10), Step: "a/off", Host: "a", Status: step.Noted, Note: "waiting for power", Deadline: at(55)}, "  0:10  a/off                  · waiting for power, at most 45s"},
		{step.Event{Time: at(20), Step: "a/installed", Host: "a", Status: step.Retried, Try: 1, Note: "no DHCP request\ncommand: x"}, "  0:20  a/installed            ↻ no DHCP request (try 1 ended)"},
		{step.Event{Time: at(20), Step: "a/installed", Host: "a", Status: step.Held, Note: "no disk has the serial D1", Evidence: "D7"}, "  0:20  a/installed            ✗ no disk has the serial D1"},
		{step.Event{Time: at(20), Step: "network", Host: "a", Status: step.Noted, Note: "it asked again"}, "  0:20  a network              · it asked again"},
	} {
		same(t, report.Line(c.ev, began), c.want)
	}
}

// TestScreen checks that a wait of two minutes takes three lines, and that
// nothing else is left out.
func TestScreen(t *testing.T) {
	screen := report.NewScreen(began)
	lines := 0
	for second := range 121 {
		ev := step.Event{Time: at(second), Step: "a/off", Host: "a", Status: step.Noted, Note: fmt.Sprintf("waiting for power state Off; last seen: On, look %d", second)}
		if _, ok := screen.Line(ev); ok {
			lines++
		}
	}
	if lines != 3 {
		t.Errorf("%d lines", lines)
	}
	for _, ev := range []step.Event{
		{Time: at(121), Step: "b/off", Host: "b", Status: step.Noted, Note: "waiting for power state Off; last seen: On"},
		{Time: at(121), Step: "a/off", Host: "a", Status: step.Noted, Note: "waiting for an answer; last seen: none"},
		{Time: at(121), Step: "a/off", Host: "a", Status: step.Noted, Note: "waiting for power state Off; last seen: On", Mark: step.MarkPowerOn},
		{Time: at(122), Step: "a/off", Host: "a", Status: step.Failed, Note: "waiting for power state Off took too long"},
		{Time: at(122), Step: "a/off", Host: "a", Status: step.Failed, Note: "waiting for power state Off took too long"},
	} {
		if _, ok := screen.Line(ev); !ok {
			t.Errorf("%+v is not told", ev)
		}
	}
}

// TestStill checks that a screen is not silent for long while a step runs, and
// that it is silent when none does.
func TestStill(t *testing.T) {
	screen := report.NewScreen(began)
	still := func(second int, want string) {
		t.Helper()
		line, ok := screen.Still(at(second))
		if same(t, line, want); ok != (want != "") {
			t.Errorf("%d s: %q, %v", second, line, ok)
		}
	}
	still(60, "")
	for _, ev := range []step.Event{
		{Time: at(61), Step: "w/member", Host: "w", Status: step.Started},
		{Time: at(62), Step: "a/member", Host: "a", Status: step.Started},
		{Time: at(63), Step: "a/member", Host: "a", Status: step.Noted, Note: "join etcd-join: started", Deadline: at(2163), Next: "the node becomes Ready"},
	} {
		screen.Line(ev)
	}
	still(70, "")
	still(78, "  1:18  a/member               · still at: join etcd-join, for 15s (and 1 other step), at most 35m, then: the node becomes Ready")
	still(79, "")
	screen.Line(step.Event{Time: at(80), Step: "a/member", Host: "a", Status: step.Done})
	still(100, "  1:40  w/member               · still at work, for 39s")
	screen.Line(step.Event{Time: at(101), Step: "w/member", Host: "w", Status: step.Noted, Note: "waiting for the node to be Ready", Evidence: "NetworkPluginNotReady", Deadline: at(1301)})
	screen.Line(step.Event{Time: at(110), Step: "w/member", Host: "w", Status: step.Noted, Note: "waiting for the node to be Ready", Evidence: "KubeletNotReady", Deadline: at(1301)})
	still(121, "  2:01  w/member               · still waiting for the node to be Ready, for 20s [KubeletNotReady], at most 20m")
	screen.Line(step.Event{Time: at(122), Step: "w/member", Host: "w", Status: step.Failed, Note: "it never was"})
	still(200, "")
}

// TestProgress checks that the percents of each host are told every ten seconds.
func TestProgress(t *testing.T) {
	screen := report.NewScreen(began)
	lines := 0
	for second := range 21 {
		for _, host := range []string{"a", "b"} {
			ev := step.Event{Time: at(second), Step: step.ID(host + "/installed"), Host: host, Status: step.Noted, Note: fmt.Sprintf("writing image, vda: %d%% 40 MB/s", second)}
			if _, ok := screen.Line(ev); ok {
				lines++
			}
		}
	}
	if lines != 6 {
		t.Errorf("%d lines", lines)
	}
}

func TestTiming(t *testing.T) {
	timing := report.Timing{Began: began}
	same(t, timing.Table(1500*time.Millisecond), "own code: 1.5 s of CPU time\n")
	for _, ev := range []step.Event{
		{Time: at(1), Host: "a", Mark: step.MarkPowerOn},
		{Time: at(5), Host: "a", Mark: step.MarkFirmware},
		{Time: at(20), Host: "a", Mark: step.MarkPowerOn}, // the second try counts
		{Time: at(31), Host: "a", Mark: step.MarkFirmware},
		{Time: at(32), Host: "a", Mark: step.MarkFirmware}, // firmware asks more than once
		{Time: at(40), Host: "a", Mark: step.MarkInstaller},
		{Time: at(100), Host: "a", Mark: step.MarkReady},
		{Time: at(50), Host: "b", Mark: step.MarkReady}, // b ran already
		{Time: at(50), Host: "a", Note: "no mark"},
		{Time: at(50), Mark: step.MarkReady}, // of the cluster
	} {
		before := fmt.Sprint(timing)
		next := timing.With(ev)
		same(t, fmt.Sprint(timing), before)
		timing = next
	}
	same(t, timing.Table(2*time.Second), `node             power-on   firmware     loader  installer    written     kernel    kubelet      Ready      total
a                    20.0       11.0          -        9.0          -          -          -       60.0       80.0
b                       -          -          -          -          -          -          -       50.0          -
seconds from the mark before; power-on: since the run began. Own code (ra2-deploy): 2.0 s of CPU time
`)
}

func TestStatus(t *testing.T) {
	vip4, vip6 := netip.MustParseAddr("10.17.0.10"), netip.MustParseAddr("fd00:17::10")
	c := inventory.Cluster{
		Name: "edge", Kubernetes: inventory.Kubernetes{Endpoint: inventory.Endpoint{VIPs: []netip.Addr{vip4, vip6}}}, Image: inventory.Image{Kubernetes: true},
		Nodes: []inventory.Node{{Name: "cp-a", Zone: "a", ControlPlane: true}, {Name: "both", Zone: "b", ControlPlane: true, Worker: true}, {Name: "w-a", Zone: "a", Worker: true}},
	}
	seen := facts.Seen{
		Hosts: map[string]facts.Host{
			"cp-a": {BMC: facts.BMC{Power: "On"}, Member: facts.Member{Known: true, Exists: true, Ready: true, EtcdVoter: true, Generation: "0123456789abcdef"}},
			"both": {BMC: facts.BMC{Err: "both: BMC: no answer\nat all"}, Member: facts.Member{Known: true, Exists: true, NotReady: "cni plugin not initialized", Generation: "0123456789abcdef"}},
			"w-a":  {BMC: facts.BMC{Power: "Off"}, Member: facts.Member{Known: true}},
		},
		Cluster: facts.Cluster{Answers: true, EtcdHealthy: 1, EtcdMembers: 2, VIPs: map[netip.Addr]bool{vip4: true}},
	}
	same(t, report.Status(c, seen), `node           zone   role                  power    kubelet    etcd      generation
cp-a           a      control-plane         On       Ready      votes     0123456789abcdef
both           b      control-plane, worker unknown  not Ready  no vote   0123456789abcdef
  the controller: no answer
    at all
  the kubelet: cni plugin not initialized
w-a            a      worker                Off      not Ready  -         unknown
cluster edge answers; etcd: 1 of 2 members healthy
  10.17.0.10 answers
  fd00:17::10 does not answer
`)
	long := inventory.Cluster{Nodes: []inventory.Node{{Name: "a-name-of-20-letters", Zone: "zone-17", Worker: true}, {Name: "w-a", Zone: "a", Worker: true}}}
	same(t, report.Status(long, facts.Seen{}), `node                 zone    role                  power    kubelet    etcd      generation
a-name-of-20-letters zone-17 worker                unknown  -          -         unknown
w-a                  a       worker                unknown  -          -         unknown
no cluster is wanted on these hosts (image.kubernetes is false)
`)
	alone := inventory.Cluster{Nodes: c.Nodes[:1]}
	spoke := map[string]facts.Host{"cp-a": {BMC: facts.BMC{Power: "On"}, Agent: facts.Agent{Generation: "sha256:0123456789abcdef0123"}}}
	same(t, report.Status(alone, facts.Seen{Hosts: spoke}), `node           zone   role                  power    kubelet    etcd      generation
cp-a           a      control-plane         On       -          -         0123456789abcdef
no cluster is wanted on these hosts (image.kubernetes is false)
`)
	const head = "node           zone   role                  power    kubelet    etcd      generation\n"
	c.Nodes = nil
	same(t, report.Status(c, facts.Seen{Cluster: facts.Cluster{Err: "connection refused"}}), head+"cluster edge does not answer: connection refused\n")
	same(t, report.Status(c, facts.Seen{}), head+"cluster edge was not asked: it has no keys yet, `ra2-deploy up` makes them\n")
}

// mark is an error around another, for the program only.
type mark struct{ error }

func (m mark) Unwrap() error { return m.error }

func TestFailure(t *testing.T) {
	hold := &step.Hold{Reason: "no disk has the serial D1", Hint: "look into the bay", Err: errors.New("the disks are D7, D8")}
	failed := &workflow.StepError{Step: "a/installed", Host: "a", Try: 1, Err: hold}
	other := &workflow.StepError{Step: "b/member", Host: "b", Try: 2, Err: errors.New("kubeadm join: exit status 1\nerror: token expired")}
	want := `ra2-deploy: a/installed: no disk has the serial D1: the disks are D7, D8
  hint: look into the bay
ra2-deploy: b/member: kubeadm join: exit status 1
  error: token expired
  next: ra2-deploy up edge.yaml
`
	all := errors.Join(failed, nil, errors.Join(other))
	same(t, report.Failure(all, "ra2-deploy up edge.yaml"), want)
	same(t, report.Failure(mark{all}, "ra2-deploy up edge.yaml"), want)
	same(t, report.Failure(fmt.Errorf("%w: kubeadm refuses the cluster: %w", errors.New("refused"), errors.New("no")), ""),
		"ra2-deploy: refused: kubeadm refuses the cluster: no\n")
}
