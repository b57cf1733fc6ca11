package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Empty reports whether the word says "nothing now".
func (w Word) Empty() bool { return w.Install == nil && w.Join == nil && !w.Done }

// For reports whether the word is meant for a host in this stage: an order to
// write a disk never reaches an installed system.
func (w Word) For(stage string) bool {
	if w.Install != nil {
		return stage == StageInstaller
	}
	return stage == StageNode
}

// Digest names the word: "sha256:<hex>" of its JSON, empty for an empty word.
func (w Word) Digest() string {
	if w.Empty() {
		return ""
	}
	return digestOf(w)
}

// Identity returns the ID, or the digest of the whole Join when it has none.
func (j Join) Identity() string {
	if j.ID != "" {
		return j.ID
	}
	return digestOf(j)
}

// digestOf hashes plain data; maps are written in the order of their keys.
func digestOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil { // the wire types hold nothing that JSON can't say
		return ""
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}
