package ipmi

import "time"

// Rest makes the session as old as if nothing had been sent for d.
func (c *Client) Rest(d time.Duration) { c.session.used = c.session.used.Add(-d) }
