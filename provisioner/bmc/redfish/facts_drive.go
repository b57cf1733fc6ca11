package redfish

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// maxBytes is above what any drive holds: 100 PB.
const maxBytes = 1e17

// storage is a Storage resource (DSP0268): a controller and its drives.
type storage struct {
	Drives      refs `json:"Drives"`
	Controllers []struct {
		Protocols []text `json:"SupportedDeviceProtocols"`
	} `json:"StorageControllers"`
}

// protocol returns what all drives of the controller speak, when that is one.
func (s storage) protocol() text {
	if len(s.Controllers) == 1 && len(s.Controllers[0].Protocols) == 1 {
		return s.Controllers[0].Protocols[0]
	}
	return ""
}

// drive is a Drive (DSP0268).
type drive struct {
	Name        text   `json:"Name"`
	Model       text   `json:"Model"`
	Serial      text   `json:"SerialNumber"`
	Media       text   `json:"MediaType"`
	Protocol    text   `json:"Protocol"`
	Bytes       number `json:"CapacityBytes"`
	RPM         number `json:"RotationSpeedRPM"`
	Status      state  `json:"Status"`
	Identifiers []struct {
		Name   text `json:"DurableName"`
		Format text `json:"DurableNameFormat"`
	} `json:"Identifiers"`
}

// wwn returns the name by which the kernel knows the drive too.
func (d drive) wwn() string {
	for _, id := range d.Identifiers {
		if (id.Format == "NAA" || id.Format == "EUI" || id.Format == "NGUID") && id.Name != "" {
			return string(id.Name)
		}
	}
	return ""
}

// fact turns a drive into a fact. Where the media isn't told, the protocol and
// the rotation tell it: NVMe has no disks that turn.
func (d drive) fact(at path, controller text) facts.Drive {
	out := facts.Drive{Name: string(d.Name), Model: string(d.Model), Serial: string(own(d.Serial)), WWN: d.wwn(),
		Media: media(d.Media), Protocol: string(d.Protocol), From: string(at)}
	if bytes, ok := d.Bytes.within(maxBytes); ok {
		out.Bytes = int64(bytes)
	}
	if out.Protocol == "" && controller != "" {
		out.Protocol = string(controller)
		out.From += "; protocol from the controller"
	}
	if out.Protocol == "PCIe" && strings.Contains(out.Model+out.Name, "NVMe") {
		out.Protocol = "NVMe" // one vendor names what NVMe runs over
		out.From += "; protocol from the model"
	}
	_, turns := d.RPM.within(1e6)
	switch {
	case out.Media != "":
	case turns:
		out.Media = "HDD"
		out.From += "; media from the rotation"
	case strings.HasPrefix(out.Protocol, "NVMe"):
		out.Media = "SSD"
		out.From += "; media from the protocol"
	}
	return out
}

// media returns "SSD", "HDD" or "". SMR is a way to write on disks that turn.
func media(word text) string {
	switch w := strings.ToUpper(string(word)); w {
	case "SSD", "HDD":
		return w
	case "SMR":
		return "HDD"
	}
	return ""
}

// drives reads the drives below the storage controllers. Where a controller
// doesn't say what it has, or none has any, the other places are asked where
// older and smaller firmwares keep them.
func (l *look) drives(ctx context.Context) error {
	lists, untold := 0, 0
	whole, err := each(ctx, l, "drives", l.system.Storage.Path, func(at path, s storage) error {
		switch {
		case s.Drives.told:
			lists++
		case s.Drives.collection == "":
			untold++
			return nil
		}
		return l.drivesOf(ctx, at, s)
	})
	if err != nil {
		return err
	}
	if len(l.out.Drives) == 0 || untold > 0 {
		if err := l.elsewhere(ctx); err != nil {
			return err
		}
	}
	switch {
	case len(l.out.Drives) == 0 && whole && lists > 0 && untold == 0:
		l.out.Drives = []facts.Drive{}
	case untold > 0 || !whole && l.system.Storage.Path != "":
		l.partial("drives")
	}
	return nil
}

func (l *look) drivesOf(ctx context.Context, at path, s storage) error {
	add := func(p path, d drive) error {
		l.addDrive(d.fact(p, s.protocol()), d.Status)
		return nil
	}
	if s.Drives.collection != "" {
		_, err := each(ctx, l, "drives", s.Drives.collection, add)
		return err
	}
	return eachRef(ctx, l, "drives", at, s.Drives, add)
}

// addDrive takes a drive. One of which nothing is told may be an empty place.
func (l *look) addDrive(d facts.Drive, s state) {
	switch {
	case s.absent():
	case d.Model+d.Serial+d.WWN == "" && d.Bytes == 0, len(l.out.Drives) >= maxParts:
		l.partial("drives")
	default:
		l.out.Drives = append(l.out.Drives, d)
	}
}

// eachRef decodes the resources of a list of links, each once: all with one
// request where the controller expands the drives of the resource that has the
// list (holder, may be empty), or their collection, else with one for each.
func eachRef[T any](ctx context.Context, l *look, list string, holder path, r refs, use func(path, T) error) error {
	all, err := l.expanded(ctx, holder, r)
	if err != nil {
		return err
	}
	for i, raw := range all {
		if i >= maxParts {
			l.partial(list)
			return nil
		}
		err := l.member(ctx, raw, func(p path, body []byte, err error) error {
			var one T
			if err == nil {
				if err = decode(body, &one); err != nil {
					err = &partError{l.fail("GET", string(p), err)}
				}
			}
			if err != nil {
				l.partial(list)
				return l.note(err)
			}
			return use(p, one)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// expanded returns what of a list of links is still to read, with the
// resources in the place of the links where that can be had.
func (l *look) expanded(ctx context.Context, holder path, r refs) ([]json.RawMessage, error) {
	var bare []json.RawMessage
	found := map[path]json.RawMessage{}
	keep := func(all []json.RawMessage) {
		for _, raw := range all {
			if at, ok := whole(raw); ok {
				found[at.key()] = raw
			}
		}
	}
	keep(r.all)
	links := r.links()
	if holder != "" && len(links)-len(found) > 1 && !l.flat {
		var again struct {
			Drives refs `json:"Drives"`
		}
		if err := l.try1(ctx, holder, &again); err != nil {
			return nil, err
		}
		keep(again.Drives.all)
		l.flat = len(found) == 0
	}
	if len(links)-len(found) > 2 {
		if err := l.siblings(ctx, links, keep); err != nil {
			return nil, err
		}
	}
	for _, p := range links {
		if !l.once(p) {
			continue
		}
		raw, ok := found[p.key()]
		if !ok {
			raw, _ = json.Marshal(link{p}) // strings only
		}
		bare = append(bare, raw)
	}
	return bare, nil
}

// siblings reads the collection that all links are members of by their paths.
func (l *look) siblings(ctx context.Context, links []path, keep func([]json.RawMessage)) error {
	parent := func(p path) path { return p[:max(strings.LastIndex(string(p), "/"), 0)] }
	at := parent(links[0])
	if !strings.HasSuffix(string(at.key()), "/drives") || slices.ContainsFunc(links, func(p path) bool { return parent(p) != at }) {
		return nil
	}
	var page struct {
		Members []json.RawMessage `json:"Members"`
	}
	err := l.try1(ctx, at, &page)
	keep(page.Members)
	return err
}

// try1 asks for an expanded resource; a refusal is as good as an answer
// without what was hoped for.
func (l *look) try1(ctx context.Context, at path, into any) error {
	form := l.expansion()
	if form == "" || strings.ContainsAny(string(at), "?#") {
		return nil
	}
	_, err := l.get(ctx, at+path("?$expand="+form), into)
	kept := l.missing
	err = l.note(err)
	l.missing = kept
	return err
}
