package host

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// linkSettings is struct ethtool_link_settings of the kernel
// (include/uapi/linux/ethtool.h), with room for the three bitmaps behind it.
type linkSettings struct {
	cmd, speed uint32
	duplex     uint8
	port       uint8
	phy        uint8
	autoneg    uint8
	mdio       uint8
	mdix       uint8
	mdixCtrl   uint8
	words      int8 // length of each bitmap in 32-bit words
	more       [4]uint8
	reserved   [7]uint32
	masks      [3 * maxWords]uint32 // supported, advertised, of the peer
}

const (
	linkModes = 0x4c // ETHTOOL_GLINKSETTINGS
	maxWords  = 127
)

// ifreq is struct ifreq with a pointer for data (netdevice(7)).
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// Ethtool asks the driver of a NIC which link modes it supports. Where the
// card takes modules, many drivers tell only those of the module that is in.
func Ethtool(nic string) (gbps float64, ok bool) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	settings := &linkSettings{cmd: linkModes}
	request := ifreq{data: unsafe.Pointer(settings)}
	copy(request.name[:unix.IFNAMSIZ-1], nic)
	// The first answer says how long the bitmaps are, as a negative number.
	for range 2 {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return 0, false
		}
		if settings.words >= 0 {
			return fastest(settings.masks[:settings.words])
		}
		settings.words, settings.cmd = -settings.words, linkModes
	}
	return 0, false
}

// fastest returns the speed of the fastest link mode of a bitmap.
func fastest(mask []uint32) (gbps float64, ok bool) {
	for _, s := range speeds() {
		for _, r := range s.bits {
			for bit := r[0]; bit <= r[1]; bit++ {
				if bit/32 < len(mask) && mask[bit/32]&(1<<(bit%32)) != 0 {
					return s.gbps, true
				}
			}
		}
	}
	return 0, false
}

type speed struct {
	gbps float64
	bits [][2]int // first and last ETHTOOL_LINK_MODE_*_BIT
}

// speeds are the link modes of the kernel by their speed, fastest first.
func speeds() []speed {
	return []speed{
		{800, [][2]int{{93, 98}}}, {400, [][2]int{{69, 73}, {85, 89}}}, {200, [][2]int{{62, 66}, {80, 84}}},
		{100, [][2]int{{36, 39}, {57, 61}, {75, 79}}}, {56, [][2]int{{27, 30}}}, {50, [][2]int{{34, 35}, {40, 40}, {52, 56}}},
		{40, [][2]int{{23, 26}}}, {25, [][2]int{{31, 33}}}, {20, [][2]int{{21, 22}}}, {10, [][2]int{{12, 12}, {18, 20}, {42, 46}}},
		{5, [][2]int{{48, 48}}}, {2.5, [][2]int{{15, 15}, {47, 47}}}, {1, [][2]int{{4, 5}, {17, 17}, {41, 41}, {68, 68}}},
		{0.1, [][2]int{{2, 3}, {67, 67}, {90, 91}}}, {0.01, [][2]int{{0, 1}, {92, 92}}},
	}
}
