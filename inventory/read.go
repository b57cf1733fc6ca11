package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what is read: far above any real site, low enough that a broken
// or hostile file can't exhaust the parser's stack.
const (
	maxBytes = 4 << 20
	maxLine  = 4096
	maxDepth = 64
	maxNodes = 500_000
)

// mark is a place in the file.
type mark struct{ line, column int }

// reader walks one YAML document. It goes on after a problem, so that all are
// found at once.
type reader struct {
	name     string
	lines    [][]byte
	marks    map[string]mark // of each path that the file holds
	broken   map[string]bool // paths that have a problem already
	anchors  map[string]ast.Node
	visited  int
	problems Problems
}

func newReader(name string, data []byte) *reader {
	return &reader{
		name:    name,
		lines:   bytes.Split(data, []byte("\n")),
		marks:   map[string]mark{},
		broken:  map[string]bool{},
		anchors: map[string]ast.Node{},
	}
}

// say reports a problem at path, or at the nearest parent that the file holds.
func (r *reader) say(path, wrong, fix string) {
	at := path
	m, ok := r.marks[at]
	for !ok && at != "" {
		at = parent(at)
		m, ok = r.marks[at]
	}
	r.sayAt(m, path, wrong, fix)
}

func (r *reader) sayAt(m mark, path, wrong, fix string) {
	r.broken[path] = true
	m.line = min(max(m.line, 1), len(r.lines))
	m.column = min(max(m.column, 1), utf8.RuneCount(r.lines[m.line-1])+1)
	r.problems = append(r.problems, Problem{r.name, m.line, m.column, path, wrong, fix})
}

// parent returns the path one level up: "a.b[1]" -> "a.b" -> "a" -> "".
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// document returns the root of the only document, or nil after a problem that
// leaves nothing to read.
func (r *reader) document(data []byte) ast.Node {
	if !r.bounded(data) {
		return nil
	}
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		r.sayAt(markOf(syntax.GetToken()), "", "this is not YAML: "+syntax.GetMessage(), "correct the YAML here; what follows was not read")
		return nil
	}
	if err != nil {
		r.say("", "this is not YAML", "check the file with a YAML editor")
		return nil
	}
	var docs []*ast.DocumentNode
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.DirectiveType {
			docs = append(docs, d)
		}
	}
	if len(docs) == 0 {
		r.say("", "the file is empty", "begin with apiVersion: ra2-deploy/v1alpha1; `ra2-deploy init` writes an example")
		return nil
	}
	if len(docs) > 1 {
		r.sayAt(markOf(docs[1].Body.GetToken()), "", "a second document begins here", "keep one cluster in one file")
	}
	ast.Walk(anchors(r.anchors), docs[0].Body)
	return docs[0].Body
}

// bounded refuses files that the parser should not even see.
func (r *reader) bounded(data []byte) bool {
	if len(data) > maxBytes {
		r.say("", fmt.Sprintf("the file has more than %d bytes", maxBytes), "this is probably not an inventory")
		return false
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		r.say("", "the file is not UTF-8 text", "save it as UTF-8")
		return false
	}
	depth := 0
	for i, line := range r.lines {
		depth += bytes.Count(line, []byte("[")) + bytes.Count(line, []byte("{")) - bytes.Count(line, []byte("]")) - bytes.Count(line, []byte("}"))
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		if len(line) > maxLine || indent > 4*maxDepth || bytes.Count(line, []byte("- "))+bytes.Count(line, []byte("? ")) > 4*maxDepth {
			r.sayAt(mark{i + 1, 1}, "", "this line is too long or too deep to be part of an inventory", "split it")
			return false
		}
		if depth > maxDepth {
			r.sayAt(mark{i + 1, 1}, "", "brackets are nested too deep", "close the brackets that were opened above")
			return false
		}
	}
	return true
}

// anchors collects YAML anchors while it walks.
type anchors map[string]ast.Node

// Visit implements ast.Visitor.
func (a anchors) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok && anchor.Name != nil {
		a[anchor.Name.String()] = anchor.Value
	}
	return a
}

// plain follows anchors and aliases to the value itself.
func (r *reader) plain(n ast.Node, path string) ast.Node {
	for range maxDepth {
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.AliasNode:
			n = r.anchors[x.Value.String()]
		case *ast.TagNode:
			r.say(path, "YAML tags are refused", "remove "+x.Start.Value)
			return nil
		default:
			return n
		}
	}
	return nil
}

func markOf(t *token.Token) mark {
	if t == nil || t.Position == nil {
		return mark{1, 1}
	}
	return mark{t.Position.Line, t.Position.Column}
}

// entries returns the key-value pairs of a mapping; ok is false when n is none.
func entries(n ast.Node) (pairs []*ast.MappingValueNode, ok bool) {
	switch x := n.(type) {
	case *ast.MappingNode:
		return x.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{x}, true
	}
	return nil, false
}

// keyText returns the text of a key; ok is false for keys that are no text.
func keyText(n ast.MapKeyNode) (string, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// what names the kind of a node for people.
func what(n ast.Node) string {
	switch x := n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.BoolNode:
		return strconv.FormatBool(x.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	}
	return "something else"
}
