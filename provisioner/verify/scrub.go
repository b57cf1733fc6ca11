package verify

import (
	"encoding/json"
	"regexp"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// secretName matches names whose value is one's own: of fields ("password" of
// a BGPPeer), of environment variables and of flags.
var secretName = regexp.MustCompile(`(?i)` + conform.SecretWord)

// reference matches names of fields that only say where a secret is.
var reference = regexp.MustCompile(`(?i)(ref|name|namespace|file|path)$`)

// secretFlag matches a flag whose value is the next argument: "--password".
var secretFlag = regexp.MustCompile(`^--?[\w-]*` + secretName.String() + `[\w-]*$`)

func before(list []any, i int) any {
	if i == 0 {
		return nil
	}
	return list[i-1]
}

// scrubbed returns an object without what no report needs (who changed which
// field, what was last applied) and without what looks like a secret. What is
// kept of a snapshot may be shown to an auditor.
func scrubbed(item []byte) ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(item, &object); err != nil {
		return nil, err
	}
	if meta, ok := object["metadata"].(map[string]any); ok {
		delete(meta, "managedFields")
		if notes, ok := meta["annotations"].(map[string]any); ok {
			delete(notes, "kubectl.kubernetes.io/last-applied-configuration")
		}
	}
	return json.Marshal(scrub(object))
}

// scrub redacts texts, wherever they stand.
func scrub(value any) any {
	switch v := value.(type) {
	case string:
		return conform.Redact(v)
	case []any:
		for i := range v {
			flag, _ := before(v, i).(string)
			v[i] = scrub(v[i])
			if _, plain := v[i].(string); plain && secretFlag.MatchString(flag) && !reference.MatchString(flag) {
				v[i] = conform.Redacted
			}
		}
	case map[string]any:
		for name, inside := range v {
			v[name] = scrub(inside)
			if _, plain := inside.(string); plain && secretName.MatchString(name) && !reference.MatchString(name) {
				v[name] = conform.Redacted
			}
		}
		// An environment variable: {name: DB_PASSWORD, value: x}.
		if name, ok := v["name"].(string); ok && secretName.MatchString(name) {
			if _, ok := v["value"].(string); ok {
				v["value"] = conform.Redacted
			}
		}
	}
	return value
}
