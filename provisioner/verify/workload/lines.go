package workload

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// lines returns the line of the file on which each field of a document stands, by
// path: ".spec.containers[0].image". A document that this parser doesn't take has
// no lines, and is judged all the same.
func lines(doc document) map[string]int {
	file, err := parser.ParseBytes(doc.text, 0)
	if err != nil {
		return nil
	}
	found := map[string]int{}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if t := d.Body.GetToken(); t != nil {
			found[""] = doc.line - 1 + t.Position.Line
		}
		note(d.Body, "", doc.line-1, found)
	}
	return found
}

// note notes the lines of a node and of all below it.
func note(n ast.Node, path string, before int, found map[string]int) {
	switch v := n.(type) {
	case *ast.MappingNode:
		for _, each := range v.Values {
			noteValue(each, path, before, found)
		}
	case *ast.MappingValueNode:
		noteValue(v, path, before, found)
	case *ast.SequenceNode:
		for i, each := range v.Values {
			at := fmt.Sprintf("%s[%d]", path, i)
			if t := each.GetToken(); t != nil {
				found[at] = before + t.Position.Line
			}
			note(each, at, before, found)
		}
	case *ast.AnchorNode:
		note(v.Value, path, before, found)
	case *ast.TagNode:
		note(v.Value, path, before, found)
	}
}

func noteValue(v *ast.MappingValueNode, path string, before int, found map[string]int) {
	t := v.Key.GetToken()
	if t == nil {
		return
	}
	path += "." + t.Value
	found[path] = before + t.Position.Line
	note(v.Value, path, before, found)
}
