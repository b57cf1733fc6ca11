package verify

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
	"github.com/ra2-deploy/ra2-deploy/provisioner/verify/replay"
)

// hidden is what no report and no snapshot may hold.
const hidden = "hunter2hunter2"

// secrets are the ways in which people write a secret where it doesn't belong.
func secrets() []string {
	return []string{
		"--password=" + hidden, "DB_PASSWORD=" + hidden, `{"password":"` + hidden + `"}`, `{\"token\":\"` + hidden + `\"}`, "https://root:" + hidden + "@db.example/x",
		"Authorization: Bearer " + hidden, "-----BEGIN RSA PRIVATE KEY-----\n" + hidden + "\n-----END RSA PRIVATE KEY-----", "secretAccessKey: " + hidden,
		"psql --password " + hidden, "client-key-data: " + hidden, `{"auths":{"r.example":{"auth":"` + hidden + `"}}}`, "api_key = '" + hidden + "'",
	}
}

// active are the words that a browser, a terminal or a reader of XML would obey.
func active() []string {
	return []string{
		`<script>alert("hit")</script>`, `"><img src=x onerror=alert('hit')>`, "]]><failure/>", "\x1b[2J\x1b[1;31mpass\x1b[0m", "\x1b]0;hit\x07", "fail\u202essap", "\u2066x\u2069",
		"a\x00b\x08\x0c", "x\r\npass     ra2.ch.001", "{{.Digest}}", strings.Repeat("long ", 400), "\ufffe\uffff", "&lt;b&gt;&amp;",
	}
}

// hostile changes what whoever may write to a cluster can choose: each time it is
// called, say returns what is written next.
func hostile(s *conform.Snapshot, say func() string) {
	for i := range s.Nodes {
		n := s.Nodes[i].DeepCopy()
		n.Annotations = map[string]string{"note": say()}
		n.Status.NodeInfo.OSImage, n.Status.NodeInfo.ContainerRuntimeVersion = say(), say()
		n.Labels["topology.kubernetes.io/zone"], n.Labels["feature.node.kubernetes.io/x"] = say(), say()
		for j := range n.Status.Conditions {
			n.Status.Conditions[j].Message = say()
		}
		s.Nodes[i] = *n
	}
	for i := range s.Pods {
		p := s.Pods[i].DeepCopy()
		for j := range p.Spec.Containers {
			c := &p.Spec.Containers[j]
			c.Args = append(c.Args, say(), "--token", hidden)
			c.Command = append(c.Command, "--runtime-config="+say())
			c.Env = append(c.Env, corev1.EnvVar{Name: "DB_PASSWORD", Value: hidden})
			c.Image = say()
		}
		s.Pods[i] = *p
	}
	for i := range s.Config {
		s.Config[i].Data = map[string]string{"config.conf": "mode: " + say(), "kubelet": say()}
	}
	for _, objects := range s.Custom {
		for i, o := range objects {
			objects[i] = conform.Object{"metadata": o["metadata"], "spec": map[string]any{"config": say(), "password": hidden}, "status": map[string]any{"message": say()}}
		}
	}
	for i := range s.HelmReleases {
		s.HelmReleases[i].Status = say()
	}
}

// turns returns a function that says one word after the other, from the n-th on,
// and behind each another one.
func turns(words []string, n int) func() string {
	return func() string {
		n++
		return words[n%len(words)] + " " + words[n*7%len(words)]
	}
}

// TestHostileCluster collects from a cluster whose users write secrets, markup and
// escapes wherever they can, and reads each report of it.
func TestHostileCluster(t *testing.T) {
	words := append(secrets(), active()...)
	for n := range 5 {
		told(t, turns(words, 5*n))
	}
	long := strings.Repeat("long ", 200_000)
	s := rich(t)
	s.Nodes[0].Status.NodeInfo.KernelVersion, s.Nodes[0].Status.NodeInfo.OSImage = long, long
	harmless(t, "long", judged(t, s))
}

// FuzzHostileCluster writes what it is given wherever somebody can.
func FuzzHostileCluster(f *testing.F) {
	f.Add(active()[0])
	f.Fuzz(func(t *testing.T, word string) {
		s := rich(t)
		hostile(&s, func() string { return word })
		harmless(t, "fuzzed", judged(t, s))
	})
}

// told collects from a hostile cluster and reads the reports of it, and of one that
// somebody handed on.
func told(t *testing.T, say func() string) {
	t.Helper()
	s := rich(t)
	hostile(&s, say)
	server, err := replay.New(s)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := asks(t, server).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := json.Marshal(asked); err != nil || bytes.Contains(kept, []byte(hidden)) {
		t.Errorf("the snapshot has %.300s, %v", kept[max(0, bytes.Index(kept, []byte(hidden))-100):], err)
	}
	asked.Cluster = "https://" + active()[3]
	asked.Facts, asked.Probes = s.Facts, s.Probes
	for part, at := range s.Told {
		asked.Told[part] = at
	}
	asked.Missing[conform.Part(active()[4])] = "not allowed: " + secrets()[0] + active()[5]
	harmless(t, "asked", judged(t, asked))
	harmless(t, "handed on", judged(t, s))
}

// harmless reads a report in each format.
func harmless(t *testing.T, name string, c report.Conformance) {
	t.Helper()
	var html, xmls bytes.Buffer
	data, err := json.MarshalIndent(c, "", "  ")
	for _, err := range []error{err, c.WritePage(&html), c.WriteJUnit(&xmls)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	older := c
	older.Rows = nil
	for format, text := range map[string]string{
		"json": string(data), "html": html.String(), "junit": xmls.String(), "text": report.ConformanceText(c), "all": report.AllConformance(c), "diff": report.DiffText(report.Diff(older, c)),
	} {
		where := fmt.Sprintf("%s, %s", name, format)
		if i := strings.Index(text, hidden); i >= 0 {
			t.Errorf("%s: a secret is in %q", where, text[max(0, i-120):i])
		}
		if i := strings.IndexFunc(text, obeyed); i >= 0 || !utf8.ValidString(text) {
			t.Errorf("%s: %q", where, text[max(0, i-60):i+8])
		}
		if len(text) > 3<<20 {
			t.Errorf("%s has %d bytes", where, len(text))
		}
	}
	if n := strings.Count(html.String(), "<script"); n != 1 || strings.Contains(html.String(), "<img") || strings.Contains(html.String(), "alert('hit')>") {
		t.Errorf("%s: the page has %d scripts", name, n)
	}
	if _, err := report.ReadConformance(data); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	cases := 0
	for dec := xml.NewDecoder(&xmls); ; {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "testcase" {
			cases++
		}
	}
	if cases != len(c.Rows) {
		t.Errorf("%s: %d cases", name, cases)
	}
}

// obeyed reports whether a letter does something instead of being read.
func obeyed(r rune) bool {
	return r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}
