package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// Names of the partitions of a node's disk, in their order.
const (
	PartESP    = "ra2-esp"
	PartConfig = "ra2-config"
	PartRoot   = "ra2-root"
	PartVerity = "ra2-verity" // hash tree of the root
	PartData   = "ra2-data"
)

// The partition ra2-config begins with this head: magic, length of the payload
// and its CRC-32 (IEEE), both little endian; then the JSON of a NodeConfig.
const (
	configMagic = "RA2CONF1"
	configHead  = len(configMagic) + 4 + 4
	// ConfigBytes is the length of the partition ra2-config.
	ConfigBytes = 1 << 20
)

// ErrNoConfig says that a partition holds no node configuration: the install
// was cut short.
var ErrNoConfig = errors.New("no node configuration (magic RA2CONF1 is missing): the install was not finished")

// EncodeConfig returns the content of the partition ra2-config, all of it.
func EncodeConfig(c NodeConfig) ([]byte, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode node configuration: %w", err)
	}
	if len(payload)+configHead > ConfigBytes {
		return nil, fmt.Errorf("encode node configuration: %d bytes don't fit the partition of %d", len(payload), ConfigBytes)
	}
	out := make([]byte, ConfigBytes)
	copy(out, configMagic)
	binary.LittleEndian.PutUint32(out[8:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(out[12:], crc32.ChecksumIEEE(payload))
	copy(out[configHead:], payload)
	return out, nil
}

// DecodeConfig reads the content of a partition ra2-config and checks it.
func DecodeConfig(part []byte) (NodeConfig, error) {
	var c NodeConfig
	if len(part) < configHead || !bytes.Equal(part[:8], []byte(configMagic)) {
		return c, ErrNoConfig
	}
	length := binary.LittleEndian.Uint32(part[8:])
	if uint64(length) > uint64(len(part)-configHead) {
		return c, fmt.Errorf("node configuration: says %d bytes and has %d", length, len(part)-configHead)
	}
	payload := part[configHead : configHead+int(length)]
	if want, got := binary.LittleEndian.Uint32(part[12:]), crc32.ChecksumIEEE(payload); want != got {
		return c, fmt.Errorf("node configuration: CRC-32 is %08x and should be %08x: the partition is damaged", got, want)
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, fmt.Errorf("node configuration: %w", err)
	}
	return c, nil
}
