package redfish_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
)

// FuzzWays feeds system, drive and boot option to what writes: nothing panics,
// all ends, and no drive is believed to hold the image unless it says so.
func FuzzWays(f *testing.F) {
	j := newJukebox(f, stale, true)
	doc := func(at string) []byte { text, _ := json.Marshal(j.docs[at]); return text }
	f.Add(doc(systemPath), doc(drive), []byte(`{"BootOptionReference":"Boot0001","DisplayName":"PXE","UefiDevicePath":"MAC(58A2E10396F2)"}`))
	f.Add([]byte(`{"Boot":{"BootOrder":["Boot0002","Boot0001"],"BootOptions":{"@odata.id":"/redfish/v1/o"}},"VirtualMedia":{"@odata.id":"/redfish/v1/v"}}`),
		[]byte(`{"MediaTypes":["CD"],"Inserted":true,"Image":"`+iso+`"}`), []byte(`{"BootOptionReference":"Boot0001","Alias":"Pxe"}`))
	f.Fuzz(func(t *testing.T, system, slot, option []byte) {
		if len(system)+len(slot)+len(option) > 4096 {
			t.Skip("more of the same")
		}
		synctest.Test(t, func(t *testing.T) {
			c := inMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					w.WriteHeader(http.StatusOK)
					return
				}
				switch at := strings.TrimSuffix(r.URL.Path, "/"); at {
				case "/redfish/v1":
					_, _ = w.Write([]byte(`{"Vendor":"Dell","Systems":{"@odata.id":"/redfish/v1/s"}}`))
				case "/redfish/v1/s", "/redfish/v1/v", "/redfish/v1/o":
					_, _ = w.Write([]byte(`{"Members":[{"@odata.id":"` + at + `/1"}]}`))
				case "/redfish/v1/s/1":
					_, _ = w.Write(system)
				case "/redfish/v1/o/1":
					_, _ = w.Write(option)
				default:
					_, _ = w.Write(slot)
				}
			}), nil)
			if err := c.InsertMedia(t.Context(), iso); err == nil && !strings.Contains(string(slot), "ipxe.iso") && !strings.Contains(strings.ToLower(string(slot)), "inserted") {
				t.Errorf("the image is believed to be in %s", slot)
			}
			_, _ = c.NetworkFirst(t.Context(), "58:a2:e1:03:96:f2")
			_ = c.SetBootOrder(t.Context(), []string{"Boot0001"})
			_ = c.SetBoot(t.Context(), redfish.VirtualMedia)
			_ = c.EjectMedia(t.Context(), iso)
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
}
