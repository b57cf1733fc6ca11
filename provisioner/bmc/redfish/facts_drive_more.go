package redfish

import (
	"context"
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// elsewhere asks the places beside Storage where drives are told of, the
// richest first, and ends at the first that knows any.
func (l *look) elsewhere(ctx context.Context) error {
	for _, place := range []func(context.Context) error{l.smartStorage, l.chassisDrives, l.simpleStorage} {
		before := len(l.out.Drives)
		if err := place(ctx); err != nil || len(l.out.Drives) > before {
			return err
		}
	}
	return nil
}

// chassisDrives reads the drives that the chassis name.
func (l *look) chassisDrives(ctx context.Context) error {
	add := func(p path, d drive) error {
		l.addDrive(d.fact(p, ""), d.Status)
		return nil
	}
	for _, b := range l.chassis {
		if err := eachRef(ctx, l, "drives", b.at, b.Links.Drives, add); err != nil {
			return err
		}
		if _, err := each(ctx, l, "drives", b.Drives.collection, add); err != nil {
			return err
		}
	}
	return nil
}

// diskDrive is HPE's own drive (HpeSmartStorageDiskDrive), of iLO 5 and
// before, whose Storage collection is empty for Smart Array controllers.
type diskDrive struct {
	Name     text   `json:"Name"`
	Model    text   `json:"Model"`
	Serial   text   `json:"SerialNumber"`
	Media    text   `json:"MediaType"`
	Protocol text   `json:"InterfaceType"`
	MiB      number `json:"CapacityMiB"`
	GB       number `json:"CapacityGB"`
	Blocks   number `json:"CapacityLogicalBlocks"`
	Block    number `json:"BlockSizeBytes"`
	Status   state  `json:"Status"`
}

func (d diskDrive) fact(at path) facts.Drive {
	out := drive{Name: d.Name, Model: d.Model, Serial: d.Serial, Media: d.Media, Protocol: d.Protocol}.fact(at, "")
	blocks, ok := d.Blocks.within(maxBytes)
	block, known := d.Block.within(1 << 20)
	mib, told := d.MiB.within(maxBytes / (1 << 20))
	gb, round := d.GB.within(maxBytes / 1e9)
	switch {
	case ok && known && blocks*block <= maxBytes:
		out.Bytes = int64(blocks * block)
	case told:
		out.Bytes = int64(mib) << 20
	case round:
		out.Bytes = int64(gb * 1e9)
	}
	return out
}

// smartStorage reads HPE's own tree: controllers, and below each a collection
// of the drives.
func (l *look) smartStorage(ctx context.Context) error {
	at := l.system.OEM.HPE.Links.SmartStorage.Path
	if at == "" {
		return nil
	}
	type controller struct {
		Links struct {
			Drives link `json:"PhysicalDrives"`
		} `json:"Links"`
	}
	var top struct {
		Links struct {
			Arrays   link `json:"ArrayControllers"`
			Adapters link `json:"HostBusAdapters"`
		} `json:"Links"`
	}
	if _, err := l.get(ctx, at, &top); err != nil {
		return l.note(err)
	}
	for _, c := range []link{top.Links.Arrays, top.Links.Adapters} {
		_, err := each(ctx, l, "drives", c.Path, func(_ path, c controller) error {
			_, err := each(ctx, l, "drives", c.Links.Drives.Path, func(p path, d diskDrive) error {
				l.addDrive(d.fact(p), d.Status)
				return nil
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// simpleStorage reads SimpleStorage (DSP0268), which tells no serial numbers;
// backplanes are among its devices.
func (l *look) simpleStorage(ctx context.Context) error {
	type simple struct {
		Devices []struct {
			Name   text   `json:"Name"`
			Model  text   `json:"Model"`
			Bytes  number `json:"CapacityBytes"`
			Status state  `json:"Status"`
		} `json:"Devices"`
	}
	_, err := each(ctx, l, "drives", l.system.SimpleStorage.Path, func(p path, s simple) error {
		for _, d := range s.Devices {
			word := strings.ToLower(string(d.Model + d.Name))
			if _, sized := d.Bytes.within(maxBytes); d.Model == "" && !sized || slices.ContainsFunc([]string{"backplane", "enclosure", "expander"}, func(w string) bool { return strings.Contains(word, w) }) {
				continue
			}
			l.addDrive(drive{Name: d.Name, Model: d.Model, Bytes: d.Bytes}.fact(p, ""), d.Status)
		}
		return nil
	})
	return err
}
