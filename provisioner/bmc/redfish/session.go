package redfish

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// login is how the client proves who it is.
type login struct {
	token   secret.Value // X-Auth-Token of the session; empty before the first request
	path    string       // of the session, to delete it
	basic   bool         // the controller has no session for us
	never   bool         // the controller refuses basic authentication
	refused int          // answers 401 in a row
}

// maxRefused is the number of 401 after which nothing more is sent. Accounts
// are locked after three to six.
const maxRefused = 2

// authorize adds the proof to a request. The service root and the session
// collection need none.
func (c *Client) authorize(r *http.Request) {
	switch {
	case !c.login.token.Empty():
		r.Header.Set("X-Auth-Token", c.login.token.Reveal())
	case c.login.basic, c.looks(r.Method) && r.URL.Path != rootPath+"/":
		r.SetBasicAuth(c.cfg.Username, c.cfg.Password.Reveal())
	}
}

// looks reports whether a request only looks, before anything was changed:
// such ones prove themselves by basic authentication, so that a look opens no
// session, writes nothing and leaves nothing behind. The session comes with
// the first change, or where basic authentication is refused.
func (c *Client) looks(method string) bool {
	return method == http.MethodGet && c.login.token.Empty() && !c.login.never
}

// exchange sends one request as the logged-in user. A session that the
// controller forgot is opened anew, once.
func (c *Client) exchange(ctx context.Context, method, path string, header http.Header, body []byte) (answer, error) {
	if c.looks(method) && c.login.refused < maxRefused {
		a, err := c.try(ctx, method, path, header, body)
		if err != nil || a.status != http.StatusUnauthorized {
			return a, err
		}
		c.login.refused++
		c.login.never = true
	}
	if err := c.open(ctx); err != nil {
		return answer{}, err
	}
	a, err := c.try(ctx, method, path, header, body)
	if err != nil {
		return a, err
	}
	if a.status != http.StatusUnauthorized {
		c.login.refused = 0
		return a, nil
	}
	c.login.refused++
	if c.login.basic || c.login.refused >= maxRefused {
		return a, nil
	}
	c.login.token, c.login.path = secret.Value{}, ""
	if err := c.open(ctx); err != nil {
		return answer{}, err
	}
	a, err = c.try(ctx, method, path, header, body)
	if err == nil && a.status == http.StatusUnauthorized {
		c.login.refused++
	} else if err == nil {
		c.login.refused = 0
	}
	return a, err
}

// open makes the session before the first change (DSP0266, "Redfish session
// login authentication"), or falls back to basic authentication.
func (c *Client) open(ctx context.Context) error {
	if c.login.refused >= maxRefused {
		return &Error{Host: c.cfg.Host, Err: errors.New("the BMC refused user and password twice"), Hint: hintCredentials}
	}
	if !c.login.token.Empty() || c.login.basic {
		return nil
	}
	path, err := c.sessions(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"UserName": c.cfg.Username, "Password": c.cfg.Password.Reveal()})
	if err != nil {
		return c.fail(http.MethodPost, path, err)
	}
	if err := ctx.Err(); err != nil {
		return c.fail(http.MethodPost, path, err)
	}
	whole, cancel := linger(ctx, loginGrace)
	defer cancel()
	a, err := c.try(whole, http.MethodPost, path, nil, body)
	if err != nil {
		return err
	}
	token := a.header.Get("X-Auth-Token")
	switch {
	case a.ok() && token != "":
		c.login.token, c.login.path = secret.New(token), sessionPath(a)
		return nil
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		c.login.refused++
		e := c.refusal(http.MethodPost, path, a)
		e.Hint = "correct the credentials that the inventory refers to"
		return e
	case taken(a) && c.login.never: // without a session there is no way in
		e := c.refusal(http.MethodPost, path, a)
		e.Hint = "others hold all sessions of the BMC, and without one it refused the credentials: wait until they end, or end them there, then run again"
		return e
	case a.ok() || noSession(a):
		c.login.basic = true
		return nil
	}
	return c.refusal(http.MethodPost, path, a)
}

// loginGrace is how long a login that was begun may outlive the run.
const loginGrace = 5 * time.Second

// linger returns a context that ends grace after ctx does. A login that is cut
// in the middle leaves a session of which only the controller knows the path,
// and nobody can end it.
func linger(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() { stop(); cancel() }
}

// noSession reports whether the controller has no session to give: all are
// taken, or it has no sessions.
func noSession(a answer) bool {
	switch a.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return taken(a)
}

// taken reports whether all sessions of the controller are taken: often 503,
// on some controllers 400 with words.
func taken(a answer) bool {
	switch a.status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return true
	}
	words := strings.ToLower(string(a.body))
	return strings.Contains(words, "session") && (strings.Contains(words, "limit") || strings.Contains(words, "maximum") || strings.Contains(words, "exceed"))
}

// sessions returns the path of the session collection.
func (c *Client) sessions(ctx context.Context) (string, error) {
	root, err := c.service(ctx)
	if err != nil {
		return "", err
	}
	for _, l := range []link{root.Links.Sessions, root.SessionService.join("/Sessions")} {
		if l.Path != "" {
			return string(l.Path), nil
		}
	}
	return rootPath + "/SessionService/Sessions", nil
}

// sessionPath returns where the new session lives. Location may be absolute.
func sessionPath(a answer) string {
	if u, err := url.Parse(a.header.Get("Location")); err == nil && strings.HasPrefix(u.Path, "/") {
		return u.Path
	}
	var body link
	_ = json.Unmarshal(a.body, &body) // without a path the session ends by itself
	return string(body.Path)
}
