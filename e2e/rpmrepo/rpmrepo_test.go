package rpmrepo

import (
	"os"
	"testing"
)

// TestMake makes the whole repository and reads it with other programs: a
// minute and a half, root, network.
func TestMake(t *testing.T) {
	dir := os.Getenv("RA2_RPMREPO")
	if dir == "" || os.Geteuid() != 0 {
		t.Skip("needs root and the network: run sudo RA2_RPMREPO=/var/tmp/rpmrepo go test ./e2e/rpmrepo")
	}
	r, err := Make(t.Context(), dir, func(doing string) { t.Log(doing) })
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
}
