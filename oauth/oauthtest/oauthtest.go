// Package oauthtest has an authorization server to test OAuth providers and token managers against.
//
// A [Server] is as strict as the strictest of the real ones: codes and refresh tokens work once, PKCE is
// checked, and a refresh token that comes a second time revokes everything that ever came of its login. It
// counts what it was asked, and fails in the ways that a test lists. Nothing in it is random: the same requests
// in the same order give the same tokens.
//
//	var server oauthtest.Server
//	provider, err := oauth.NewConfigProvider(server.ProviderConfig("example"))
//	…
//	manager := oauth.TokenManager{Store: new(store.Memory)}
//	source, err := manager.Add(oauth.Account{Provider: provider})
//	err = manager.Login(ctx, "example", server.Login())
//	server.Fail(oauthtest.Token, oauthtest.Fault{Status: 503}, oauthtest.Fault{Lost: true})
//
// The server's clock is time.Now, so tests in a synctest bubble decide how it goes. Requests through its
// [Server.Transport] use no network and may be made in such a bubble.
package oauthtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// What the server knows its only client by.
const (
	ClientID = "oauthtest-client"
	// DefaultURL is where the server is, for those who use its Transport.
	DefaultURL = "https://oauth.test"
)

// Server is an authorization server with one client and any number of accounts. The exported fields must not
// be changed after first use. The zero value is ready, a Server must not be copied after first use, and all
// methods are safe for concurrent use. It forgets nothing, so it is made for the length of a test.
type Server struct {
	// URL is the base of the endpoints' addresses. Set it where the server is reached over a network. Empty
	// means DefaultURL.
	URL string
	// Lifetime is that of access tokens. Zero means one hour.
	Lifetime time.Duration
	// ReuseRefreshTokens leaves a refresh token valid after it was used, and sends no new one.
	ReuseRefreshTokens bool
	// DeviceInterval is the least time between two polls. Zero means 5 seconds.
	DeviceInterval time.Duration
	// DeviceLifetime is that of device codes. Zero means 10 minutes.
	DeviceLifetime time.Duration

	mu       sync.Mutex
	families []*family
	codes    []*code
	devices  []*device
	faults   map[Endpoint][]Fault
	counts   Counts
}

// family is one login and all the tokens that came of it, numbered from 1.
type family struct {
	expiries []time.Time // of access token number i+1
	revoked  bool
	lost     map[int]bool // refresh tokens whose use was answered to nobody
}

type code struct {
	redirect, challenge, state string
	family                     int // of the tokens it was exchanged for, 0 before
	expires                    time.Time
}

type device struct {
	expires  time.Time
	lastPoll time.Time
	interval time.Duration
	approved bool
	denied   bool
	spent    bool
}

// Counts are what a Server was asked and what came of it.
type Counts struct {
	// Requests counts by endpoint, those that met a fault included.
	Requests map[Endpoint]int
	// Exchanges are codes that gave tokens, Refreshes refresh tokens that did.
	Exchanges, Refreshes int
	// Reuses are spent refresh tokens that came again: somebody used a token twice. It has cost the family.
	Reuses int
	// LostReplays are the same where the first answer is known to have got lost, so that whoever asked could
	// not know better. It has cost the family all the same.
	LostReplays int
	// CodeReuses are codes that came again, BadVerifiers codes with a wrong PKCE verifier.
	CodeReuses, BadVerifiers int
	// Revocations are tokens that were revoked by request.
	Revocations int
	// EarlyPolls are device polls before their interval was over.
	EarlyPolls int
}

// Endpoint names one of the server's endpoints by its path.
type Endpoint string

// The endpoints of a Server.
const (
	Authorize           Endpoint = "/authorize"
	Token               Endpoint = "/token"
	Revoke              Endpoint = "/revoke"
	DeviceAuthorization Endpoint = "/device"
)

// ProviderConfig describes the server to [oauth.NewConfigProvider], with PKCE, refresh, revocation, every way
// to log in, and the server's Transport.
func (s *Server) ProviderConfig(name string) oauth.ProviderConfig {
	return oauth.ProviderConfig{
		Info: oauth.Info{
			Name: name, DisplayName: "Test " + name, SupportsPKCE: true, SupportsRefresh: true, Plugin: "oauthtest",
		},
		OAuth2:        s.Config(),
		RevocationURL: s.endpoint(Revoke),
		Issuer:        s.base(),
		Login:         oauth.LoginMethods{LoopbackURI: "http://127.0.0.1:0/callback", Device: true},
		Complete:      complete,
		Transport:     s.Transport(),
	}
}

// complete takes the account from the answer's member of its own, as with some vendors.
func complete(c *oauth.Credentials, answer json.RawMessage) error {
	var own struct {
		Account struct {
			ID string `json:"id"`
		} `json:"account"`
	}
	if err := json.Unmarshal(answer, &own); err != nil {
		return err
	}
	c.AccountID = own.Account.ID
	return nil
}

// Config gives the client and the endpoints.
func (s *Server) Config() oauth2.Config {
	return oauth2.Config{
		ClientID: ClientID, RedirectURL: "http://127.0.0.1/callback", Scopes: []string{"profile", "inference"},
		Endpoint: oauth2.Endpoint{
			AuthURL: s.endpoint(Authorize), TokenURL: s.endpoint(Token), DeviceAuthURL: s.endpoint(DeviceAuthorization),
		},
	}
}

func (s *Server) base() string {
	if s.URL != "" {
		return s.URL
	}
	return DefaultURL
}

func (s *Server) endpoint(e Endpoint) string { return s.base() + string(e) }

// Login gives the credentials of a new login, without any request.
func (s *Server) Login() *oauth.Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.newFamily()
	n := s.issue(f)
	return &oauth.Credentials{
		AccessToken:  oauth.NewSecret(tokenName("access", f, n)),
		RefreshToken: oauth.NewSecret(tokenName("refresh", f, n)),
		TokenType:    "Bearer", Expiry: s.families[f-1].expiries[n-1], Scopes: []string{"profile", "inference"},
		AccountID: accountID(f), Generation: 1,
	}
}

// Consent is a user who logs in and agrees: it gives the URL that the browser is sent back to.
func (s *Server) Consent(authorizationURL string) (callback string, err error) {
	u, err := url.Parse(authorizationURL)
	if err != nil {
		return "", err
	}
	q := u.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(Authorize)
	redirect, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case err != nil || redirect.Host == "":
		return "", fmt.Errorf("redirect_uri %q is no absolute URL", q.Get("redirect_uri"))
	case !strings.HasPrefix(authorizationURL, s.endpoint(Authorize)+"?"):
		return "", fmt.Errorf("the URL is not that of %s", s.endpoint(Authorize))
	case q.Get("client_id") != ClientID || q.Get("response_type") != "code":
		return "", fmt.Errorf("client_id %q, response_type %q", q.Get("client_id"), q.Get("response_type"))
	case q.Get("state") == "":
		return "", fmt.Errorf("no state")
	case q.Get("code_challenge") != "" && q.Get("code_challenge_method") != "S256":
		return "", fmt.Errorf("code_challenge_method %q", q.Get("code_challenge_method"))
	}
	s.codes = append(s.codes, &code{
		redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), state: q.Get("state"),
		expires: time.Now().Add(time.Minute),
	})
	back := redirect.Query()
	back.Set("code", fmt.Sprintf("oauthtest-code-%d", len(s.codes)))
	back.Set("state", q.Get("state"))
	back.Set("iss", s.base())
	redirect.RawQuery = back.Encode()
	return redirect.String(), nil
}

// ApproveDevice is a user who types in a user code and agrees. It reports whether the code is known.
func (s *Server) ApproveDevice(userCode string) bool { return s.decide(userCode, true) }

// DenyDevice is a user who types in a user code and refuses. It reports whether the code is known.
func (s *Server) DenyDevice(userCode string) bool { return s.decide(userCode, false) }

func (s *Server) decide(userCode string, approve bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(userCode, "TEST-%04d", &n); err != nil || n < 1 || n > len(s.devices) {
		return false
	}
	s.devices[n-1].approved, s.devices[n-1].denied = approve, !approve
	return true
}

// Accepts tells whether an upstream would take an access token: it was issued, has not ended, and its login
// is not revoked.
func (s *Server) Accepts(access string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, n, ok := s.parse("access", access)
	return ok && !s.families[f-1].revoked && time.Now().Before(s.families[f-1].expiries[n-1])
}

// Newest tells whether credentials are the last that the server gave out for their login, and the login is
// not revoked: if they are not, some were lost.
func (s *Server) Newest(c *oauth.Credentials) bool {
	if c == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, n, ok := s.parse("access", c.AccessToken.Reveal())
	if !ok || s.families[f-1].revoked || n != len(s.families[f-1].expiries) {
		return false
	}
	if s.ReuseRefreshTokens {
		n = 1
	}
	return c.RefreshToken.Reveal() == tokenName("refresh", f, n)
}

// Revoked tells whether the login that credentials came of is revoked.
func (s *Server) Revoked(c *oauth.Credentials) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, ok := s.parse("access", c.AccessToken.Reveal())
	return ok && s.families[f-1].revoked
}

// Counts gives what was counted so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Requests = maps.Clone(s.counts.Requests)
	return c
}

// count is called with the lock held.
func (s *Server) count(e Endpoint) {
	if s.counts.Requests == nil {
		s.counts.Requests = make(map[Endpoint]int)
	}
	s.counts.Requests[e]++
}

// newFamily is called with the lock held.
func (s *Server) newFamily() int {
	s.families = append(s.families, &family{lost: make(map[int]bool)})
	return len(s.families)
}

// issue makes the next tokens of a family. It is called with the lock held.
func (s *Server) issue(f int) int {
	life := s.Lifetime
	if life == 0 {
		life = time.Hour
	}
	fam := s.families[f-1]
	fam.expiries = append(fam.expiries, time.Now().Add(life).Round(0).UTC())
	return len(fam.expiries)
}

func tokenName(kind string, f, n int) string {
	return fmt.Sprintf("oauthtest-%s-%04d-%06d", kind, f, n)
}

func accountID(f int) string { return fmt.Sprintf("account-%d", f) }

// parse finds the family and the number of a token that was issued. It is called with the lock held.
func (s *Server) parse(kind, token string) (f, n int, ok bool) {
	if _, err := fmt.Sscanf(token, "oauthtest-"+kind+"-%d-%d", &f, &n); err != nil || token != tokenName(kind, f, n) {
		return 0, 0, false
	}
	return f, n, f >= 1 && f <= len(s.families) && n >= 1 && n <= len(s.families[f-1].expiries)
}

// idToken gives a JSON Web Token without a signature.
func idToken(f int, expires time.Time) string {
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(map[string]string{"alg": "none"}) + "." + part(map[string]any{
		"sub": accountID(f), "email": accountID(f) + "@oauth.test", "exp": expires.Unix(),
	}) + "." + base64.RawURLEncoding.EncodeToString([]byte("signature"))
}

var _ http.Handler = (*Server)(nil)
