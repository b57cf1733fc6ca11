package redfish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// place is where a part sits (DSP0268, Resource.Location).
type place struct {
	Part struct {
		Label   text   `json:"ServiceLabel"`
		Ordinal number `json:"LocationOrdinalValue"`
	} `json:"PartLocation"`
	Info text `json:"Info"`
}

func (p place) name() string {
	switch {
	case p.Part.Label != "":
		return string(p.Part.Label)
	case p.Info != "":
		return string(p.Info)
	case p.Part.Ordinal.known && p.Part.Ordinal.value >= 0 && p.Part.Ordinal.value < 1e6:
		return fmt.Sprintf("Slot %.0f", p.Part.Ordinal.value)
	}
	return ""
}

// pcieSlots is a PCIeSlots resource (DSP0268). State Absent is a slot without
// a card, not one that isn't there.
type pcieSlots struct {
	Slots []pcieSlot `json:"Slots"`
}

type pcieSlot struct {
	Type     text   `json:"PCIeType"` // "Gen4"
	Lanes    number `json:"Lanes"`
	SlotType text   `json:"SlotType"`
	Location place  `json:"Location"`
	Links    struct {
		Devices refs `json:"PCIeDevice"`
	} `json:"Links"`
}

func (s pcieSlot) fact(from string) facts.Slot {
	return facts.Slot{Name: s.Location.name(), Type: string(s.SlotType), Generation: generation(s.Type), Lanes: s.Lanes.count(64), From: from}
}

// generation reads "Gen4"; 0 is unknown.
func generation(word text) int {
	n, err := strconv.Atoi(strings.TrimPrefix(string(word), "Gen"))
	if err != nil || n < 1 || n > 9 {
		return 0
	}
	return n
}

// pcieDevice is a PCIeDevice (DSP0268): a card, and the slot that it is in.
type pcieDevice struct {
	Interface struct {
		Type  text   `json:"PCIeType"` // that it runs at
		Lanes number `json:"LanesInUse"`
	} `json:"PCIeInterface"`
	Slot   *pcieSlot `json:"Slot"`
	Status state     `json:"Status"`
}

// slots reads the PCIe slots: PCIeSlots of the chassis, else HPE's own list,
// else what the cards say of the slots that they are in.
func (l *look) slots(ctx context.Context) error {
	for _, b := range l.chassis {
		if err := l.slotsOf(ctx, b); err != nil {
			return err
		}
	}
	if l.out.Slots != nil {
		return nil
	}
	if err := l.hpeSlots(ctx); err != nil || l.out.Slots != nil {
		return err
	}
	return l.occupied(ctx)
}

func (l *look) slotsOf(ctx context.Context, b chassis) error {
	if b.Slots.Path == "" || !l.once(b.Slots.Path) {
		return nil
	}
	var all pcieSlots
	if _, err := l.get(ctx, b.Slots.Path, &all); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Status == http.StatusNotFound {
			return nil // named in the chassis of many firmwares, and not there
		}
		l.partial("slots")
		return l.note(err)
	}
	if l.out.Slots == nil && all.Slots != nil {
		l.out.Slots = []facts.Slot{}
	}
	var cards map[path]pcieDevice
	for i, s := range all.Slots {
		if i >= maxParts {
			l.partial("slots")
			break
		}
		f := s.fact(fmt.Sprintf("%s#/Slots/%d", b.Slots.Path, i))
		if devices := s.Links.Devices.links(); (f.Generation == 0 || f.Lanes == 0) && len(devices) > 0 {
			var err error
			if cards == nil {
				if cards, err = l.cards(ctx, b, all.Slots); err != nil {
					return err
				}
			}
			f = atLeast(f, devices, cards)
		}
		l.out.Slots = append(l.out.Slots, f)
	}
	return nil
}

// atLeast completes a slot by what the fastest card in it runs at.
func atLeast(f facts.Slot, devices []path, cards map[path]pcieDevice) facts.Slot {
	var gen, lanes int
	for _, p := range devices {
		card := cards[p.key()].Interface
		if g, n := generation(card.Type), card.Lanes.count(64); g*n > gen*lanes {
			gen, lanes = g, n
		}
	}
	if gen*lanes == 0 {
		return f
	}
	if f.Generation == 0 {
		f.Generation = gen
	}
	if f.Lanes == 0 {
		f.Lanes = lanes
	}
	f.AtLeast = true
	f.From += "; at least, from the card in it"
	return f
}

// maxCards is how many cards are asked one by one for what their slots don't
// tell.
const maxCards = 16

// cards reads the devices that are in slots of which more must be known: what
// one expanded page of the chassis' devices holds, and the others one by one.
func (l *look) cards(ctx context.Context, b chassis, slots []pcieSlot) (map[path]pcieDevice, error) {
	out := map[path]pcieDevice{}
	var page struct {
		Members []json.RawMessage `json:"Members"`
	}
	if b.Devices.collection != "" {
		if err := l.try1(ctx, b.Devices.collection, &page); err != nil {
			return nil, err
		}
	}
	for _, raw := range page.Members {
		var d pcieDevice
		if at, ok := whole(raw); ok && decode(raw, &d) == nil {
			out[at.key()] = d
		}
	}
	asked := 0
	for _, s := range slots {
		if generation(s.Type) > 0 && s.Lanes.count(64) > 0 {
			continue
		}
		for _, p := range s.Links.Devices.links() {
			if _, ok := out[p.key()]; ok || asked >= maxCards {
				continue
			}
			asked++
			var d pcieDevice
			if _, err := l.get(ctx, p, &d); l.note(err) != nil {
				return nil, err
			}
			out[p.key()] = d
		}
	}
	return out, nil
}

// occupied takes the slots that cards name. Empty slots stay untold.
func (l *look) occupied(ctx context.Context) error {
	names := map[string]bool{}
	keep := func(p path, d pcieDevice) error {
		if d.Slot == nil || d.Status.absent() {
			return nil
		}
		f := d.Slot.fact(string(p))
		if f.Name != "" && names[f.Name] || f.Name == "" && f.Generation == 0 && f.Lanes == 0 {
			return nil // another card on the same riser, or one on the board
		}
		names[f.Name] = true
		if f.Generation == 0 || f.Lanes == 0 {
			f = atLeast(f, []path{p}, map[path]pcieDevice{p.key(): d})
		}
		l.out.Slots = append(l.out.Slots, f)
		return nil
	}
	for _, b := range l.chassis {
		if _, err := each(ctx, l, "", b.Devices.collection, keep); err != nil {
			return err
		}
	}
	if len(l.chassis) == 0 || l.chassis[0].Devices.collection == "" {
		if err := eachRef(ctx, l, "slots", "", l.system.PCIeDevices, keep); err != nil {
			return err
		}
	}
	if len(l.out.Slots) > 0 {
		l.partial("slots")
	}
	return nil
}

// hpeSlots reads HPE's own list of slots (HpeServerPCISlot), which older
// firmwares have in the place of PCIeSlots.
func (l *look) hpeSlots(ctx context.Context) error {
	type slot struct {
		Name       text `json:"Name"`
		Technology text `json:"Technology"` // "PCIExpressGen4"
		Lanes      text `json:"LinkLanes"`  // "x16"
	}
	_, err := each(ctx, l, "slots", l.system.OEM.HPE.Links.Slots.Path, func(p path, s slot) error {
		lanes, err := strconv.Atoi(strings.TrimPrefix(string(s.Lanes), "x"))
		if err != nil || lanes < 1 || lanes > 64 {
			lanes = 0
		}
		l.out.Slots = append(l.out.Slots, facts.Slot{Name: string(s.Name), Generation: generation(text(strings.TrimPrefix(string(s.Technology), "PCIExpress"))), Lanes: lanes, From: string(p)})
		return nil
	})
	return err
}
