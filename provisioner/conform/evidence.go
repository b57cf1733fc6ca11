package conform

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxValue is how much of a value is kept as evidence, in bytes: enough for a
// command line of an API server, and a report stays readable.
const maxValue = 400

// saw returns the evidence of a field of an API object. The object is written
// "node/cp-a", "pod/kube-system/coredns-x", a list by its plural name "daemonsets",
// or a raw request "GET /version"; the path is that of kubectl's jsonpath.
func (s Snapshot) saw(p Part, object, path string, value any) Evidence {
	return Evidence{Command: Kubectl(object, path), Object: object, Path: path, Value: Trim(Text(value)), Time: s.Told[p]}
}

// heard returns the evidence of something that a node told.
func (s Snapshot) heard(node, command string, value any) Evidence {
	return Evidence{Command: "on " + node + ": " + command, Object: "node/" + node, Value: Trim(Text(value)), Time: s.Told[FactsOf(node)]}
}

// Kubectl returns the command that shows a field again; of a raw request by jq, whose
// paths are those of jsonpath but for lists.
func Kubectl(object, path string) string {
	if raw, ok := strings.CutPrefix(object, "GET "); ok {
		show := ""
		if path != "" {
			show = " | jq " + shell(strings.ReplaceAll(path, "[*]", "[]"))
		}
		return "kubectl get --raw '" + strings.ReplaceAll(raw, "'", `'\''`) + "'" + show
	}
	out := ""
	if path != "" {
		out = " -o jsonpath='{" + strings.ReplaceAll(path, "'", `'\''`) + "}'"
	}
	switch parts := strings.Split(object, "/"); len(parts) {
	case 1:
		return "kubectl get " + shell(object) + " -A" + out
	case 2:
		return "kubectl get " + shell(object) + out
	default:
		return "kubectl get -n " + shell(parts[1]) + " " + shell(parts[0]+"/"+parts[2]) + out
	}
}

// unquoted matches words that a shell takes as they are.
var unquoted = regexp.MustCompile(`^[A-Za-z0-9@%+=:,./_-]+$`)

// shell returns a word as a shell has to be given it: the names in a snapshot that
// somebody handed on need not be those that an API server lets in.
func shell(word string) string {
	if unquoted.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// labelPath returns the jsonpath of a label.
func labelPath(key string) string {
	return ".metadata.labels." + strings.ReplaceAll(key, ".", `\.`)
}

// Text returns a value as people write it.
func Text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []string:
		return strings.Join(v, ", ")
	case fmt.Stringer:
		return v.String()
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// Trim returns a value as evidence may hold it: on one line, no longer than a
// few hundred bytes, without what looks like a secret and without what a terminal
// obeys.
func Trim(value string) string { return trim(value, maxValue) }

// maxWords is how much of what a finding says is kept, in bytes: some rows name
// all that they found.
const maxWords = 2000

func trim(value string, most int) string {
	all := len(value)
	value = strings.Join(strings.FieldsFunc(printable(Redact(cut(value, maxRead))), unicode.IsSpace), " ")
	switch {
	case all > maxRead:
	case len(value) <= most:
		return value
	default:
		all = len(value)
	}
	return cut(value, most) + fmt.Sprintf("… (%d bytes in all)", all)
}

// maxRead is how much of a text is looked at, in bytes: a cluster may hold more
// than anybody reads.
const maxRead = 64 << 10

// cut returns the beginning of a text, in whole letters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// printable returns a text without control characters, and without those that
// change the direction in which others are read (Unicode's bidi controls): a pod's
// annotation moves no cursor, and hides no word of a report.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case unicode.IsSpace(r):
			return r
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// Clean returns a finding as reports may hold it, whatever the cluster told: see Trim.
func Clean(f Finding) Finding {
	for _, text := range []*string{&f.Subject, &f.Want, &f.Got, &f.Do} {
		*text = trim(*text, maxWords)
	}
	f.Missing = slices.Clone(f.Missing)
	for i, m := range f.Missing {
		f.Missing[i] = trim(m, maxWords)
	}
	f.Evidence = slices.Clone(f.Evidence)
	for i, e := range f.Evidence {
		for _, text := range []*string{&e.Command, &e.Object, &e.Path, &e.Value, &e.File} {
			*text = trim(*text, maxWords)
		}
		f.Evidence[i] = e
	}
	return f
}
