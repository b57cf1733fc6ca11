package conform

import (
	"regexp"
	"strings"
)

// Redacted stands in the place of a secret.
const Redacted = "[redacted]"

// SecretWord is what the name of a secret has in it, as a regular expression in which
// case doesn't matter.
const SecretWord = `(?:passw|passphrase|pwd|secret|token|api[-_]?key|private[-_]?key|access[-_]?key|credential|client[-_]?key[-_]?data)`

var (
	pem      = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)
	assigned = regexp.MustCompile(`(?i)(` + SecretWord + `[\w-]*|"auth)(\\*["']?\s*[=:]\s*)(\\*"[^"\\]*\\*"|'[^']*'|[^\s,;&"'}\]\[\\]+)`)
	flagged  = regexp.MustCompile(`(?i)(--?[\w-]*` + SecretWord + `[\w-]*)(["']?,?\s+["']?)([^\s,"'-][^\s,"']*)`) // --password x, and "--password", "x"
	bearer   = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}`)
	inURL    = regexp.MustCompile(`(://[^\s/:@]*:)[^\s/@]+@`)
	jwt      = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`)
	// joinWord is kubeadm's bootstrap tokens; issued is those that say who issued them (AWS, GitHub, GitLab, Slack).
	joinWord = regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`)
	issued   = regexp.MustCompile(`\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,})`)

	// refers matches names that say where a secret is, or how one is used; and setting what is none.
	refers  = regexp.MustCompile(`(?i)(?:file|path|dir|name|namespace|ref|class|ttl|seconds|webhook|authorizer|mode)$`)
	boolean = regexp.MustCompile(`^["']?(?:true|false)["']?$`)
)

// Redact takes out of a text what looks like a secret.
func Redact(value string) string {
	value = pem.ReplaceAllString(value, Redacted)
	value = bearer.ReplaceAllString(value, "$1 "+Redacted)
	value = given(assigned, value)
	value = given(flagged, value)
	value = inURL.ReplaceAllString(value, "$1"+Redacted+"@")
	value = jwt.ReplaceAllString(value, Redacted)
	value = issued.ReplaceAllString(value, Redacted)
	return joinWord.ReplaceAllString(value, Redacted)
}

// given takes out the values that follow a secret's name; what only says where one
// is stays, since it is evidence.
func given(names *regexp.Regexp, value string) string {
	var b strings.Builder
	from := 0
	for _, at := range names.FindAllStringSubmatchIndex(value, -1) {
		name, is := value[at[2]:at[3]], value[at[6]:at[7]]
		if refers.MatchString(name) || boolean.MatchString(is) {
			continue
		}
		b.WriteString(value[from:at[6]])
		b.WriteString(Redacted)
		from = at[7]
	}
	b.WriteString(value[from:])
	return b.String()
}
