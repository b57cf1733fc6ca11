package bmc

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
)

// SecureBoot is what a machine's firmware knows of Secure Boot. The databases
// are values of the UEFI variables PK, KEK and db (UEFI 2.10, 32.4.1).
type SecureBoot struct {
	Enabled     bool
	PK, KEK, DB []byte
	Fixed       bool // the controller shows all that and changes none of it
}

// databases are those that are offered, DSP0268 SecureBootDatabase.DatabaseId.
func databases() []string { return []string{"PK", "KEK", "db"} }

// secure is the state of Secure Boot: what is set, which POST brings in force,
// and what is in force. It is guarded by Controller.mu.
type secure struct {
	set     SecureBoot
	inForce bool
}

func (s *SecureBoot) database(id string) *[]byte {
	return map[string]*[]byte{"PK": &s.PK, "KEK": &s.KEK, "db": &s.DB}[id]
}

const databasesPath = secureBootPath + "/SecureBootDatabases"

// secureBootResource is DSP0268 SecureBoot. c.mu is held.
func (c *Controller) secureBootResource() object {
	o := resource(secureBootPath, "SecureBoot.v1_1_2.SecureBoot", "SecureBoot", "UEFI Secure Boot")
	o["SecureBootEnable"], o["SecureBootCurrentBoot"], o["SecureBootMode"] = false, Disabled, "UserMode"
	if c.secure == nil {
		return o
	}
	o["SecureBootEnable"] = c.secure.set.Enabled
	if c.secure.inForce {
		o["SecureBootCurrentBoot"] = Enabled
	}
	if len(c.secure.set.PK) == 0 {
		o["SecureBootMode"] = "SetupMode"
	}
	o["SecureBootDatabases"] = link(databasesPath)
	return o
}

// secureBootLookup answers below SecureBoot. c.mu is held.
func (c *Controller) secureBootLookup(p string) (object, bool) {
	rest, below := strings.CutPrefix(p, databasesPath)
	if c.secure == nil || !below {
		return nil, false
	}
	if rest == "" {
		var all []string
		for _, id := range databases() {
			all = append(all, databasesPath+"/"+id)
		}
		return collection(p, "SecureBootDatabaseCollection", "UEFI Secure Boot Databases", all...), true
	}
	parts := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	value := c.secure.set.database(parts[0])
	if value == nil || len(parts) > 3 || len(parts) > 1 && parts[1] != "Certificates" {
		return nil, false
	}
	at := databasesPath + "/" + parts[0]
	list, err := secureboot.ReadList(*value)
	if err != nil {
		return nil, false
	}
	switch len(parts) {
	case 1:
		o := resource(at, "SecureBootDatabase.v1_0_2.SecureBootDatabase", parts[0], parts[0]+" database")
		o["DatabaseId"], o["Certificates"] = parts[0], link(at+"/Certificates")
		return o, true
	case 2:
		var all []string
		for i := range list.Certificates {
			all = append(all, at+"/Certificates/"+strconv.Itoa(i+1))
		}
		return collection(p, "CertificateCollection", "Certificates of "+parts[0], all...), true
	}
	n, err := strconv.Atoi(parts[2])
	if err != nil || n < 1 || n > len(list.Certificates) {
		return nil, false
	}
	return certificateResource(p, parts[2], list.Certificates[n-1]), true
}

// certificateResource is DSP0268 Certificate.
func certificateResource(p, id string, cert *x509.Certificate) object {
	o := resource(p, "Certificate.v1_8_0.Certificate", id, "Certificate")
	o["CertificateString"], o["CertificateType"] = string(secureboot.PEM(cert)), "PEM"
	o["Subject"], o["Issuer"] = object{"CommonName": cert.Subject.CommonName}, object{"CommonName": cert.Issuer.CommonName}
	o["SerialNumber"] = cert.SerialNumber.Text(16)
	return o
}

// patchSecureBoot takes the switch; POST brings it in force. DSP0268: "Enabling
// UEFI Secure Boot takes effect on next boot."
func (c *Controller) patchSecureBoot(w http.ResponseWriter, r *http.Request) {
	var in map[string]any
	if !decode(w, r, &in) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	on, ok := in["SecureBootEnable"].(bool)
	switch {
	case c.secure == nil || c.secure.set.Fixed:
		fail(w, http.StatusMethodNotAllowed, "Base.1.18.OperationNotAllowed", "Secure Boot is set up in the firmware's own menus")
	case !ok || len(in) != 1:
		fail(w, http.StatusBadRequest, "Base.1.18.PropertyNotWritable", "only SecureBootEnable can be written on this resource")
	case on && len(c.secure.set.PK) == 0:
		fail(w, http.StatusBadRequest, "Base.1.18.PropertyValueConflict", "Secure Boot can't be enabled in setup mode: there is no platform key")
	default:
		c.secure.set.Enabled = on
		reply(w, http.StatusOK, object{"@Message.ExtendedInfo": []object{info("Base.1.18.ResetRequired", "a reset is needed for the change to take effect")}})
	}
}

// addCertificate puts a certificate into a database (POST to its collection).
func (c *Controller) addCertificate(w http.ResponseWriter, r *http.Request, p string) {
	var in struct{ CertificateString, CertificateType, UefiSignatureOwner string }
	if !decode(w, r, &in) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := strings.TrimSuffix(strings.TrimPrefix(p, databasesPath+"/"), "/Certificates")
	if c.secure == nil || c.secure.set.database(id) == nil {
		fail(w, http.StatusNotFound, "Base.1.18.ResourceMissingAtURI", "the resource at the URI "+p+" was not found")
		return
	}
	block, _ := pem.Decode([]byte(in.CertificateString))
	switch {
	case c.secure.set.Fixed:
		fail(w, http.StatusMethodNotAllowed, "Base.1.18.OperationNotAllowed", "keys are set up in the firmware's own menus")
		return
	case in.CertificateType != "PEM" || block == nil:
		fail(w, http.StatusBadRequest, "Base.1.18.PropertyValueFormatError", "CertificateString is no PEM, or CertificateType doesn't say so")
		return
	case id == "PK" && len(c.secure.set.PK) > 0:
		fail(w, http.StatusBadRequest, "Base.1.18.CreateLimitReachedForResource", "PK holds one certificate and has one")
		return
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		fail(w, http.StatusBadRequest, "Base.1.18.PropertyValueFormatError", err.Error())
		return
	}
	value := c.secure.set.database(id)
	*value = append(slices.Clone(*value), secureboot.List(cert)...)
	list, err := secureboot.ReadList(*value)
	if err != nil {
		fail(w, http.StatusInternalServerError, "Base.1.18.InternalError", err.Error())
		return
	}
	at := fmt.Sprintf("%s/%d", p, len(list.Certificates))
	w.Header().Set("Location", at)
	reply(w, http.StatusCreated, certificateResource(at, strconv.Itoa(len(list.Certificates)), cert))
}

// secureBoot is what a boot begins with: what was set is in force from now on.
// c.mu is held.
func (c *Controller) secureBoot() *SecureBoot {
	if c.secure == nil {
		return nil
	}
	c.secure.inForce = c.secure.set.Enabled && len(c.secure.set.PK) > 0
	now := c.secure.set
	return &now
}
