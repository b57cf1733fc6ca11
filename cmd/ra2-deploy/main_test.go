package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/store"
)

// password of every controller of the rack. It must be found nowhere.
const password = "correct-horse-battery-staple"

var update = flag.Bool("update", false, "write the scripts' expected output anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ra2-deploy": main})
}

// TestScripts runs the program as a user does, against a rack of three servers
// whose controllers are real HTTPS servers on the loopback.
//
// A script finds site.yaml, the inventory of its own rack, and these commands:
//
//	exits N ra2-deploy …   run it and want this exit status
//	edit FILE OLD NEW      replace text in a file
//	host NAME KEY=VALUE…   change a server: sockets, cores, serial, disk, slots, password, on, slow and lag (milliseconds),
//	                       secureboot (on, off, fixed, setup), basic (no refuses basic authentication), certificate (a new one, valid for so long); its pin becomes $NAME_pin
//	fault NAME YAML        switch faults of a controller on, like {drop: true}
//	asked NAME             wait until its controller got a request
//	changed NAME           wait until its controller got one that changes something
//	loggedin NAME          wait until its controller opened a session
//	nosessions             want that no controller has an open session
//	unplug NAME            take its controller from the network
//	bmclog NAME…           print the requests that a controller got: method, path, status
//	untouched              want that no controller got anything but reading, and that no session is left
//	secretless             want that the password is in no file and not in the last output
//	image DIR [VERSION [CERTIFICATE]]  put a built image into a cache, of this Kubernetes, signed for Secure Boot; $IMAGE is its digest
//	bundle DIR [KEY]       make a small bundle, signed when a key is named; $BUNDLE is its digest, $BLOB_deb (…) the name of a blob
//	registry NAME:TAG      serve a registry that has one image; $REGISTRY is its host and port
//	mirror DIR             serve a directory by HTTP; $MIRROR is its address
//	lock FILE              hold a record, until the script ends, as a second ra2-deploy does
//	isjson FILE            want values of JSON, one after the other, and nothing else
//	valid NAME FILE        want one document of docs/schema/NAME.schema.json
//	cluster WHAT           start an API server that says what a cluster would, and write kubeconfig; see replayed
func TestScripts(t *testing.T) {
	schemas, err := filepath.Abs("../../docs/schema")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			r, err := newRack()
			if err != nil {
				return err
			}
			env.Defer(r.close)
			env.Values[rackKey{}], env.Values[schemaKey{}] = r, schemas
			env.Setenv("BMC_PASSWORD", password)
			env.Setenv("password", password)
			for _, s := range r.servers {
				env.Setenv(strings.ReplaceAll(s.name, "-", "_")+"_url", s.url())
				env.Setenv(strings.ReplaceAll(s.name, "-", "_")+"_pin", s.pin)
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "site.yaml"), []byte(r.inventory()), 0o644)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "edit": edit, "host": changeHost, "unplug": unplug, "fault": switchFaults, "bmclog": bmcLog,
			"untouched": untouched, "secretless": secretless, "image": builtImage, "bundle": smallBundle, "mirror": serveMirror, "registry": serveRegistry, "lock": lock, "isjson": isJSON, "valid": valid, "asked": asked, "changed": changed, "loggedin": loggedIn, "nosessions": noSessions, "cluster": replayed,
		},
	})
}

type (
	rackKey   struct{}
	schemaKey struct{} // the directory of schemas
)

func rackOf(ts *testscript.TestScript) *rack { return ts.Value(rackKey{}).(*rack) }

// want ends the script with a usage line when a command has too few arguments.
func want(ts *testscript.TestScript, neg bool, args []string, least int, usage string) {
	if neg || len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "exits N command…")
	status := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, want %s", status, args[0])
	}
}

func edit(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, "edit FILE OLD NEW")
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, lines(args[1])) {
		ts.Fatalf("%s doesn't hold %q", args[0], args[1])
	}
	text = strings.ReplaceAll(text, lines(args[1]), lines(args[2]))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// lines turns \\n into line feeds: a script's words hold none.
func lines(word string) string { return strings.ReplaceAll(word, `\n`, "\n") }

func changeHost(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "host NAME KEY=VALUE…")
	ts.Check(rackOf(ts).change(args[0], args[1:]))
	s, err := rackOf(ts).find(args[0])
	ts.Check(err)
	ts.Setenv(strings.ReplaceAll(s.name, "-", "_")+"_pin", s.pin)
}

func switchFaults(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "fault NAME YAML")
	s, err := rackOf(ts).find(args[0])
	ts.Check(err)
	var f bmc.Faults
	ts.Check(yaml.UnmarshalWithOptions([]byte(strings.Join(args[1:], " ")), &f, yaml.Strict()))
	s.controller().SetFaults(f)
}

func unplug(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "unplug NAME")
	s, err := rackOf(ts).find(args[0])
	ts.Check(err)
	s.http.CloseClientConnections()
	ts.Check(s.http.Listener.Close())
}

func bmcLog(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "bmclog NAME…")
	out := ts.Stdout() // also when there is nothing to print
	for _, name := range args {
		s, err := rackOf(ts).find(name)
		ts.Check(err)
		lines, err := s.requests()
		ts.Check(err)
		for _, l := range lines {
			fmt.Fprintln(out, l)
		}
	}
}

func untouched(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "untouched")
	asked := 0
	for _, s := range rackOf(ts).servers {
		lines, err := s.requests()
		ts.Check(err)
		asked += len(lines)
		for _, l := range lines {
			if !l.reads() {
				ts.Fatalf("%s was sent %s", s.name, l)
			}
		}
		if p := s.controller().Power(); p != "Off" {
			ts.Fatalf("%s is %s", s.name, p)
		}
	}
	noSessions(ts, neg, nil)
	if asked == 0 {
		ts.Fatalf("no controller was asked anything: this proves nothing")
	}
}

// secretless looks everywhere: below a .ra2 directory only secrets/ may hold
// what opens something, and the controllers' password isn't even there. With
// "look" there is to be no such directory.
func secretless(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "secretless [look]")
	for _, stream := range []string{"stdout", "stderr"} {
		if tells(ts.ReadFile(stream)) {
			ts.Fatalf("the password is in %s", stream)
		}
	}
	looked := 0
	ts.Check(filepath.WalkDir(ts.Getenv("WORK"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if tells(string(data)) {
			return fmt.Errorf("the password is in %s", path)
		}
		if strings.Contains(path, ".ra2/") && !strings.Contains(path, "/secrets/") {
			looked++
			if strings.Contains(string(data), "PRIVATE KEY") {
				return fmt.Errorf("a private key is in %s", path)
			}
		}
		return err
	}))
	switch look := len(args) > 0 && args[0] == "look"; {
	case look && looked > 0:
		ts.Fatalf("a look made a directory")
	case !look && looked == 0:
		ts.Fatalf("there is no .ra2 directory: this proves nothing")
	}
}

// tells reports whether a text holds the password, also as HTTP sends it.
func tells(text string) bool {
	basic := base64.StdEncoding.EncodeToString([]byte("admin:" + password))
	return strings.Contains(text, password) || strings.Contains(text, strings.TrimRight(basic, "=")[:20])
}

func lock(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "lock FILE")
	b, err := store.OpenBolt(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { ts.Check(b.Close()) })
}

func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "isjson FILE")
	dec, n := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0]))), 0
	for ; dec.More(); n++ {
		var v any
		ts.Check(dec.Decode(&v))
	}
	if n == 0 {
		ts.Fatalf("%s is empty", args[0])
	}
}

func valid(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "valid NAME FILE")
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(ts.Value(schemaKey{}).(string), args[0]+".schema.json"))
	ts.Check(err)
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Check(schema.Validate(document))
}

func asked(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "asked NAME")
	await(ts, args[0], func(s *server) chan struct{} { return s.called })
}

func changed(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "changed NAME")
	await(ts, args[0], func(s *server) chan struct{} { return s.wrote })
}

func loggedIn(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "loggedin NAME")
	await(ts, args[0], func(s *server) chan struct{} { return s.opened })
}

func await(ts *testscript.TestScript, name string, what func(*server) chan struct{}) {
	s, err := rackOf(ts).find(name)
	ts.Check(err)
	select {
	case <-what(s):
	case <-time.After(10 * time.Second):
		ts.Fatalf("%s got no such request within 10 s", name)
	}
}

func noSessions(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "nosessions")
	for _, s := range rackOf(ts).servers {
		if n := s.controller().Sessions(); n > 0 {
			ts.Fatalf("%s has %d sessions left", s.name, n)
		}
	}
}
