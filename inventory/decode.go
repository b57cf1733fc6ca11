package inventory

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// insteader is a type that knows the usual mistake made in its place.
type insteader interface{ Instead() (wrong, fix string) }

// value decodes n into v, which is settable. tag holds the constraints of the
// field (see v1alpha1).
func (r *reader) value(n ast.Node, path string, v reflect.Value, tag reflect.StructTag) {
	n = r.plain(n, path)
	r.visited++
	if n == nil || r.visited > maxNodes {
		r.blank(path, v, tag)
		return
	}
	if _, ok := n.(*ast.NullNode); ok {
		r.blank(path, v, tag)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(n, path, v.Elem(), tag)
	case reflect.Struct:
		r.object(n, path, v)
	case reflect.Map:
		r.dictionary(n, path, v)
	case reflect.Slice:
		r.list(n, path, v, tag)
	case reflect.String:
		r.text(n, path, v, tag)
	case reflect.Int:
		r.number(n, path, v, tag)
	case reflect.Interface:
		r.scalar(n, path, v)
	case reflect.Bool:
		if b, ok := n.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
			return
		}
		r.say(path, "should be true or false and is "+what(n), "write true or false without quotes")
	}
}

func (r *reader) blank(path string, v reflect.Value, tag reflect.StructTag) {
	if r.broken[path] {
		return
	}
	fix := "write " + wanted(v.Type(), tag)
	if strings.Contains(tag.Get("json"), "omitempty") {
		fix += ", or remove the key to get the default"
	}
	r.say(path, "has no value", fix)
}

// object decodes a mapping into a struct.
func (r *reader) object(n ast.Node, path string, v reflect.Value) {
	pairs, ok := entries(n)
	if !ok {
		wrong, fix := "should be a mapping and is "+what(n), "write the keys "+strings.Join(fieldNames(v.Type()), ", ")+" below it"
		if i, ok := v.Interface().(insteader); ok {
			wrong, fix = i.Instead()
		}
		r.say(path, wrong, fix)
		return
	}
	fields := map[string]int{}
	for i := range v.NumField() {
		name, _ := jsonName(v.Type().Field(i))
		fields[name] = i
	}
	seen := r.pairs(pairs, path, func(key string, m mark, value ast.Node) {
		at := join(path, key)
		i, ok := fields[key]
		if !ok {
			r.unknown(m, path, key, v)
			return
		}
		r.value(value, at, v.Field(i), v.Type().Field(i).Tag)
	})
	for i := range v.NumField() {
		name, required := jsonName(v.Type().Field(i))
		if required && !seen[name] {
			r.say(join(path, name), "is missing", "add "+name+": "+wanted(v.Type().Field(i).Type, v.Type().Field(i).Tag))
		}
	}
}

// pairs calls do once for each key, and reports the keys that come twice.
func (r *reader) pairs(pairs []*ast.MappingValueNode, path string, do func(string, mark, ast.Node)) map[string]bool {
	seen := map[string]bool{}
	for _, p := range pairs {
		if p.Key == nil {
			continue
		}
		m := markOf(p.Key.GetToken())
		key, ok := keyText(p.Key)
		at := join(path, key)
		switch {
		case !ok || p.Key.IsMergeKey():
			r.sayAt(m, path, "merge keys and composed keys are refused", "write the keys out")
			continue
		case seen[key]:
			first := r.marks[at]
			r.sayAt(m, at, fmt.Sprintf("is written twice, first on line %d", first.line), "keep one of them")
			continue
		}
		seen[key] = true
		r.marks[at] = m
		do(key, m, p.Value)
	}
	return seen
}

func (r *reader) unknown(m mark, path, key string, v reflect.Value) {
	names := fieldNames(v.Type())
	fix := "known keys here: " + strings.Join(names, ", ")
	if near := nearest(key, names); near != "" {
		fix = "did you mean " + near + "?"
	} else if i, ok := v.Interface().(insteader); ok {
		_, fix = i.Instead()
	}
	r.sayAt(m, join(path, key), "unknown key", fix)
}

// dictionary decodes a mapping with free keys.
func (r *reader) dictionary(n ast.Node, path string, v reflect.Value) {
	pairs, ok := entries(n)
	if !ok {
		r.say(path, "should be a mapping and is "+what(n), "write name: value pairs below it")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	r.pairs(pairs, path, func(key string, _ mark, value ast.Node) {
		elem := reflect.New(v.Type().Elem()).Elem()
		r.value(value, join(path, key), elem, "")
		v.SetMapIndex(reflect.ValueOf(key), elem)
	})
}

func (r *reader) list(n ast.Node, path string, v reflect.Value, tag reflect.StructTag) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		r.say(path, "should be a list and is "+what(n), "write it as ["+wanted(v.Type().Elem(), tag)+"], also when it is only one")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item != nil {
			r.marks[at] = markOf(firstToken(item).GetToken())
		}
		r.value(item, at, v.Index(i), tag)
	}
	if len(seq.Values) == 0 && strings.Contains(tag.Get("jsonschema"), "minItems=1") {
		r.say(path, "is empty", "write at least one")
	}
}

// firstToken returns the node whose token begins a list item; the token of a
// mapping is its first colon.
func firstToken(n ast.Node) ast.Node {
	if pairs, ok := entries(n); ok && len(pairs) > 0 && pairs[0].Key != nil {
		return pairs[0].Key
	}
	return n
}

func (r *reader) text(n ast.Node, path string, v reflect.Value, tag reflect.StructTag) {
	switch x := n.(type) {
	case *ast.StringNode:
		v.SetString(x.Value)
	case *ast.LiteralNode:
		v.SetString(strings.TrimSuffix(x.Value.Value, "\n"))
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		fix := "write it in quotes: \"" + n.GetToken().Value + "\""
		if allowed := enum(tag); len(allowed) > 0 {
			fix = "write one of: " + strings.Join(allowed, ", ")
		}
		r.say(path, "should be text and is "+what(n), fix)
		return
	default:
		r.say(path, "should be text and is "+what(n), "write one value after the colon")
		return
	}
	allowed := enum(tag)
	if len(allowed) == 0 || slices.Contains(allowed, v.String()) {
		return
	}
	fix := "write one of: " + strings.Join(allowed, ", ")
	if near := nearest(v.String(), allowed); near != "" {
		fix = "did you mean " + near + "?"
	} else if len(allowed) == 1 {
		fix = "write " + allowed[0]
	}
	r.say(path, strconv.Quote(v.String())+" is not known here", fix)
	v.SetString("")
}

func (r *reader) number(n ast.Node, path string, v reflect.Value, tag reflect.StructTag) {
	x, ok := n.(*ast.IntegerNode)
	if !ok {
		fix := "write it without quotes, like 3"
		if allowed := enum(tag); len(allowed) > 0 {
			fix = "write one of, without quotes: " + strings.Join(allowed, ", ")
		}
		r.say(path, "should be a whole number and is "+what(n), fix)
		return
	}
	number, err := strconv.Atoi(fmt.Sprint(x.Value))
	if allowed := enum(tag); len(allowed) > 0 && !slices.Contains(allowed, fmt.Sprint(x.Value)) {
		r.say(path, "the number is not known here", "write one of: "+strings.Join(allowed, ", "))
		return
	}
	low, high := limits(tag)
	if err != nil || number < low || number > high {
		r.say(path, "the number is out of range", fmt.Sprintf("write a number from %d to %d", low, high))
		return
	}
	v.SetInt(int64(number))
}

// scalar decodes text, a number or a truth value into a string, float64 or
// bool, as JSON has them.
func (r *reader) scalar(n ast.Node, path string, v reflect.Value) {
	switch x := n.(type) {
	case *ast.StringNode:
		v.Set(reflect.ValueOf(x.Value))
	case *ast.BoolNode:
		v.Set(reflect.ValueOf(x.Value))
	case *ast.IntegerNode, *ast.FloatNode:
		number, err := strconv.ParseFloat(fmt.Sprint(n.(ast.ScalarNode).GetValue()), 64)
		if err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
			r.say(path, "is no number", "write it like 60")
			return
		}
		v.Set(reflect.ValueOf(number))
	case *ast.InfinityNode, *ast.NanNode:
		r.say(path, "is no number that firmware knows", "write it like 60")
	default:
		r.say(path, "should be text, a number, true or false and is "+what(n), "write one value after the colon")
	}
}
