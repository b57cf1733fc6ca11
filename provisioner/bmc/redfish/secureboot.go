package redfish

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

// secureBootState is the resource SecureBoot (DSP0268).
type secureBootState struct {
	Current   text `json:"SecureBootCurrentBoot"` // in force since the last start
	Enable    flag `json:"SecureBootEnable"`      // from the next start on
	Mode      text `json:"SecureBootMode"`        // "SetupMode": there is no PK
	Databases link `json:"SecureBootDatabases"`
}

func (s secureBootState) setup() bool { return s.Mode == "SetupMode" }

// inForce tells whether Secure Boot is in force. What is enabled comes in
// force at the next start only, so that is no proof by itself; what is not
// enabled is off.
func (s secureBootState) inForce() (on, known bool) {
	on = s.Current == "Enabled"
	return on, on || s.Current == "Disabled" || s.Current == "" && s.Enable.known && !s.Enable.value
}

// secureBoot tells whether Secure Boot is in force, and by which keys where
// those were asked for.
func (l *look) secureBoot(ctx context.Context) error {
	at := l.system.SecureBoot.Path
	if at == "" {
		return nil
	}
	var s secureBootState
	if _, err := l.get(ctx, at, &s); err != nil {
		if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusNotFound {
			return nil // named by controllers of machines that start by BIOS
		}
		return err
	}
	if on, known := s.inForce(); known {
		l.out.SecureBoot = &on
		l.from("secureBoot", string(at))
	}
	if !l.cfg.Keys {
		return nil
	}
	keys := &facts.Keys{Setup: s.setup(), Offered: s.Databases.Path != ""}
	if s.Enable.known {
		keys.Enabled = &s.Enable.value
	}
	l.out.Keys = keys
	if !keys.Offered {
		return nil
	}
	found, _, err := l.database(ctx, s, "db")
	if err != nil {
		return err
	}
	keys.DB = []string{}
	for _, c := range found {
		keys.DB = append(keys.DB, secureboot.Fingerprint(c))
	}
	return nil
}

// database reads the certificates of one database; at is where more can be
// posted. A certificate that can't be read is left out.
func (c *Client) database(ctx context.Context, s secureBootState, id string) (found []*x509.Certificate, at path, err error) {
	err = c.members(ctx, s.Databases.Path, func(p path, raw []byte, failed error) error {
		if failed != nil {
			return failed
		}
		var d struct {
			ID           text `json:"DatabaseId"`
			Name         text `json:"Id"`
			Certificates link `json:"Certificates"`
		}
		if err := decode(raw, &d); err != nil {
			return c.fail(http.MethodGet, string(p), err)
		}
		if string(d.ID) == id || d.ID == "" && strings.EqualFold(string(d.Name), id) {
			at = d.Certificates.Path
		}
		return nil
	})
	if err != nil || at == "" {
		return nil, at, err
	}
	err = c.members(ctx, at, func(p path, raw []byte, failed error) error {
		if failed != nil {
			return failed
		}
		var one struct {
			Text text `json:"CertificateString"`
		}
		if err := decode(raw, &one); err != nil {
			return c.fail(http.MethodGet, string(p), err)
		}
		if cert, err := secureboot.ParseCertificate([]byte(one.Text)); err == nil {
			found = append(found, cert)
		}
		return nil
	})
	return found, at, err
}

// BootKeys are the certificates that firmware is to know. PK and KEK are
// brought into firmware that has no PK, and may be nil.
type BootKeys struct{ DB, KEK, PK *x509.Certificate }

// EnrollKeys brings the certificate into db beside those that are there, and
// switches Secure Boot on; what holds already is left alone. Firmware without a
// platform key (setup mode) is given KEK and, last of all, PK, which ends that
// mode (UEFI 2.10, 32.3). All is read back. It comes in force at the next start.
//
// errors.Is(err, ErrUnsupported) says that the controller doesn't offer it,
// ErrNotKept that it said yes and shows no change.
func (c *Client) EnrollKeys(ctx context.Context, k BootKeys) error {
	done, err := c.speak(ctx)
	if err != nil {
		return err
	}
	defer done()
	at, s, err := c.secureBootAt(ctx)
	if err != nil {
		return err
	}
	if s.Databases.Path == "" {
		return c.fail(http.MethodGet, string(at), because(ErrUnsupported, "the BMC shows no databases of keys"))
	}
	if s.setup() && (k.PK == nil || k.KEK == nil) {
		return c.fail(http.MethodGet, string(at), errors.New("the firmware has no platform key (setup mode), and none is named to give it"))
	}
	wanted := []struct {
		id   string
		cert *x509.Certificate
	}{{"db", k.DB}}
	if s.setup() {
		wanted = append(wanted, wanted[0], wanted[0])
		wanted[1].id, wanted[1].cert = "KEK", k.KEK
		wanted[2].id, wanted[2].cert = "PK", k.PK
	}
	for _, w := range wanted {
		if err := c.enroll(ctx, s, w.id, w.cert); err != nil {
			return err
		}
	}
	return c.enable(ctx, at)
}

// SecureBoot tells whether Secure Boot is in force, and in the controller's words.
func (c *Client) SecureBoot(ctx context.Context) (on bool, said string, err error) {
	done, err := c.speak(ctx)
	if err != nil {
		return false, "", err
	}
	defer done()
	_, s, err := c.secureBootAt(ctx)
	on, _ = s.inForce()
	return on, fmt.Sprintf("SecureBootCurrentBoot is %q, SecureBootMode is %q", s.Current, s.Mode), err
}

func (c *Client) secureBootAt(ctx context.Context) (path, secureBootState, error) {
	var s secureBootState
	system, _, err := c.read(ctx)
	if err != nil {
		return "", s, err
	}
	at := system.SecureBoot.Path
	if at == "" {
		return "", s, c.fail(http.MethodGet, string(system.Path), because(ErrUnsupported, "the BMC tells nothing of Secure Boot"))
	}
	_, err = c.get(ctx, at, &s)
	return at, s, err
}

// enroll adds a certificate to one database, where it isn't there yet.
func (c *Client) enroll(ctx context.Context, s secureBootState, id string, cert *x509.Certificate) error {
	has := func() (bool, path, error) {
		found, at, err := c.database(ctx, s, id)
		for _, f := range found {
			if f.Equal(cert) {
				return true, at, err
			}
		}
		return false, at, err
	}
	there, at, err := has()
	if there || err != nil {
		return err
	}
	if at == "" {
		return c.fail(http.MethodGet, string(s.Databases.Path), because(ErrUnsupported, "the BMC shows no certificates of %s", id))
	}
	err = c.post(ctx, at, map[string]any{"CertificateString": string(secureboot.PEM(cert)), "CertificateType": "PEM"})
	if err != nil && !errors.Is(err, errLost) {
		return notOffered(err)
	}
	if there, _, err = has(); err == nil && !there {
		err = c.fail(http.MethodPost, string(at), because(ErrNotKept, "the certificate is not in %s", id))
	}
	return err
}

// enable switches Secure Boot on for the next start.
func (c *Client) enable(ctx context.Context, at path) error {
	var s secureBootState
	etag, err := c.get(ctx, at, &s)
	if err != nil || s.Enable.value {
		return err
	}
	if err := c.patch(ctx, at, etag, map[string]any{"SecureBootEnable": true}); err != nil && !errors.Is(err, errLost) {
		return notOffered(err)
	}
	if _, err = c.get(ctx, at, &s); err == nil && !s.Enable.value {
		err = c.fail(http.MethodPatch, string(at), because(ErrNotKept, "SecureBootEnable is still false"))
	}
	return err
}

// notOffered marks the refusals of a controller that shows keys and takes none.
func notOffered(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != http.StatusMethodNotAllowed && e.Status != http.StatusNotImplemented {
		return err
	}
	marked := *e
	marked.Err = because(ErrUnsupported, "the BMC doesn't take it")
	marked.Hint = "bring the certificate into db in the firmware's own menus, switch Secure Boot on there, and write enroll: false below spec.secureBoot"
	return &marked
}
