package ccproxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

const publicURL = "https://proxy.test/llm"

// loginRig is a proxy with an OAuth provider "idp" and claude_api, which uses its account. Both servers are in memory.
type loginRig struct {
	server  oauthtest.Server
	proxy   *ccproxy.Proxy
	calls   atomic.Int64 // at the upstream
	refuse  atomic.Bool  // the upstream refuses every token
	refused sync.Map     // tokens that it refuses

	mu    sync.Mutex
	log   bytes.Buffer // what hooks and the log were told
	kinds []hooks.Event
}

type loginSetup struct {
	provider func(*oauth.ProviderConfig)
	settings ccproxy.Settings
	options  []ccproxy.Option
	plugins  []ccproxy.Factory
	private  bool // without a public URL
	waiting  bool // not started
}

func newLoginRig(t *testing.T, s loginSetup) *loginRig {
	t.Helper()
	r := &loginRig{}
	cfg := claudeapi.DefaultConfig()
	cfg.Auth, cfg.Account = "oauth", "idp"
	options := append([]ccproxy.Option{
		ccproxy.WithTransport(r), ccproxy.WithPluginConfig(claudeapi.Name, *cfg), ccproxy.WithStrictStart(),
		ccproxy.WithLogger(slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	}, s.options...)
	if !s.private {
		options = append(options, ccproxy.WithPublicURL(publicURL))
	}
	factories := append([]ccproxy.Factory{claudeapi.Factory(), r.plugin("idp", s.provider), r.watcher()}, s.plugins...)
	r.proxy = built(t, s.settings, factories, options...)
	if !s.waiting {
		if err := r.proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = r.proxy.Shutdown(context.WithoutCancel(t.Context())) })
	return r
}

// plugin is an auth plugin of the rig's server.
func (r *loginRig) plugin(name string, edit func(*oauth.ProviderConfig)) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "oauth_" + name, Kind: ccproxy.KindAuth, CLISafe: true,
		OAuthProviders: []ccproxy.OAuthProviderSpec{{
			Name: name,
			New: func(pc *ccproxy.PluginContext) (oauth.Provider, error) {
				cfg := r.server.ProviderConfig(name)
				cfg.Transport = pc.HTTPClient.Transport
				if edit != nil {
					edit(&cfg)
				}
				return oauth.NewConfigProvider(cfg)
			},
		}},
	}, nil)
}

// watcher notes all that hooks are told.
func (r *loginRig) watcher() ccproxy.Factory {
	hook := hooks.Observe("watcher", func(_ context.Context, hc *hooks.Context) error {
		b, _ := json.Marshal(hc.Payload)
		_, _ = fmt.Fprintf(r, "%s %s %+v\n", hc.Event, b, hc.Payload)
		r.mu.Lock()
		defer r.mu.Unlock()
		if strings.HasPrefix(string(hc.Event), "oauth.") {
			r.kinds = append(r.kinds, hc.Event)
		}
		return nil
	}, hooks.EventOAuthTokenRequest, hooks.EventOAuthTokenResponse, hooks.EventOAuthRefreshRequest,
		hooks.EventOAuthRefreshResponse, hooks.EventOAuthError, hooks.EventHTTPRequest, hooks.EventHTTPResponse,
		hooks.EventHTTPError, hooks.EventRequestStarted, hooks.EventRequestCompleted, hooks.EventRequestFailed)
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "watcher", Hooks: []ccproxy.HookSpec{{
		New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return hook, nil },
	}}}, nil)
}

// Write implements io.Writer.
func (r *loginRig) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(b)
}

const (
	wholeAnswer    = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{}}`
	streamedAnswer = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{}}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
)

// RoundTrip implements http.RoundTripper: the authorization server, and an upstream that takes its tokens.
func (r *loginRig) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == "oauth.test" {
		return r.server.Transport().RoundTrip(req)
	}
	r.calls.Add(1)
	body, _ := io.ReadAll(req.Body)
	token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/json")
	_, bad := r.refused.Load(token)
	switch {
	case bad || r.refuse.Load() || !r.server.Accepts(token) || req.Header.Get("X-Api-Key") != "" ||
		!strings.Contains(req.Header.Get("Anthropic-Beta"), "oauth-2025-04-20"):
		rec.WriteHeader(http.StatusUnauthorized)
		_, _ = rec.WriteString(`{"type":"error","error":{"type":"authentication_error","message":"no"}}`)
	case bytes.Contains(body, []byte(`"stream":true`)):
		rec.Header().Set("Content-Type", "text/event-stream")
		_, _ = rec.WriteString(streamedAnswer)
	default:
		_, _ = rec.WriteString(wholeAnswer)
	}
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}

// tokenRequests counts requests to the token endpoint.
func (r *loginRig) tokenRequests() int { return r.server.Counts().Requests[oauthtest.Token] }

// log in without a browser.
func (r *loginRig) login(t *testing.T) *oauth.Credentials {
	t.Helper()
	c := r.server.Login()
	if err := r.proxy.OAuth().Login(t.Context(), "idp", c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (r *loginRig) ask(body string) *httptest.ResponseRecorder {
	return visit(r.proxy, http.MethodPost, messagesPath, body)
}

// browser has a jar of cookies, and no network: it reaches the proxy, mounted, and the authorization server.
func (r *loginRig) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host == "oauth.test" {
			return r.server.Transport().RoundTrip(req)
		}
		rec := httptest.NewRecorder()
		in := req.Clone(req.Context())
		in.RequestURI = req.URL.RequestURI()
		if in.Body == nil {
			in.Body = http.NoBody
		}
		r.proxy.Mount("/llm").ServeHTTP(rec, in)
		resp := rec.Result()
		resp.Request = req
		return resp, nil
	})}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// told gives what hooks and the log were told so far, once all has been delivered.
func (r *loginRig) told(t *testing.T) (text string, kinds []hooks.Event) {
	t.Helper()
	if err := r.proxy.Shutdown(t.Context()); err != nil { // it flushes
		t.Errorf("shutdown: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String(), r.kinds
}
