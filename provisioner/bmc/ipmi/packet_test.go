package ipmi

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func someKeys(t interface{ Helper() }) keys {
	t.Helper()
	return keys{hash: sha256.New, size: 16, k1: bytes.Repeat([]byte{1}, 32), k2: bytes.Repeat([]byte{2}, 32)}
}

// What is sealed is unsealed by the same keys and by no others, and no byte of
// it can change.
func TestSeal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := someKeys(t)
		if rapid.Bool().Draw(t, "suite 3") {
			k.hash, k.size = sha1.New, 12
		}
		id, seq := rapid.Uint32().Draw(t, "id"), rapid.Uint32().Draw(t, "seq")
		payload := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "payload")
		p, err := k.seal(id, seq, payload)
		if err != nil {
			t.Fatal(err)
		}
		if (len(p)-rmcpSize-k.size)%4 != 0 {
			t.Errorf("%d bytes are authenticated, and should be a multiple of four (section 13.28.4)", len(p)-rmcpSize-k.size)
		}
		got, n, ok := k.unseal(p, id)
		if !ok || n != seq || !bytes.Equal(got, payload) {
			t.Errorf("unsealed % x, %d, %t", got, n, ok)
		}
		if _, _, ok := k.unseal(p, id+1); ok {
			t.Error("a packet of another session was taken")
		}
		at := rapid.IntRange(rmcpSize, len(p)-1).Draw(t, "at")
		p[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, _, ok := k.unseal(p, id); ok {
			t.Errorf("a packet with byte %d changed was taken", at)
		}
	})
}

// FuzzDatagram gives the reader of packets, and of what is in them, anything.
func FuzzDatagram(f *testing.F) {
	other := someKeys(f)
	p, err := other.seal(7, 1, message(getChassisStatus(), 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Add(header(payloadOpenResponse, 0, 0, 0))
	k := someKeys(f)
	_, _ = rand.Read(k.k1) // never fails
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, ok := k.unseal(data, 7); ok {
			t.Error("a packet that nobody sealed was taken")
		}
		_, _, _ = answer(data, getChassisStatus(), 1)
		sealed, err := k.seal(7, 1, data)
		if got, _, ok := k.unseal(sealed, 7); err != nil || !ok || !bytes.Equal(got, data) {
			t.Errorf("sealed % x (%v), unsealed % x", data, err, got)
		}
	})
}

// Byte orders of a GUID: that of SMBIOS (most controllers), of the standard,
// of RFC 4122. What is valid in none is not told.
func TestUUID(t *testing.T) {
	const want = "00112233-4455-4677-8899-aabbccddeeff"
	for name, c := range map[string]struct {
		b    [16]byte
		want string
	}{
		"SMBIOS":   {[16]byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x46, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}, want},
		"IPMI":     {[16]byte{0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x46, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00}, want},
		"RFC 4122": {[16]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x46, 0x97, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}, "00112233-4455-4697-8899-aabbccddeeff"},
		"zeros":    {[16]byte{}, ""},
		"dell":     {[16]byte{0x44, 0x45, 0x4c, 0x4c, 0x52, 0x00, 0x10, 0x34, 0x80, 0x50, 0xb7, 0xc0, 0x4f, 0x4e, 0x30, 0x33}, "4c4c4544-0052-3410-8050-b7c04f4e3033"},
	} {
		if got := uuid(c.b); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// RMCP+ status codes (table 13-15): which are a refused login, which say that
// the suite isn't there, which pass by themselves.
func TestStatus(t *testing.T) {
	for code := range 256 {
		err := status(byte(code))
		e := &Error{Host: "a", Err: err}
		var login *refusedLogin
		refused := errors.As(err, &login)
		suite := errors.Is(err, errSuite)
		if want := code == 0x0d || code == 0x0f; refused != want {
			t.Errorf("%02x: refused login: %t", code, refused)
		}
		if want := code == 0x04 || code == 0x05 || code == 0x10 || code == 0x11; suite != want {
			t.Errorf("%02x: suite: %t", code, suite)
		}
		if want := code == 0x01 || code == 0x0b; e.Temporary() != want {
			t.Errorf("%02x: temporary: %t", code, e.Temporary())
		}
	}
}
