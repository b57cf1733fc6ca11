package redfish_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
)

const (
	iso   = "http://10.17.0.1:8080/boot/52-54-00-17-00-11/ipxe.iso"
	stale = "http://10.0.0.9/old.iso"
	mgr   = "/redfish/v1/Managers/1"
	drive = mgr + "/VirtualMedia/2"
)

// jukebox is a controller with a floppy and a CD drive. Its faults are those of
// section A9 of what users of the peers complain about.
type jukebox struct {
	*shelf
	deaf      bool                             // says that it inserted, and did not
	stuck     bool                             // says that it ejected, and still shows the image
	lose      bool                             // does what it is asked and loses the answer
	refuse    func(body map[string]any) string // body of a 400
	inserted  []string                         // bodies
	ejections int
}

func newJukebox(t testing.TB, holds string, actions bool) *jukebox {
	j := &jukebox{shelf: readShelf(t, "idrac-5-gap")}
	j.docs["/redfish/v1"]["Vendor"] = "Nobody"
	j.docs[mgr]["VirtualMedia"] = map[string]any{"@odata.id": mgr + "/VirtualMedia"}
	j.docs[mgr+"/VirtualMedia"] = map[string]any{"Members": []any{map[string]any{"@odata.id": mgr + "/VirtualMedia/1"}, map[string]any{"@odata.id": drive}}}
	j.docs[mgr+"/VirtualMedia/1"] = map[string]any{"@odata.id": mgr + "/VirtualMedia/1", "MediaTypes": []any{"Floppy", "USBStick"}, "Inserted": false}
	j.docs[drive] = map[string]any{"@odata.id": drive, "MediaTypes": []any{"DVD"}, "Inserted": holds != "", "Image": holds}
	if actions {
		j.docs[drive]["Actions"] = map[string]any{
			"#VirtualMedia.InsertMedia": map[string]any{"target": drive + "/Actions/VirtualMedia.InsertMedia"},
			"#VirtualMedia.EjectMedia":  map[string]any{"target": drive + "/Actions/VirtualMedia.EjectMedia"},
		}
	}
	return j
}

func (j *jukebox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := r.URL.Path
	if r.Method != http.MethodPost || !strings.Contains(at, "/Actions/VirtualMedia.") {
		j.shelf.ServeHTTP(w, r)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	if strings.HasSuffix(at, "InsertMedia") {
		text, _ := json.Marshal(body)
		j.inserted = append(j.inserted, string(text))
		if j.refuse != nil {
			if words := j.refuse(body); words != "" {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(words))
				return
			}
		}
		if !j.deaf {
			merge(j.docs[drive], map[string]any{"Inserted": true, "Image": body["Image"]})
		}
	} else {
		j.ejections++
		if !j.stuck {
			merge(j.docs[drive], map[string]any{"Inserted": false, "Image": nil})
		}
	}
	if j.lose {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(`{"@Message.ExtendedInfo":[{"MessageId":"Base.1.8.Success","Message":"200 operation completed"}]}`))
}

func TestMedia(t *testing.T) {
	for name, actions := range map[string]bool{"by action": true, "by PATCH": false} {
		t.Run(name, func(t *testing.T) {
			j := newJukebox(t, stale, actions)
			c, seen := open(t, j, nil)
			if err := c.InsertMedia(t.Context(), iso); err != nil {
				t.Fatal(err)
			}
			if d := j.docs[drive]; d["Image"] != iso || d["Inserted"] != true || actions && j.ejections != 1 {
				t.Errorf("drive %v, %d ejections", d, j.ejections)
			}
			if err := c.SetBoot(t.Context(), redfish.VirtualMedia); err != nil || j.bootOf()["BootSourceOverrideTarget"] != "Cd" || j.bootOf()["BootSourceOverrideMode"] != "UEFI" {
				t.Error(err, j.bootOf())
			}
			writes := seen.writes()
			if err := c.EjectMedia(t.Context(), stale); err != nil || seen.writes() != writes {
				t.Errorf("an image that isn't there was ejected: %v", err)
			}
			if err := c.EjectMedia(t.Context(), iso); err != nil || j.docs[drive]["Inserted"] != false {
				t.Error(err, j.docs[drive])
			}
		})
	}
}

// TestMediaLies: what a controller says of a medium is read back, and what it
// can't do is told in words of its own.
func TestMediaLies(t *testing.T) {
	for name, c := range map[string]struct {
		change func(j *jukebox)
		url    string
		kind   error
		want   string
	}{
		"says inserted and is not": {func(j *jukebox) { j.deaf = true }, iso, redfish.ErrNotKept,
			"waited 50ms for the image to be inserted; last seen: " + drive + " is empty"},
		"still inserted after the eject": {func(j *jukebox) { j.stuck = true; j.docs[drive]["Inserted"], j.docs[drive]["Image"] = true, stale }, iso, redfish.ErrNotKept,
			`for "` + stale + `" to be ejected; last seen: ` + drive + ` holds "` + stale + `"`},
		"no licence": {func(j *jukebox) {
			j.refuse = func(map[string]any) string {
				return `{"error":{"@Message.ExtendedInfo":[{"MessageId":"iLO.2.14.LicenseKeyRequired","Message":"a key"}]}}`
			}
		}, iso, redfish.ErrLicense, "virtual media by URL needs a licence; put the licence"},
		"no drive":         {func(j *jukebox) { j.docs[drive]["MediaTypes"] = []any{"Floppy"} }, iso, redfish.ErrUnsupported, "no virtual CD or DVD drive"},
		"URL with a query": {func(*jukebox) {}, iso + "?a=1&b=2", nil, "the URL of an image should be plain"},
		"URL with a login": {func(*jukebox) {}, "http://u:p@10.17.0.1/ipxe.iso", nil, "the URL of an image should be plain"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJukebox(t, "", true)
			c.change(j)
			client, _ := open(t, j, func(cfg *redfish.Config) { cfg.MediaTimeout = 50 * time.Millisecond })
			err := client.InsertMedia(t.Context(), c.url)
			if err == nil || !strings.Contains(err.Error(), c.want) || c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
			if c.kind == nil && len(j.inserted) != 0 {
				t.Errorf("sent %v", j.inserted)
			}
		})
	}
}

// TestMediaBodies: the short body goes first, since some refuse more; the whole
// one where something is missed. An answer that is lost is settled by a look.
func TestMediaBodies(t *testing.T) {
	short := `{"Image":"` + iso + `"}`
	for name, c := range map[string]struct {
		lose   bool
		refuse func(map[string]any) string
		want   int
	}{
		"plain": {false, nil, 1},
		"wants all": {false, func(b map[string]any) string {
			if b["TransferProtocolType"] == "HTTP" {
				return ""
			}
			return `{"error":{"@Message.ExtendedInfo":[{"MessageId":"Base.1.8.ActionParameterMissing","MessageArgs":["TransferProtocolType"]}]}}`
		}, 2},
		"answer lost": {true, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJukebox(t, "", true)
			j.refuse, j.lose = c.refuse, c.lose
			client, _ := open(t, j, nil)
			if err := client.InsertMedia(t.Context(), iso); err != nil || len(j.inserted) != c.want || j.inserted[0] != short {
				t.Errorf("%v, sent %v", err, j.inserted)
			}
		})
	}
}

// library is a boot order with options as three vendors write them.
func library(t *testing.T, pending bool) *shelf {
	const system = "/redfish/v1/Systems/1"
	r := readShelf(t, "asrockrack-whole-boot")
	boot := r.bootOf()
	boot["BootOptions"] = map[string]any{"@odata.id": system + "/BootOptions"}
	var order, members []any
	for _, o := range []struct{ ref, name, device string }{
		{"Boot0001", "Unavailable: PXE", ""}, {"Boot0002", "debian", `HD(1,GPT,83AA)/\EFI\debian\shimx64.efi`},
		{"Boot0003", "Slot 2 Port 1 : Nvidia Network Adapter - 58:A2:E1:03:96:F2 (PXE IPv6)", "Pci(0x0,0x0)/MAC(58A2E10396F2,0x1)/IPv6(0000:0000)"},
		{"Boot0004", "(B220/D0/F0) UEFI PXE IPv4 Intel(R) Ethernet Controller X550 - 7CC255793F8E", ""},
		{"Boot0005", "Slot 2 Port 1", "Pci(0x0,0x0)/MAC(58A2E10396F2,0x1)/IPv4(0.0.0.0)/Uri()"},
	} {
		at := system + "/BootOptions/" + o.ref
		r.docs[at] = map[string]any{"@odata.id": at, "BootOptionReference": o.ref, "DisplayName": o.name, "UefiDevicePath": o.device}
		order, members = append(order, o.ref), append(members, map[string]any{"@odata.id": at})
	}
	r.docs[system+"/BootOptions"] = map[string]any{"Members": members}
	boot["BootOrder"] = order
	if pending { // as the recorded Lenovo SR670 V2: the order is pending there, the override is not
		r.docs[system]["@Redfish.Settings"] = map[string]any{"SettingsObject": map[string]any{"@odata.id": system + "/Pending"}}
		r.docs[system+"/Pending"] = map[string]any{"Boot": map[string]any{"BootOrder": order}}
	}
	return r
}

// TestBootOrder: the options of the boot NIC go first, are read back, and the
// order that was is put back; nothing is written that stands already.
func TestBootOrder(t *testing.T) {
	for name, c := range map[string]struct {
		mac     string
		pending bool
		want    string
	}{
		"by device path": {"58:a2:e1:03:96:f2", false, "Boot0005 Boot0001 Boot0002 Boot0003 Boot0004"},
		"by name":        {"7c:c2:55:79:3f:8e", false, "Boot0004 Boot0001 Boot0002 Boot0003 Boot0005"},
		"by words":       {"52:54:00:17:00:11", true, "Boot0004 Boot0005 Boot0001 Boot0002 Boot0003"},
	} {
		t.Run(name, func(t *testing.T) {
			r := library(t, c.pending)
			at := "/redfish/v1/Systems/1"
			if c.pending {
				at += "/Pending"
			}
			order := func() string {
				var out []string
				for _, o := range r.docs[at]["Boot"].(map[string]any)["BootOrder"].([]any) {
					out = append(out, o.(string))
				}
				return strings.Join(out, " ")
			}
			before := order()
			client, seen := open(t, r, nil)
			was, err := client.NetworkFirst(t.Context(), c.mac)
			if err != nil || order() != c.want || strings.Join(was, " ") != before || len(r.wrote) != 1 || !strings.HasPrefix(r.wrote[0], at+" ") {
				t.Fatalf("order %s, was %v, wrote %v: %v", order(), was, r.wrote, err)
			}
			if again, err := client.NetworkFirst(t.Context(), c.mac); err != nil || again != nil || seen.writes() != 1 {
				t.Errorf("written again: %v %v", again, err)
			}
			for range 2 {
				if err := client.SetBootOrder(t.Context(), was); err != nil || order() != before || seen.writes() != 2 {
					t.Errorf("put back: %s, %v, %d writes", order(), err, seen.writes())
				}
			}
		})
	}
}

// TestBootOrderLies: an order that is taken and not kept, and a controller that
// has none.
func TestBootOrderLies(t *testing.T) {
	r := library(t, false)
	r.rule = func(_ string, change, _ map[string]any) string { delete(change, "Boot"); return "" }
	c, _ := open(t, r, nil)
	if _, err := c.NetworkFirst(t.Context(), ""); !errors.Is(err, redfish.ErrNotKept) || !strings.Contains(err.Error(), "the boot order is read back as Boot0001") {
		t.Error(err)
	}
	r.rule = func(string, map[string]any, map[string]any) string { return "Base.1.8.PropertyNotWritable" }
	if _, err := c.NetworkFirst(t.Context(), ""); !errors.Is(err, redfish.ErrUnsupported) {
		t.Error(err)
	}
	boot := r.bootOf()
	boot["BootOrder"] = []any{"Boot0002"}
	if _, err := c.NetworkFirst(t.Context(), ""); !errors.Is(err, redfish.ErrUnsupported) || !strings.Contains(err.Error(), "no option of the boot order is for the network") {
		t.Error(err)
	}
	delete(boot, "BootOrder")
	if _, err := c.NetworkFirst(t.Context(), ""); !errors.Is(err, redfish.ErrUnsupported) || !strings.Contains(err.Error(), "tells of no boot order") {
		t.Error(err)
	}
}
