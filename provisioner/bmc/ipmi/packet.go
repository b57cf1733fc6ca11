package ipmi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"hash"
)

// Payload types (IPMI 2.0 table 13-16).
const (
	payloadIPMI         = 0x00
	payloadOpenRequest  = 0x10
	payloadOpenResponse = 0x11
	payloadRAKP1        = 0x12
	payloadRAKP2        = 0x13
	payloadRAKP3        = 0x14
	payloadRAKP4        = 0x15

	payloadSecure = 0xc0 // encrypted and authenticated
)

// headerSize is that of RMCP (section 13.1.3) and RMCP+ (table 13-8) together.
const (
	rmcpSize   = 4
	headerSize = rmcpSize + 12
)

// header is what stands before a payload.
func header(kind byte, id, seq uint32, size int) []byte {
	b := []byte{0x06, 0x00, 0xff, 0x07, 0x06, kind}
	b = binary.LittleEndian.AppendUint32(b, id)
	b = binary.LittleEndian.AppendUint32(b, seq)
	return binary.LittleEndian.AppendUint16(b, uint16(size))
}

// parse splits a datagram into the kind, session and payload that it says it
// has; rest is what follows the payload.
func parse(p []byte) (kind byte, id, seq uint32, payload, rest []byte, ok bool) {
	if len(p) < headerSize || p[0] != 0x06 || p[3] != 0x07 || p[4] != 0x06 {
		return 0, 0, 0, nil, nil, false
	}
	size := int(binary.LittleEndian.Uint16(p[14:]))
	if len(p) < headerSize+size {
		return 0, 0, 0, nil, nil, false
	}
	body := p[headerSize:]
	return p[5], binary.LittleEndian.Uint32(p[6:]), binary.LittleEndian.Uint32(p[10:]), body[:size], body[size:], true
}

// keys are those of one session.
type keys struct {
	hash func() hash.Hash
	size int    // bytes of an AuthCode
	k1   []byte // authenticates
	k2   []byte // encrypts; 16 bytes of it are used
}

// seal encrypts a payload (AES-CBC-128, section 13.29) and authenticates the
// whole packet behind the RMCP header (section 13.28.4).
func (k keys) seal(id, seq uint32, payload []byte) ([]byte, error) {
	block, err := aes.NewCipher(k.k2[:aes.BlockSize])
	if err != nil {
		return nil, err
	}
	text := append([]byte(nil), payload...)
	for n := byte(1); (len(text)+1)%aes.BlockSize != 0; n++ {
		text = append(text, n)
	}
	text = append(text, byte(len(text)-len(payload)))
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv) // never fails
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(text, text)
	p := header(payloadSecure|payloadIPMI, id, seq, len(iv)+len(text))
	p = append(append(p, iv...), text...)
	pad := byte(0)
	for ; (len(p)-rmcpSize+2)%4 != 0; pad++ {
		p = append(p, 0xff)
	}
	p = append(p, pad, 0x07)
	return append(p, k.authCode(p)...), nil
}

// authCode is over all of a packet but the RMCP header.
func (k keys) authCode(p []byte) []byte {
	return mac(k.hash, k.k1, p[rmcpSize:])[:k.size]
}

// unseal returns the payload of a packet of session id, and its sequence
// number. A packet that isn't encrypted, or whose AuthCode is wrong, comes
// from somebody else.
func (k keys) unseal(p []byte, id uint32) (payload []byte, seq uint32, ok bool) {
	kind, to, seq, text, rest, ok := parse(p)
	if !ok || kind != payloadSecure|payloadIPMI || to != id || len(rest) < k.size+2 {
		return nil, 0, false
	}
	end := len(p) - k.size
	if !hmac.Equal(p[end:], k.authCode(p[:end])) {
		return nil, 0, false
	}
	block, err := aes.NewCipher(k.k2[:aes.BlockSize])
	if err != nil || len(text) < 2*aes.BlockSize || len(text)%aes.BlockSize != 0 {
		return nil, 0, false
	}
	plain := make([]byte, len(text)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, text[:aes.BlockSize]).CryptBlocks(plain, text[aes.BlockSize:])
	size := len(plain) - 1 - int(plain[len(plain)-1])
	if size < 0 {
		return nil, 0, false
	}
	return plain[:size], seq, true
}

func mac(h func() hash.Hash, key []byte, parts ...[]byte) []byte {
	m := hmac.New(h, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}
