package cluster

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
)

// vipAnswers asks as anybody could: with no client certificate, and over a new
// connection, as the address may have moved since the last one.
func (c *Client) vipAnswers(ctx context.Context, vip netip.Addr) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			RootCAs:    pool(c.ca),
			ServerName: c.want.Kubernetes.Endpoint.Host,
			MinVersion: tls.VersionTLS12,
		},
	}
	at := netip.AddrPortFrom(vip, c.want.Kubernetes.Endpoint.Port)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+at.String()+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
