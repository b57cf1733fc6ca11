package bmc

import (
	"net/http"
	"net/url"
	"strings"
)

// The one drive of virtual media (DSP0268 VirtualMedia).
const (
	mediaPath  = managerPath + "/VirtualMedia"
	cdPath     = mediaPath + "/CD1"
	insertPath = cdPath + "/Actions/VirtualMedia.InsertMedia"
	ejectPath  = cdPath + "/Actions/VirtualMedia.EjectMedia"
)

// TargetCd boots from the virtual CD.
const TargetCd = "Cd"

// Media returns the URL of the image in the virtual drive, empty for none.
func (c *Controller) Media() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.media
}

// cd is the resource of the drive. c.mu is held.
func (c *Controller) cd() object {
	o := resource(cdPath, "VirtualMedia.v1_6_4.VirtualMedia", "CD1", "Virtual CD")
	o["MediaTypes"], o["ConnectedVia"], o["WriteProtected"] = []string{"CD", "DVD"}, "NotConnected", true
	o["Image"], o["ImageName"], o["Inserted"] = nil, nil, false
	if c.media != "" {
		o["ConnectedVia"], o["Image"], o["Inserted"] = "URI", c.media, true
		o["ImageName"] = c.media[strings.LastIndexByte(c.media, '/')+1:]
	}
	o["Actions"] = object{
		"#VirtualMedia.InsertMedia": object{"target": insertPath, "TransferProtocolType@Redfish.AllowableValues": []string{"HTTP", "HTTPS"}},
		"#VirtualMedia.EjectMedia":  object{"target": ejectPath},
	}
	return o
}

// insert is the action InsertMedia. The image is not looked at before a host
// boots from it.
func (c *Controller) insert(w http.ResponseWriter, r *http.Request) {
	var in map[string]any
	if !decode(w, r, &in) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	image, _ := in["Image"].(string)
	u, err := url.Parse(image)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		fail(w, http.StatusBadRequest, "Base.1.18.PropertyValueFormatError", "Image is not a URL that the drive can read")
	case strings.ContainsAny(image, "?&"): // as several controllers refuse them
		fail(w, http.StatusBadRequest, "Base.1.18.PropertyValueFormatError", "Image holds a character that is not supported")
	case c.media != "":
		fail(w, http.StatusConflict, "Base.1.18.ResourceInUse", "there is an image in the drive; eject it first")
	default:
		if c.cfg.Faults.StickMedia != "empty" {
			c.media = image
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// eject is the action EjectMedia.
func (c *Controller) eject(w http.ResponseWriter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cfg.Faults.StickMedia != "inserted" {
		c.media = ""
	}
	w.WriteHeader(http.StatusNoContent)
}
