package conform

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
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

// Kubectl returns the command that shows a field again.
func Kubectl(object, path string) string {
	if raw, ok := strings.CutPrefix(object, "GET "); ok {
		return "kubectl get --raw '" + raw + "'"
	}
	out := ""
	if path != "" {
		out = " -o jsonpath='{" + path + "}'"
	}
	switch parts := strings.Split(object, "/"); len(parts) {
	case 1:
		return "kubectl get " + object + " -A" + out
	case 2:
		return "kubectl get " + object + out
	default:
		return "kubectl get -n " + parts[1] + " " + parts[0] + "/" + parts[2] + out
	}
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
// few hundred bytes, and without what looks like a secret.
func Trim(value string) string {
	value = strings.Join(strings.Fields(strings.ToValidUTF8(Redact(value), "?")), " ")
	if len(value) <= maxValue {
		return value
	}
	cut := maxValue
	for !utf8.RuneStart(value[cut]) {
		cut--
	}
	return value[:cut] + fmt.Sprintf("… (%d bytes in all)", len(value))
}

var (
	pem      = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)
	assigned = regexp.MustCompile(`(?i)((?:password|passwd|passphrase|secret|token|api[-_]?key|private[-_]?key|credential|client[-_]?key[-_]?data)s?["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"'}\]\[]+)`)
	bearer   = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}`)
	inURL    = regexp.MustCompile(`(://[^\s/:@]*:)[^\s/@]+@`)
	jwt      = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`)
	joinWord = regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`) // kubeadm's bootstrap tokens
)

// Redact takes out of a text what looks like a secret.
func Redact(value string) string {
	value = pem.ReplaceAllString(value, "[redacted]")
	value = bearer.ReplaceAllString(value, "$1 [redacted]")
	value = assigned.ReplaceAllString(value, "$1[redacted]")
	value = inURL.ReplaceAllString(value, "$1[redacted]@")
	value = jwt.ReplaceAllString(value, "[redacted]")
	return joinWord.ReplaceAllString(value, "[redacted]")
}
