package inventory

import (
	"math"
	"reflect"
	"strconv"
	"strings"
)

// jsonName returns the name of a field in the file and whether it is required.
func jsonName(f reflect.StructField) (name string, required bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, !strings.Contains(options, "omitempty")
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _ := jsonName(t.Field(i))
		names = append(names, name)
	}
	return names
}

// enum returns the values that the schema tag allows; none means any.
func enum(tag reflect.StructTag) []string {
	var allowed []string
	for word := range strings.SplitSeq(tag.Get("jsonschema"), ",") {
		if value, ok := strings.CutPrefix(word, "enum="); ok {
			allowed = append(allowed, value)
		}
	}
	return allowed
}

// limits returns the range that the schema tag allows.
func limits(tag reflect.StructTag) (low, high int) {
	low, high = 0, math.MaxInt32
	for word := range strings.SplitSeq(tag.Get("jsonschema"), ",") {
		name, value, _ := strings.Cut(word, "=")
		number, err := strconv.Atoi(value)
		switch {
		case err != nil:
		case name == "minimum":
			low = number
		case name == "maximum":
			high = number
		}
	}
	return low, high
}

// wanted names the kind of value that a field takes.
func wanted(t reflect.Type, tag reflect.StructTag) string {
	if allowed := enum(tag); t.Kind() == reflect.String && len(allowed) > 0 {
		return strings.Join(allowed, " or ")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return wanted(t.Elem(), tag)
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Slice:
		return "a list"
	case reflect.Int:
		return "a number"
	case reflect.Bool:
		return "true or false"
	}
	return "a value"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
