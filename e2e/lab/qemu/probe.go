package qemu

import "encoding/hex"

// probeStatus is QEMU's exit status when the probe wrote 0x2a to the debug exit
// device: twice the value and one.
const probeStatus = 2*0x2a + 1

// probeCode is testdata/probe.S: a boot sector that goes to long mode with
// paging, waits for three timer interrupts, and ends QEMU. A KVM that does that
// runs kernels.
const probeCode = "" +
	"fa31c08ed88ec08ed0bc007c66bf001000006631c066b9000c000066f3ab66c70600100320000066c70600200330000066bf0030000066b883000000" +
	"66b900020000676689076605000020006683c708e2f066b8001000000f22d80f20e06683c8200f22e066b9800000c00f32660d000100000f300f0116" +
	"107d0f20c0660d010000800f22c0ea8b7c080066b810008ed88ed08ec048c7c4007c0000bf0040000031c0b900020000f3abb8e87c00006689042580" +
	"40000066c7042582400000080066c7042584400000008e0f011c25167d0000b0fee62131dbfbf483fb0372fafab02ae6f4f4ebfdffc350b020e62058" +
	"48cf660f1f440000000000000000000000000000009a200000000000009200001700f87c0000ff0f0040"

// probe returns the boot sector.
func probe() []byte {
	sector := make([]byte, 512)
	code, err := hex.DecodeString(probeCode)
	if err != nil {
		return sector
	}
	copy(sector, code)
	sector[510], sector[511] = 0x55, 0xaa
	return sector
}
