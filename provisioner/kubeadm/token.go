package kubeadm

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// TokenTTL is how long a bootstrap token is good for: longer than the longest
// join with all its tries, and no longer.
const TokenTTL = time.Hour

// zeroDigest and exampleToken stand in for what isn't known yet when all
// configurations are validated.
const zeroDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func exampleToken() secret.Value { return secret.New("abcdef.0123456789abcdef") }

// NewToken returns a bootstrap token [a-z0-9]{6}.[a-z0-9]{16} made of random
// bytes. The first part names the token, the second is the secret; here both
// are kept as one.
func NewToken(random io.Reader) (secret.Value, error) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	// 252 is 7*36: bytes above it would make some letters more likely.
	const fair = 252
	var text strings.Builder
	one := make([]byte, 1)
	for text.Len() < 6+1+16 {
		if text.Len() == 6 {
			text.WriteByte('.')
			continue
		}
		if _, err := io.ReadFull(random, one); err != nil {
			return secret.Value{}, fmt.Errorf("make a bootstrap token: %w", err)
		}
		if one[0] < fair {
			text.WriteByte(alphabet[one[0]%36])
		}
	}
	return secret.New(text.String()), nil
}
