package oauthtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// reply is what an endpoint answers.
type reply struct {
	status int
	body   map[string]any
	lost   func() // notes that nobody got the reply; may be nil
}

// ServeHTTP answers at the paths of the endpoints: /token takes forms and JSON, /authorize redirects at once,
// for a user who always agrees.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := Endpoint(r.URL.Path)
	if at == Authorize && r.Method == http.MethodGet {
		s.redirect(w, r)
		return
	}
	if at != Token && at != Revoke && at != DeviceAuthorization {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	// net/http notices that a client has left only once the body is read, and faults have to know.
	params, err := parameters(r)
	fault := s.next(at)
	if !fault.before(w, r) {
		return
	}
	rep := refuse("invalid_request")
	if err == nil {
		rep = s.process(at, params)
	}
	if !fault.after(r) || r.Context().Err() != nil {
		s.lose(rep)
		panic(http.ErrAbortHandler) // the connection breaks
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(rep.status)
	if err := json.NewEncoder(w).Encode(rep.body); err != nil {
		s.lose(rep)
	}
}

func (s *Server) lose(rep reply) {
	if rep.lost == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rep.lost()
}

func (s *Server) redirect(w http.ResponseWriter, r *http.Request) {
	back, err := s.Consent(s.base() + r.URL.RequestURI())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, back, http.StatusFound)
}

func (s *Server) process(at Endpoint, params url.Values) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case params.Get("client_id") != ClientID:
		return reply{status: http.StatusUnauthorized, body: map[string]any{"error": "invalid_client"}}
	case at == Revoke:
		return s.revoke(params)
	case at == DeviceAuthorization:
		return s.authorizeDevice()
	}
	switch params.Get("grant_type") {
	case "authorization_code":
		return s.exchange(params)
	case "refresh_token":
		return s.refresh(params)
	case "urn:ietf:params:oauth:grant-type:device_code":
		return s.poll(params)
	}
	return refuse("unsupported_grant_type")
}

// parameters reads a form, or a JSON object of strings.
func parameters(r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	params := url.Values{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var object map[string]string
		err = json.Unmarshal(body, &object)
		for k, v := range object {
			params.Set(k, v)
		}
	} else {
		params, err = url.ParseQuery(string(body))
	}
	if id, _, ok := r.BasicAuth(); ok {
		params.Set("client_id", id)
	}
	return params, err
}

// exchange and what follows is called with the lock held.
func (s *Server) exchange(params url.Values) reply {
	var n int
	if _, err := fmt.Sscanf(params.Get("code"), "oauthtest-code-%d", &n); err != nil || n < 1 || n > len(s.codes) {
		return refuse("invalid_grant")
	}
	c := s.codes[n-1]
	switch {
	case c.family != 0:
		s.counts.CodeReuses++
		if c.family > 0 {
			s.families[c.family-1].revoked = true
		}
		return refuse("invalid_grant")
	case time.Now().After(c.expires) || params.Get("redirect_uri") != c.redirect:
		c.family = -1 // spent for nothing
		return refuse("invalid_grant")
	case c.challenge != "" && oauth.Challenge(params.Get("code_verifier")) != c.challenge:
		c.family = -1
		s.counts.BadVerifiers++
		return refuse("invalid_grant")
	}
	c.family = s.newFamily()
	s.counts.Exchanges++
	return s.grant(c.family, nil)
}

func (s *Server) refresh(params url.Values) reply {
	f, n, ok := s.parse("refresh", params.Get("refresh_token"))
	if !ok {
		return refuse("invalid_grant")
	}
	fam := s.families[f-1]
	switch {
	case fam.revoked:
		return refuse("invalid_grant")
	case s.ReuseRefreshTokens && n == 1:
	case n != len(fam.expiries):
		fam.revoked = true
		if fam.lost[n] {
			s.counts.LostReplays++
		} else {
			s.counts.Reuses++
		}
		return refuse("invalid_grant")
	}
	s.counts.Refreshes++
	return s.grant(f, func() { fam.lost[n] = true })
}

func (s *Server) poll(params url.Values) reply {
	var n int
	_, err := fmt.Sscanf(params.Get("device_code"), "oauthtest-device-%d", &n)
	if err != nil || n < 1 || n > len(s.devices) {
		return refuse("invalid_grant")
	}
	d, now := s.devices[n-1], time.Now()
	early := !d.lastPoll.IsZero() && now.Sub(d.lastPoll) < d.interval
	d.lastPoll = now
	switch {
	case d.spent:
		return refuse("invalid_grant")
	case now.After(d.expires):
		return refuse("expired_token")
	case early:
		s.counts.EarlyPolls++
		d.interval += 5 * time.Second
		return refuse("slow_down")
	case d.denied:
		return refuse("access_denied")
	case !d.approved:
		return refuse("authorization_pending")
	}
	d.spent = true
	return s.grant(s.newFamily(), nil)
}

func (s *Server) authorizeDevice() reply {
	life, interval := s.DeviceLifetime, s.DeviceInterval
	if life == 0 {
		life = 10 * time.Minute
	}
	if interval == 0 {
		interval = 5 * time.Second
	}
	s.devices = append(s.devices, &device{expires: time.Now().Add(life), interval: interval})
	user := fmt.Sprintf("TEST-%04d", len(s.devices))
	return reply{status: http.StatusOK, body: map[string]any{
		"device_code": fmt.Sprintf("oauthtest-device-%d", len(s.devices)), "user_code": user,
		"verification_uri":          s.base() + "/activate",
		"verification_uri_complete": s.base() + "/activate?user_code=" + user,
		"expires_in":                life.Seconds(), "interval": interval.Seconds(),
	}}
}

func (s *Server) revoke(params url.Values) reply {
	token := params.Get("token")
	f, _, ok := s.parse("refresh", token)
	if !ok {
		f, _, ok = s.parse("access", token)
	}
	if ok {
		s.counts.Revocations++
		s.families[f-1].revoked = true
	}
	return reply{status: http.StatusOK, body: map[string]any{}}
}

// grant answers with the next tokens of a family.
func (s *Server) grant(f int, lost func()) reply {
	n := s.issue(f)
	expires := s.families[f-1].expiries[n-1]
	body := map[string]any{
		"access_token": tokenName("access", f, n), "token_type": "Bearer",
		"expires_in": int(time.Until(expires).Round(time.Second).Seconds()),
		"scope":      "profile inference", "id_token": idToken(f, expires),
		"account": map[string]any{"id": accountID(f)},
	}
	if !s.ReuseRefreshTokens || n == 1 {
		body["refresh_token"] = tokenName("refresh", f, n)
	}
	return reply{status: http.StatusOK, body: body, lost: lost}
}

func refuse(code string) reply {
	return reply{status: http.StatusBadRequest, body: map[string]any{"error": code}}
}

// Fail lets the next requests to an endpoint meet faults, one each, after those that were listed before. A
// zero Fault lets a request pass.
func (s *Server) Fail(at Endpoint, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		s.faults = make(map[Endpoint][]Fault)
	}
	s.faults[at] = append(s.faults[at], faults...)
}

// Heal forgets the faults that no request has met yet, and tells how many there were.
func (s *Server) Heal() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for faults := range maps.Values(s.faults) {
		n += len(faults)
	}
	s.faults = nil
	return n
}

// next counts a request and gives the fault that it meets.
func (s *Server) next(at Endpoint) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(at)
	if len(s.faults[at]) == 0 {
		return Fault{}
	}
	f := s.faults[at][0]
	s.faults[at] = s.faults[at][1:]
	return f
}
