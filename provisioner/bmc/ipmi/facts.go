package ipmi

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// Protocol is what facts.BMC says of facts that came this way.
const Protocol = "ipmi"

// Facts asks for all that IPMI knows of a host: power, firmware of the
// controller, UUID, and the names and numbers in its FRU information. IPMI
// knows no processor, memory, drive, port, slot, BIOS attribute or Secure
// Boot: those stay absent. A part that can't be read is named in Err and the
// rest is still there; the error is for a controller that can't be spoken to.
func (c *Client) Facts(ctx context.Context) (facts.BMC, error) {
	done, err := c.speak(ctx)
	if err != nil {
		return facts.BMC{Protocol: Protocol, Err: err.Error()}, err
	}
	defer done()
	out := facts.BMC{Reached: true, Protocol: Protocol}
	var missing []string
	for _, part := range []func(context.Context, *facts.BMC) error{c.device, c.chassis, c.uuid, c.inventory, c.boot} {
		err := part(ctx, &out)
		if e, ok := errors.AsType[*Error](err); ok && (e.Code != 0 || errors.As(err, new(*unreadable))) {
			missing = append(missing, err.Error())
		} else if err != nil {
			return facts.BMC{Protocol: Protocol, Err: err.Error()}, err
		}
	}
	out.Err = strings.Join(missing, "\n")
	return out, nil
}

// unreadable is a part of an answer that makes no sense.
type unreadable struct{ error }

// device is the controller itself (IPMI 2.0 section 20.1).
func (c *Client) device(ctx context.Context, out *facts.BMC) error {
	d, err := c.do(ctx, getDeviceID())
	if err != nil {
		return err
	}
	out.Firmware = []facts.Firmware{{Name: "BMC", Version: fmt.Sprintf("%d.%02x", d[2]&0x7f, d[3])}} // the minor version is BCD
	out.Vendor = maker(uint32(d[6]) | uint32(d[7])<<8 | uint32(d[8]&0x0f)<<16)
	return nil
}

// maker names the makers of servers by their IANA enterprise number; others
// are told by the FRU information or not at all.
func maker(enterprise uint32) string {
	switch enterprise {
	case 11, 47196:
		return "HPE"
	case 343:
		return "Intel"
	case 674:
		return "Dell"
	case 2011:
		return "Huawei"
	case 5771:
		return "Cisco"
	case 10368:
		return "Fujitsu"
	case 10876:
		return "Supermicro"
	case 15370:
		return "Gigabyte"
	case 19046:
		return "Lenovo"
	case 49622:
		return "ASRock Rack"
	}
	return ""
}

// Bits of the chassis status (IPMI 2.0 table 28-3).
const (
	powerFaults   = 1<<1 | 1<<3 | 1<<4 // overload, fault, control fault
	chassisFaults = 1<<2 | 1<<3        // drive, cooling
)

// chassis is the power state. A fault is told as a warning; that there is none
// is not taken for health: IPMI tells of four faults, and of no others here.
func (c *Client) chassis(ctx context.Context, out *facts.BMC) error {
	d, err := c.do(ctx, getChassisStatus())
	if err != nil {
		return err
	}
	out.Power = powerWord(d[0])
	if d[0]&powerFaults != 0 || d[2]&chassisFaults != 0 {
		out.Health = "Warning"
	}
	return nil
}

// uuid is that of the system (IPMI 2.0 section 22.14).
func (c *Client) uuid(ctx context.Context, out *facts.BMC) error {
	d, err := c.do(ctx, getSystemGUID())
	if e, ok := errors.AsType[*Error](err); ok && e.Code != 0 {
		return nil // the command is optional, and a host is known by its serial
	}
	if err != nil {
		return err
	}
	out.UUID = uuid([16]byte(d))
	return nil
}

// uuid returns a system GUID as SMBIOS and Redfish write it. The standard has
// its bytes in the opposite order (IPMI 2.0 table 20-10; OpenBMC does that),
// most controllers send them as SMBIOS stores them (first three fields
// little-endian, DSP0134 section 7.2.1; so do iDRAC, iLO, AMI), very few as
// RFC 4122 does. Version and variant tell which: no GUID is valid in the first
// two orders. One that is valid in none is not told: a wrong one is worse.
func uuid(b [16]byte) string {
	swapped := b
	slices.Reverse(swapped[:])
	mixed := b
	for _, field := range [][]byte{mixed[0:4], mixed[4:6], mixed[6:8]} {
		slices.Reverse(field)
	}
	for _, u := range [][16]byte{mixed, swapped, b} {
		if valid(u) {
			return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
		}
	}
	return ""
}

// valid reports whether version and variant are those of RFC 4122.
func valid(u [16]byte) bool { return u[6]>>4 >= 1 && u[6]>>4 <= 5 && u[8]>>6 == 0b10 }

// boot is the one-time override that waits for the next start.
func (c *Client) boot(ctx context.Context, out *facts.BMC) (err error) {
	out.BootOverride, err = c.bootOverride(ctx)
	return err
}

// inventory is the FRU information of the server itself, device 0.
func (c *Client) inventory(ctx context.Context, out *facts.BMC) error {
	f, err := c.readFRU(ctx)
	if err != nil {
		return err
	}
	if word := first(f.product.maker, f.board.maker); word != "" {
		out.Vendor = word
	}
	out.Model = first(f.product.name, f.board.name)
	out.SKU = f.product.part
	out.Serial = first(f.product.serial, f.chassis.serial)
	for _, s := range []string{f.product.serial, f.chassis.serial, f.board.serial} {
		if s != "" && !slices.Contains(out.Serials, s) {
			out.Serials = append(out.Serials, s)
		}
	}
	if len(f.wrong) > 0 {
		return c.fail("Read FRU Data", &unreadable{errors.New(strings.Join(f.wrong, ", "))})
	}
	return nil
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// readFRU reads no more of the FRU information than is told of.
func (c *Client) readFRU(ctx context.Context) (fru, error) {
	d, err := c.do(ctx, request{name: "Get FRU Inventory Area Info", netFn: netFnStorage, cmd: 0x10, data: []byte{0}, atLeast: 3})
	if err != nil {
		return fru{}, err
	}
	r := &fruReader{client: c, size: int(d[0]) | int(d[1])<<8, unit: 1 + int(d[2]&1), chunk: 32}
	head, err := r.read(ctx, 0, fruHeader)
	if err != nil {
		return fru{}, err
	}
	places, err := fruAreas(head)
	if err != nil {
		return fru{}, c.fail("Read FRU Data", &unreadable{err})
	}
	var areas [3][]byte
	for i, at := range places {
		if at == 0 {
			continue
		}
		areas[i], err = r.read(ctx, at, 2)
		if err == nil {
			areas[i], err = r.read(ctx, at, 8*int(areas[i][1]))
		}
		if errors.As(err, new(*unreadable)) {
			areas[i], err = []byte{}, nil // told as wrong; the others may be right
		}
		if err != nil {
			return fru{}, err
		}
	}
	return decodeFRU(areas), nil
}

// fruReader reads pieces of FRU information (IPMI 2.0 section 34.2).
type fruReader struct {
	client *Client
	size   int // bytes, or words when unit is 2
	unit   int // bytes of what offsets and counts are in
	chunk  int // bytes of one request; less once the controller could not give so many
}

func (r *fruReader) read(ctx context.Context, at, size int) ([]byte, error) {
	size = min(size, r.size*r.unit-at)
	var out []byte
	for len(out) < size {
		from, count := (at+len(out))/r.unit, (min(r.chunk, size-len(out))+r.unit-1)/r.unit
		d, err := r.client.do(ctx, request{
			name: "Read FRU Data", netFn: netFnStorage, cmd: 0x11, data: []byte{0, byte(from), byte(from >> 8), byte(count)}, atLeast: 1,
		})
		if e, ok := errors.AsType[*Error](err); ok && r.chunk > 8 && (e.Code == codeLength || e.Code == codeTooMany || e.Code == codeUnable) {
			r.chunk /= 2
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(d) < 2 {
			return nil, r.client.fail("Read FRU Data", &unreadable{errors.New("an answer without data: " + hex.EncodeToString(d))})
		}
		out = append(out, d[1:]...)
	}
	if len(out) < size || size < 2 {
		return nil, r.client.fail("Read FRU Data", &unreadable{fmt.Errorf("nothing at byte %d", at)})
	}
	return out[:size], nil
}
