package inventory

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// Pin returns an inventory file in which the controllers of some nodes have
// these fingerprints ("sha256:<hex>", by node name), where there were none or
// others. Not a byte of it is different elsewhere: comments, order and the way
// of writing stay. The file must have no problem. The error names the place
// that has to be written by hand, where a node is written in a way that one
// can't write into (an alias).
func Pin(name string, data []byte, pins map[string]string) ([]byte, error) {
	if plain := bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")); len(plain) < len(data) && bytes.Equal(windows(plain), data) {
		out, err := Pin(name, plain, pins) // the parser counts the two as one
		return windows(out), err
	}
	before, problems := Parse(name, data, Options{})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	e := &editor{reader: newReader(name, data), data: data}
	bmcs := e.controllers(e.document(data))
	for _, node := range slices.Sorted(maps.Keys(pins)) {
		if err := e.pin(node, bmcs[node], pins[node]); err != nil {
			return nil, err
		}
	}
	out := e.apply()
	after, problems := Parse(name, out, Options{})
	for i, n := range before.Nodes {
		if pin, ok := pins[n.Name]; ok {
			before.Nodes[i].BMC.Fingerprint = pin
		}
	}
	if len(problems) > 0 || !reflect.DeepEqual(before, after) {
		return nil, fmt.Errorf("%s: the fingerprints can't be written without changing something else; write them by hand", name)
	}
	return out, nil
}

// windows ends each line with CR LF.
func windows(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")) }

// editor collects changes of a file.
type editor struct {
	*reader
	data  []byte
	edits []edit
}

// edit puts text in the place of some bytes.
type edit struct {
	at, length int
	text       string
}

func (e *editor) apply() []byte {
	slices.SortFunc(e.edits, func(a, b edit) int { return b.at - a.at }) // from the end, so that places stay true
	out := e.data
	for _, x := range e.edits {
		out = slices.Concat(out[:x.at], []byte(x.text), out[x.at+x.length:])
	}
	return out
}

// controllers returns the pair of the key bmc of each node, by name of the
// node. A node that is an alias has none of its own.
func (e *editor) controllers(root ast.Node) map[string]*ast.MappingValueNode {
	out := map[string]*ast.MappingValueNode{}
	list, _ := valueOf(pair(valueOf(pair(root, "spec")), "nodes")).(*ast.SequenceNode)
	if list == nil {
		return out
	}
	for _, item := range list.Values {
		name, _ := valueOf(pair(item, "name")).(*ast.StringNode)
		if name != nil {
			out[name.Value] = pair(item, "bmc")
		}
	}
	return out
}

// pair returns the pair with this key, or nil.
func pair(n ast.Node, key string) *ast.MappingValueNode {
	pairs, _ := entries(n)
	for _, p := range pairs {
		if text, ok := keyText(p.Key); ok && text == key {
			return p
		}
	}
	return nil
}

func valueOf(p *ast.MappingValueNode) ast.Node {
	if p == nil {
		return nil
	}
	return p.Value
}

// pin notes the change that gives one controller this fingerprint.
func (e *editor) pin(node string, bmc *ast.MappingValueNode, fingerprint string) error {
	url := pair(valueOf(bmc), "url")
	mapping, ok := valueOf(bmc).(*ast.MappingNode)
	if !ok || url == nil {
		return e.byHand(node, bmc, fingerprint)
	}
	if old := pair(mapping, "fingerprint"); old != nil {
		return e.replace(node, old, fingerprint)
	}
	written := fmt.Sprintf("fingerprint: %q", fingerprint)
	if mapping.IsFlowStyle {
		at := markOf(url.Key.GetToken())
		for _, p := range mapping.Values {
			if m := markOf(p.Key.GetToken()); m.line > at.line || m.line == at.line && m.column > at.column {
				at = m // before the key that follows the URL
				break
			}
		}
		e.edits = append(e.edits, edit{at: e.offset(at), text: written + ", "})
		return nil
	}
	if _, ok := url.Value.(*ast.StringNode); !ok {
		return e.byHand(node, url, fingerprint)
	}
	end := e.offset(mark{markOf(url.Value.GetToken()).line + 1, 1})
	line := bytes.TrimRight(e.data[:end], "\n") // the line of the URL, whole
	indent := strings.Repeat(" ", markOf(url.Key.GetToken()).column-1)
	e.edits = append(e.edits, edit{at: len(line), text: "\n" + indent + written})
	return nil
}

// replace notes that a value is exchanged, in the quotes that it has.
func (e *editor) replace(node string, old *ast.MappingValueNode, fingerprint string) error {
	at := e.offset(markOf(old.Value.GetToken()))
	rest, quotes := e.data[at:], 0
	if len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
		quotes = 1
	}
	text := rest[quotes:]
	length := len(text) - len(bytes.TrimLeft(text, "0123456789abcdefABCDEFshaSHA:"))
	if length == 0 {
		return e.byHand(node, old, fingerprint)
	}
	e.edits = append(e.edits, edit{at + quotes, length, fingerprint})
	return nil
}

// byHand is the error for a place that one can't write into.
func (e *editor) byHand(node string, near *ast.MappingValueNode, fingerprint string) error {
	m := mark{1, 1}
	if near != nil && near.Key != nil {
		m = markOf(near.Key.GetToken())
	}
	return Problems{{e.name, m.line, m.column, "", "the controller of " + node + " is written in a way that a fingerprint can't be put into", fmt.Sprintf("write by hand: bmc: {fingerprint: %q}", fingerprint)}}
}

// offset returns the number of bytes before a place; columns count characters.
func (e *editor) offset(m mark) int {
	at := 0
	for i := 0; i < m.line-1 && i < len(e.lines); i++ {
		at += len(e.lines[i]) + 1
	}
	at = min(at, len(e.data))
	for range m.column - 1 {
		_, size := utf8.DecodeRune(e.data[at:])
		at += size
	}
	return at
}
