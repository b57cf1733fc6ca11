package redfish

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Certificate returns the certificate that the controller at a URL
// ("https://10.17.1.11") shows, without trusting it: there is a TLS handshake,
// within 10 s, and nothing is sent through it. The host is for messages.
func Certificate(ctx context.Context, host, at string) (*x509.Certificate, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, &Error{Host: host, Err: errors.New(at + " has no TLS, and no certificate")}
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(outer, 10*time.Second)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = "443"
	}
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} // a person decides
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil && ctx.Err() != nil && outer.Err() == nil {
		err = fmt.Errorf("%s did not shake hands by TLS within 10s", u.Host)
	}
	if err != nil {
		return nil, &Error{Host: host, Err: err, Hint: hintUnreachable}
	}
	defer c.Close()
	shown := c.(*tls.Conn).ConnectionState().PeerCertificates
	if len(shown) == 0 {
		return nil, &Error{Host: host, Err: errors.New("the BMC shows no certificate")}
	}
	return shown[0], nil
}

// Fingerprint returns "sha256:<hex>" of a certificate, as inventories have it.
func Fingerprint(cert *x509.Certificate) string { return fingerprintOf(cert) }
