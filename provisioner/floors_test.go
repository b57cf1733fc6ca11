package provisioner_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ra2-deploy/ra2-deploy/"

// floors says on which floor a package lives; a folder speaks for all below it
// that are not named. A package imports only packages of lower floors, and
// those of its own folder.
var floors = map[string]int{
	"provisioner/secret": -1, "provisioner/facts": -1, // the ground: even the inventory names secrets, and a host's claim its hardware
	"inventory": 0, "provisioner/step": 0, "provisioner/ra2": 0, "provisioner/agent/wire": 0,
	"images/secureboot": 1, "provisioner/plan": 1, "provisioner/rules": 1, "provisioner/bios": 1, "provisioner/kubeadm": 1, "templates": 1,
	"provisioner/bmc": 2, "provisioner/netboot": 2, "provisioner/agent": 2, "provisioner/cluster": 2, "images": 2, "e2e/lab": 2,
	"provisioner/conform": 2, "provisioner/verify": 3, // the rows of RA2 are decided upon the hosts' rules
	"provisioner/workflow": 3, "provisioner/observe": 4, "provisioner/act": 4, "provisioner/preflight": 4,
	"provisioner/store": 5, "provisioner/report": 5, "provisioner": 6,
	"cmd": 7, "e2e": 8,
}

// pure packages may not touch the world: no clock, network, file or chance.
var pure = []string{"inventory", "provisioner/facts", "provisioner/facts/smbios", "provisioner/step", "provisioner/plan", "provisioner/rules", "provisioner/bios", "provisioner/conform", "provisioner/agent/wire"}

// heavy packages of Kubernetes stay where they belong.
var heavy = map[string][]string{
	"k8s.io/client-go/kubernetes": {"provisioner/cluster", "provisioner/verify"},
	"k8s.io/kubernetes/cmd":       {"provisioner/kubeadm"},
	"go.etcd.io/etcd":             {"provisioner/cluster"},
}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath, Dir, Name, Doc string
	Imports, GoFiles           []string
}

func (p pkg) place() string { return strings.TrimPrefix(p.ImportPath, module) }

// list returns all packages of the module.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Name,Doc,Imports,GoFiles", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// floor returns the floor of a package and the folder that speaks for it.
func floor(place string) (int, string, bool) {
	for p := place; p != "."; p = filepath.Dir(p) {
		if f, ok := floors[p]; ok {
			return f, p, true
		}
	}
	return 0, "", false
}

// TestFloors checks that imports only go down.
func TestFloors(t *testing.T) {
	for _, p := range list(t) {
		mine, folder, ok := floor(p.place())
		if !ok {
			t.Errorf("%s has no floor: add it to floors", p.place())
		}
		for _, imp := range p.Imports {
			place, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			if theirs, other, ok := floor(place); ok && other != folder && theirs >= mine {
				t.Errorf("%s (floor %d) imports %s (floor %d)", p.place(), mine, place, theirs)
			}
		}
	}
}

// TestHeavy checks that client-go and kubeadm are linked where they belong.
func TestHeavy(t *testing.T) {
	for _, p := range list(t) {
		for _, imp := range p.Imports {
			for prefix, homes := range heavy {
				at := slices.ContainsFunc(homes, func(h string) bool { return strings.HasPrefix(p.place(), h) })
				if strings.HasPrefix(imp, prefix) && !at {
					t.Errorf("%s imports %s, which only %v may", p.place(), imp, homes)
				}
			}
		}
	}
}

// TestDocumented checks that each package says what it is.
func TestDocumented(t *testing.T) {
	for _, p := range list(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.place())
		}
	}
}

// clock matches what reads or waits for time. A time.Duration is a value and fine.
var clock = regexp.MustCompile(`\btime\.(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTimer|NewTicker)\b`)

// TestPure checks that the deciding packages can't touch the world.
func TestPure(t *testing.T) {
	banned := []string{"net", "net/http", "os", "os/exec", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog", "context"}
	for _, p := range list(t) {
		if !slices.Contains(pure, p.place()) {
			continue
		}
		for _, imp := range p.Imports {
			if slices.Contains(banned, imp) {
				t.Errorf("%s is pure and imports %s", p.place(), imp)
			}
		}
		eachFile(t, p, func(name, src string) {
			if m := clock.FindString(src); m != "" {
				t.Errorf("%s is pure and uses %s", name, m)
			}
		})
	}
}

// TestNoPackageState checks that no package keeps mutable variables or runs
// init. What can't be written as a constant may stay: errors, patterns,
// embedded files, and assertions that a type has an interface.
func TestNoPackageState(t *testing.T) {
	for _, p := range list(t) {
		eachFile(t, p, func(name, src string) {
			file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				for _, what := range mutable(d) {
					t.Errorf("%s: %s", name, what)
				}
			}
		})
	}
}

// mutable returns the variables of a declaration at the top of a file that
// somebody could change, and init.
func mutable(d ast.Decl) []string {
	if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
		return []string{"func init"}
	}
	vars, ok := d.(*ast.GenDecl)
	if !ok || vars.Tok != token.VAR {
		return nil
	}
	var out []string
	for _, s := range vars.Specs {
		v := s.(*ast.ValueSpec)
		for i, name := range v.Names {
			if name.Name == "_" || i < len(v.Values) && constant(v.Values[i]) || embedded(vars.Doc) || embedded(v.Doc) {
				continue
			}
			out = append(out, "var "+name.Name)
		}
	}
	return out
}

// constant reports whether a value is an error or a pattern.
func constant(v ast.Expr) bool {
	call, ok := v.(*ast.CallExpr)
	return ok && slices.Contains([]string{"errors.New", "regexp.MustCompile"}, types.ExprString(call.Fun))
}

// embedded reports whether go:embed fills the variable below a comment.
func embedded(c *ast.CommentGroup) bool {
	return c != nil && slices.ContainsFunc(c.List, func(l *ast.Comment) bool { return strings.HasPrefix(l.Text, "//go:embed ") })
}

func eachFile(t *testing.T, p pkg, look func(name, src string)) {
	t.Helper()
	for _, f := range p.GoFiles {
		src, err := os.ReadFile(filepath.Join(p.Dir, f))
		if err != nil {
			t.Fatal(err)
		}
		look(p.place()+"/"+f, string(src))
	}
}

// TestModule checks go.mod: the only replaces are those that Kubernetes needs
// for its own staging modules, at one version, and each direct dependency has
// a sentence that says why it is there.
func TestModule(t *testing.T) {
	data, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	replace := regexp.MustCompile(`^replace (k8s\.io/\S+) => (\S+) v0\.37\.2$`)
	direct := regexp.MustCompile(`^\t(\S+) v\S+(.*)$`)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if m := replace.FindStringSubmatch(line); strings.HasPrefix(line, "replace") && (m == nil || m[1] != m[2]) {
			t.Errorf("go.mod: %s", line)
		}
		m := direct.FindStringSubmatch(line)
		if m != nil && !strings.Contains(m[2], "//") {
			t.Errorf("go.mod: %s: say why it is there", m[1])
		}
	}
}
