package bmc

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// sessionTimeout is how long an idle session lives. DSP0268 lets a service
// choose between 30 and 86400 seconds.
const sessionTimeout = 30 * time.Minute

type session struct {
	id    string
	token string
	used  time.Time
}

// expire drops idle sessions. c.mu is held.
func (c *Controller) expire() {
	c.sessions = slices.DeleteFunc(c.sessions, func(s session) bool { return time.Since(s.used) > sessionTimeout })
}

// authorized accepts a session token or HTTP basic authentication (DSP0266,
// "Authentication").
func (c *Controller) authorized(r *http.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	if token := r.Header.Get("X-Auth-Token"); token != "" {
		for i := range c.sessions {
			if same(c.sessions[i].token, token) {
				c.sessions[i].used = time.Now()
				return true
			}
		}
		return false
	}
	user, password, ok := r.BasicAuth()
	return ok && !c.kind.habits.noBasic && c.verify(user, password)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// login opens a session: 201 with X-Auth-Token and Location.
func (c *Controller) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ UserName, Password string }
	if !decode(w, r, &in) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	if !c.verify(in.UserName, in.Password) {
		fail(w, http.StatusUnauthorized, "Base.1.18.ResourceAtUriUnauthorized", "user name or password is wrong")
		return
	}
	if len(c.sessions) >= c.maxSessions() {
		fail(w, http.StatusServiceUnavailable, "Base.1.18.SessionLimitExceeded",
			"the number of simultaneous sessions exceeds the limit of "+strconv.Itoa(c.maxSessions()))
		return
	}
	s := session{id: strconv.Itoa(c.next), token: rand.Text(), used: time.Now()}
	c.next++
	c.sessions = append(c.sessions, s)
	w.Header().Set("X-Auth-Token", s.token)
	w.Header().Set("Location", sessionsPath+"/"+s.id)
	o, _ := c.sessionResource(s.id)
	reply(w, http.StatusCreated, o)
}

func (c *Controller) logout(w http.ResponseWriter, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.sessions)
	c.sessions = slices.DeleteFunc(c.sessions, func(s session) bool { return s.id == id })
	if len(c.sessions) == n {
		fail(w, http.StatusNotFound, "Base.1.18.ResourceMissingAtURI", "there is no session "+id)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c *Controller) sessionCollection() object {
	members := make([]string, 0, len(c.sessions))
	for _, s := range c.sessions {
		members = append(members, sessionsPath+"/"+s.id)
	}
	return collection(sessionsPath, "SessionCollection", "Sessions", members...)
}

func (c *Controller) sessionResource(id string) (object, bool) {
	if !slices.ContainsFunc(c.sessions, func(s session) bool { return s.id == id }) {
		return nil, false
	}
	o := resource(sessionsPath+"/"+id, "Session.v1_7_0.Session", id, "Session")
	o["UserName"] = c.cfg.Username
	return o, true
}
