package report

import (
	"fmt"
	"strings"
	"time"
)

// Certificate is the certificate that a host's controller shows.
type Certificate struct {
	Host        string // inventory node name
	URL         string
	Pinned      string // fingerprint in the inventory; empty is none
	Fingerprint string // of the certificate, "sha256:<hex>"
	Subject     string
	From, Until time.Time
	Err         error // why there is no certificate; all from Fingerprint on is empty then
}

// Certificates returns what a person compares before a pin is written: the
// certificates that are new, and both fingerprints where the pin differs.
// Those that are pinned already are counted.
func Certificates(all []Certificate, now time.Time) string {
	var b strings.Builder
	var same, fresh, changed, silent int
	for _, c := range all {
		switch {
		case c.Err != nil:
			silent++
			continue
		case c.Pinned == c.Fingerprint:
			same++
			continue
		case c.Pinned == "":
			fresh++
		default:
			changed++
		}
		fmt.Fprintf(&b, "%-12s %s  %s, valid from %s to %s%s\n", c.Host, c.URL, c.Subject, c.From.Format(time.DateOnly), c.Until.Format(time.DateOnly), validity(c, now))
		if c.Pinned == "" {
			fmt.Fprintf(&b, "%12s %s\n", "", c.Fingerprint)
			continue
		}
		fmt.Fprintf(&b, "%12s shows  %s\n%12s pinned %s\n", "", c.Fingerprint, "", c.Pinned)
	}
	fmt.Fprintf(&b, "%s: %d new, %d pinned already, %d not the pinned one, %d not reached\n", Count(len(all), "certificate"), fresh, same, changed, silent)
	return b.String()
}

func validity(c Certificate, now time.Time) string {
	switch {
	case now.After(c.Until):
		return " (EXPIRED; the pin counts, not the date)"
	case now.Before(c.From):
		return " (NOT VALID YET; the pin counts, not the date)"
	}
	return ""
}
