// Package secret keeps secret values from being printed. A secret is named by
// a reference; its value is fetched where it is used and prints as [redacted].
package secret

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// A Ref names a secret without holding it. Exactly one field is set.
type Ref struct {
	Env  string `json:"env,omitempty"`  // name of an environment variable
	File string `json:"file,omitempty"` // path of a file, mode 0600 or stricter
}

// String returns the name of the secret, which is not secret.
func (r Ref) String() string {
	if r.Env != "" {
		return "env " + r.Env
	}
	return "file " + r.File
}

// A Value is a secret in memory. It can't be printed, logged or marshalled.
type Value struct{ text string }

// New wraps text.
func New(text string) Value { return Value{text} }

// Reveal returns the text, for the one place that sends it.
func (v Value) Reveal() string { return v.text }

// Empty reports whether nothing is inside.
func (v Value) Empty() bool { return v.text == "" }

// String implements fmt.Stringer without telling the value.
func (Value) String() string { return redacted }

// GoString implements fmt.GoStringer without telling the value.
func (Value) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb tells the value.
func (Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler without telling the value.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer without telling the value.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }
