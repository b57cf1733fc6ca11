package bmc

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Paths of the resources, DSP0266 and DSP0268.
const (
	root           = "/redfish/v1"
	sessionsPath   = root + "/SessionService/Sessions"
	systemPath     = root + "/Systems/1"
	chassisPath    = root + "/Chassis/1"
	managerPath    = root + "/Managers/1"
	registryPath   = root + "/Registries/BiosAttributeRegistry"
	biosPath       = systemPath + "/Bios"
	secureBootPath = systemPath + "/SecureBoot"
	settingsPath   = biosPath + "/Settings"
	resetPath      = systemPath + "/Actions/ComputerSystem.Reset"
)

// object is a resource, ready for JSON.
type object map[string]any

func link(p string) object { return object{"@odata.id": p} }

func resource(p, kind, id, name string) object {
	return object{"@odata.id": p, "@odata.type": "#" + kind, "Id": id, "Name": name}
}

func collection(p, kind, name string, members ...string) object {
	links := make([]object, 0, len(members))
	for _, m := range members {
		links = append(links, link(m))
	}
	return object{
		"@odata.id": p, "@odata.type": "#" + kind + "." + kind, "Name": name,
		"Members": links, "Members@odata.count": len(links),
	}
}

func health(o object) object {
	o["Status"] = object{"State": "Enabled", "Health": "OK"}
	return o
}

// lookup returns the resource at a clean path.
func (c *Controller) lookup(p string) (object, bool) {
	if f, ok := c.fixed[p]; ok {
		return f(), true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case p == systemPath:
		return c.system(), true
	case p == biosPath:
		return c.biosResource(), true
	case p == settingsPath:
		return c.settingsResource(), true
	case p == sessionsPath:
		return c.sessionCollection(), true
	case p == secureBootPath:
		return c.secureBootResource(), true
	case strings.HasPrefix(p, databasesPath):
		return c.secureBootLookup(p)
	case p == cdPath:
		return c.cd(), true
	case p == tasksPath:
		return c.taskCollection(), true
	case strings.HasPrefix(p, tasksPath+"/"):
		return c.task(p)
	case strings.HasPrefix(p, sessionsPath+"/"):
		return c.sessionResource(strings.TrimPrefix(p, sessionsPath+"/"))
	}
	return nil, false
}

// get answers with a resource and its ETag (RFC 9110 section 8.8.3).
func (c *Controller) get(w http.ResponseWriter, r *http.Request, p string) {
	if p == root+"/$metadata" {
		w.Header().Set("Content-Type", "application/xml;charset=utf-8")
		_, _ = io.WriteString(w, metadata)
		return
	}
	o, ok := c.lookup(p)
	if !ok {
		fail(w, http.StatusNotFound, "Base.1.18.ResourceMissingAtURI", "the resource at the URI "+p+" was not found")
		return
	}
	c.mu.Lock()
	tag, serial := c.given(etag(o)), c.serial()
	c.mu.Unlock()
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if e := r.URL.Query().Get("$expand"); e != "" && !c.kind.habits.flat {
		c.expand(o)
	}
	o = c.kind.own(p, o, serial)
	if _, ok := o["@odata.type"]; ok && strings.HasPrefix(p, root+"/") {
		o["@odata.etag"] = tag
	}
	reply(w, http.StatusOK, c.kind.spoken(o))
}

// expand puts the members in the place of their links, one level deep
// (DSP0266, "The $expand query parameter").
func (c *Controller) expand(o object) {
	links, ok := o["Members"].([]object)
	if !ok {
		return
	}
	full := make([]object, 0, len(links))
	for _, l := range links {
		p, _ := l["@odata.id"].(string)
		if m, ok := c.lookup(p); ok {
			c.mu.Lock()
			serial := c.serial()
			c.mu.Unlock()
			l = c.kind.own(p, m, serial)
		}
		full = append(full, l)
	}
	o["Members"] = full
}

func etag(o object) string {
	b, err := json.Marshal(o)
	if err != nil {
		return `""`
	}
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// fail answers with a Redfish error (DSP0266, "Error responses").
func fail(w http.ResponseWriter, status int, id, message string) {
	reply(w, status, object{"error": object{
		"code": id, "message": message,
		"@Message.ExtendedInfo": []object{info(id, message)},
	}})
}

func info(id, message string) object {
	severity := "Critical"
	if strings.HasSuffix(id, ".Success") || strings.HasSuffix(id, "SettingsApplied") {
		severity = "OK"
	}
	return object{"@odata.type": "#Message.v1_2_0.Message", "MessageId": id, "Message": message, "MessageSeverity": severity, "Severity": severity}
}

// decode reads a JSON body; it answers and returns false when it can't.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		fail(w, http.StatusBadRequest, "Base.1.18.MalformedJSON", "the request body is not valid JSON: "+err.Error())
		return false
	}
	return true
}

const metadata = `<?xml version="1.0" encoding="UTF-8"?>
<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">
  <edmx:DataServices>
    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">
      <EntityContainer Name="Service" Extends="ServiceRoot.v1_16_0.ServiceContainer"/>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>
`
