package redfish_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
)

func fingerprint(s *httptest.Server) string {
	sum := sha256.Sum256(s.Certificate().Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}
