package ccproxy_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// vault is a proxy with everything on, the authorization server and the upstreams behind it, and all that leaves it.
type vault struct {
	t        *testing.T
	proxy    *ccproxy.Proxy
	upstream providertest.Upstream
	sessions *watchedSessions
	sealing  store.Key
	out      map[string]*capture

	mu      sync.Mutex
	faults  []func(http.ResponseWriter, string) // what the authorization server does next
	asked   capture                             // what reached it
	secrets map[string]string
}

// The secrets that are known before anything runs.
var fixedCanaries = [...]string{
	"apikey", "confheader", "access", "refresh", "idtoken", "code", "clientsecret", "inbound", "wrongkey", "cookie",
	"setcookie", "query", "password", "panic",
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{t: t, sealing: store.NewKey(), secrets: make(map[string]string), out: make(map[string]*capture)}
	for _, name := range fixedCanaries {
		v.secrets[name] = providertest.Canary(name)
	}
	v.secrets["sealing"] = v.sealing.Text().Reveal()
	v.sessions = &watchedSessions{}
	for _, name := range []string{"log", "log as text", "hooks", "traces", "answers", "errors"} {
		v.out[name] = new(capture)
	}
	level := &slog.HandlerOptions{Level: slog.LevelDebug - 4, AddSource: true}
	claude := claudeapi.DefaultConfig()
	claude.Auth, claude.Account = "oauth", "vault"
	claude.Headers = map[string]string{"X-Vault-Token": v.secrets["confheader"], "X-Thing": v.secrets["confheader"]}
	v.proxy = running(t, v.settings(), append(bundled.Factories(), v.plugin(), v.watcher()),
		ccproxy.WithPluginConfig(claudeapi.Name, *claude), ccproxy.WithTransport(v),
		ccproxy.WithPublicURL("https://proxy.test"), ccproxy.WithSessionStore(v.sessions), ccproxy.WithTracer(v),
		ccproxy.WithCredentialStore(&store.Sealed{Store: new(store.Memory), Keys: store.Keys{v.sealing}}),
		ccproxy.WithLogger(slog.New(slog.NewMultiHandler(
			slog.NewJSONHandler(v.out["log"], level), slog.NewTextHandler(v.out["log as text"], level)))))
	t.Cleanup(func() { _ = v.upstream.Close() })
	return v
}

func (v *vault) settings() ccproxy.Settings {
	return ccproxy.Settings{
		Security: ccproxy.Security{
			Keys:    []ccproxy.APIKey{{Name: "alice", Value: ccproxy.NewSecret(v.secrets["inbound"])}},
			Origins: []string{appOrigin},
		},
		Plugins: map[string]map[string]any{
			openaicompat.Name: {"instances": map[string]any{"api": map[string]any{
				"base_url": "https://upstream.test/v1", "api_key": v.secrets["apikey"],
				"headers": map[string]any{
					"Helicone-Auth": v.secrets["confheader"], "Ocp-Apim-Subscription-Key": v.secrets["confheader"],
					"Cf-Access-Client-Secret": v.secrets["confheader"], "X-Custom": v.secrets["confheader"],
				},
			}}},
		},
	}
}

// plugin has the OAuth provider, and a provider and a route that panic with a secret.
func (v *vault) plugin() ccproxy.Factory {
	m := ccproxy.Manifest{
		Name: "vaults", Kind: ccproxy.KindProvider,
		OAuthProviders: []ccproxy.OAuthProviderSpec{{Name: "vault", New: v.newProvider}},
		Providers: []ccproxy.ProviderSpec{{
			Name: "wild", Formats: []adapters.Format{adapters.AnthropicMessages},
			New: func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return spilling{v.secrets["panic"]}, nil },
		}},
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/spill", Endpoints: []ccproxy.Endpoint{{Method: http.MethodPost, Pattern: "/{name}"}},
			New: func(*ccproxy.PluginContext) (http.Handler, error) {
				return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(errors.New(v.secrets["panic"])) }), nil
			},
		}},
	}
	return ccproxy.NewFactory(m, nil)
}

type spilling struct{ secret string }

func (s spilling) Models(context.Context) ([]ccproxy.Model, error) { panic(s) }

func (s spilling) Do(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) { panic(s.secret) }

func (v *vault) newProvider(pc *ccproxy.PluginContext) (oauth.Provider, error) {
	return oauth.NewConfigProvider(oauth.ProviderConfig{
		Info: oauth.Info{Name: "vault", SupportsPKCE: true, SupportsRefresh: true},
		OAuth2: oauth2.Config{
			ClientID: "vault-client", ClientSecret: v.secrets["clientsecret"],
			Endpoint: oauth2.Endpoint{AuthURL: "https://oauth.test/authorize", TokenURL: "https://oauth.test/token"},
		},
		RevocationURL: "https://oauth.test/revoke", SendState: true, Transport: pc.HTTPClient.Transport,
		Login: oauth.LoginMethods{LoopbackURI: "http://127.0.0.1:0/callback"},
	})
}

// watcher tells all hooks hear, in every way that Go prints a value.
func (v *vault) watcher() ccproxy.Factory {
	out := v.out["hooks"]
	all := hooks.Observe("all", func(_ context.Context, hc *hooks.Context) error {
		marshalled, _ := json.Marshal(hc.Payload)
		fmt.Fprintf(out, "%s %s %+v\n%#v\n%s\n", hc.Event, hc.Plugin, hc.Payload, hc.Payload, marshalled)
		return nil
	}, hooks.Events()...)
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "watch", Hooks: []ccproxy.HookSpec{{
		Queue: 1 << 16, New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return all, nil },
	}}}, nil)
}

// Start implements ccproxy.Tracer.
func (v *vault) Start(ctx context.Context, name string, attrs ...slog.Attr) (context.Context, func(error)) {
	fmt.Fprintf(v.out["traces"], "%s %v\n", name, attrs)
	return ctx, func(err error) { fmt.Fprintf(v.out["traces"], "%s %v %+v\n", name, err, err) }
}

// watchedSessions is a store that remembers what it was given: states and verifiers are made by the proxy.
type watchedSessions struct {
	oauth.MemorySessions
	mu   sync.Mutex
	seen []oauth.Session
}

func (s *watchedSessions) Put(ctx context.Context, key string, session oauth.Session) error {
	s.mu.Lock()
	s.seen = append(s.seen, session)
	s.mu.Unlock()
	return s.MemorySessions.Put(ctx, key, session)
}

// RoundTrip is the network.
func (v *vault) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "oauth.test" {
		return v.upstream.Transport().RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, _ := url.ParseQuery(string(body))
	fmt.Fprintf(&v.asked, "%v %v\n", r.Header, form)
	v.mu.Lock()
	var fault func(http.ResponseWriter, string)
	if len(v.faults) > 0 {
		fault, v.faults = v.faults[0], v.faults[1:]
	}
	v.mu.Unlock()
	w := httptest.NewRecorder()
	w.Header().Set("Set-Cookie", "idp="+v.secrets["setcookie"])
	switch {
	case fault != nil:
		fault(w, string(body))
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": v.secrets["access"], "refresh_token": v.secrets["refresh"], "id_token": v.secrets["idtoken"],
			"token_type": "Bearer", "expires_in": 3600,
		})
	}
	if w.Code == http.StatusTeapot { // as net/http puts it where a connection breaks
		return nil, &url.Error{Op: "Post", URL: r.URL.String() + "?token=" + url.QueryEscape(v.secrets["refresh"]), Err: io.ErrUnexpectedEOF}
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// echoing are the ways of an authorization server that repeats what it was sent.
func (v *vault) echoing() []func(http.ResponseWriter, string) {
	say := func(status int, contentType string, text func(sent string) string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, sent string) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text(sent))
		}
	}
	object := func(members ...string) func(string) string {
		return func(sent string) string {
			answer := make(map[string]string)
			for _, name := range members {
				answer[name] = sent
			}
			b, _ := json.Marshal(answer)
			return string(b)
		}
	}
	secretCode := func(string) string {
		b, _ := json.Marshal(map[string]string{"error": v.secrets["refresh"], "error_uri": v.secrets["code"]})
		return string(b)
	}
	same := func(sent string) string { return sent }
	return []func(http.ResponseWriter, string){
		say(500, "text/html", same), say(503, "application/json", object("error", "error_description")),
		say(200, "text/html", same), say(200, "application/json", object("error_description")),
		say(429, "application/json", object("error")), say(502, "application/json", secretCode), say(418, "text/plain", same),
	}
}

// send makes one request and keeps its answer, unless that may hold a secret for the browser.
func (v *vault) send(method, path, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(v.t.Context(), method, "https://proxy.test"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Api-Key", v.secrets["inbound"])
	maps.Copy(r.Header, header)
	if r.Header.Get("X-Api-Key") == "" {
		r.Header.Del("X-Api-Key")
	}
	rec := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(v.out["errors"], "panic %v\n", p)
		}
		if !strings.HasSuffix(path, "/login") {
			fmt.Fprintf(v.out["answers"], "%d %v %s\n", rec.Code, rec.Header(), rec.Body)
		}
	}()
	v.proxy.ServeHTTP(rec, r)
	return rec
}

// login begins a login and comes back with the code. It gives the status of the end.
func (v *vault) login(faults ...func(http.ResponseWriter, string)) int {
	rec := v.send(http.MethodGet, "/oauth/vault/login", "", headers("Accept", "application/json"))
	cookies := rec.Result().Cookies()
	v.sessions.mu.Lock()
	n := len(v.sessions.seen)
	v.sessions.mu.Unlock()
	if rec.Code != http.StatusOK || len(cookies) != 1 || n == 0 {
		v.t.Fatalf("login begins with %d, %d cookies", rec.Code, len(cookies))
	}
	s := v.sessions.seen[n-1]
	if strings.Contains(rec.Body.String(), s.Verifier.Reveal()) {
		v.t.Error("the verifier is in the answer that begins a login")
	}
	v.secrets["state"], v.secrets["verifier"], v.secrets["login cookie"] = s.State.Reveal(), s.Verifier.Reveal(), cookies[0].Value
	v.mu.Lock()
	v.faults = faults
	v.mu.Unlock()
	back := url.Values{"code": {v.secrets["code"]}, "state": {v.secrets["state"]}}
	return v.send(http.MethodGet, "/oauth/vault/callback?"+back.Encode(), "",
		headers("Cookie", cookies[0].Name+"="+cookies[0].Value, "X-Api-Key", "")).Code
}

// logins ends logins in every way, the last one well.
func (v *vault) logins() {
	for _, fault := range v.echoing() {
		if code := v.login(fault); code < 400 {
			v.t.Errorf("a login that must fail ended with %d", code)
		}
	}
	code, state := url.QueryEscape(v.secrets["code"]), url.QueryEscape(v.secrets["state"])
	for _, q := range []string{
		"code=" + code + "&state=" + state, "code=" + code, "state=" + state + "&error=server_error",
		"error=access_denied&code=" + code + "&state=" + state, "code=%zz" + code + "&state=%" + state,
		"code=" + code + "&code=" + code + "&state=" + state, "code=" + code + "&state=" + state + "&iss=https://evil.test",
	} {
		v.send(http.MethodGet, "/oauth/vault/callback?"+q, "", headers("Cookie", "x="+v.secrets["cookie"]))
	}
	for _, body := range []string{
		`{"code":"` + v.secrets["code"] + `","state":`, string(must(json.Marshal(map[string]string{"code": v.secrets["code"], "state": "x"}))),
	} {
		v.send(http.MethodPost, "/oauth/vault/login", body, nil)
	}
	if code := v.login(); code != http.StatusOK {
		v.t.Fatalf("the last login ended with %d", code)
	}
}

func must[T any](value T, _ error) T { return value }

// requests sends requests of every kind, good and bad, to every part of the proxy.
func (v *vault) requests() {
	query := "?api_key=" + url.QueryEscape(v.secrets["query"]) + "&access_token=" + url.QueryEscape(v.secrets["query"])
	clients := []http.Header{
		headers("Authorization", "Bearer "+v.secrets["inbound"], "X-Api-Key", "", "Cookie", "sid="+v.secrets["cookie"]),
		headers("X-Api-Key", v.secrets["inbound"], "Origin", appOrigin, "Referer", "https://app.example.com/"+query),
		headers("X-Api-Key", v.secrets["wrongkey"]),
		headers("X-Api-Key", "", "Authorization", "Bearer "+v.secrets["wrongkey"]),
		headers("X-Api-Key", "", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("u:"+v.secrets["password"]))),
		headers("X-Api-Key", "", "Authorization", v.secrets["wrongkey"], "Proxy-Authorization", "Basic "+v.secrets["password"]),
	}
	set := http.Header{"Set-Cookie": {"up=" + v.secrets["setcookie"] + "; Path=/"}, "Content-Type": {"application/json"}}
	for _, client := range clients {
		v.upstream.Enqueue(
			providertest.Raw(200, set, `{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":1,"output_tokens":1}}`),
			providertest.Error(401, "authentication_error", "no", set), providertest.Error(500, "api_error", "no", set), providertest.Drop())
		for _, path := range []string{
			"/claude/v1/messages", "/api/v1/chat/completions", "/v1/messages", "/wild/v1/messages", "/claude/v1/responses",
			"/api/v1/messages", "/spill/x", "/nowhere",
		} {
			for _, body := range []string{wholeBody, streamBody, "{", `{"model":7}`} {
				v.send(http.MethodPost, path+query, body, client)
			}
		}
		for _, path := range []string{
			"/plugins", "/plugins/status", "/plugins/claude_api/health", "/openapi.json", "/health", "/health/ready",
			"/health/live", "/v1/models", "/claude/v1/models", "/wild/v1/models", "/oauth/providers", "/oauth/vault/status",
		} {
			v.send(http.MethodGet, path, "", client)
			v.send(http.MethodGet, path+query, "", client)
		}
	}
}

// accounts refreshes and logs out, at a server that repeats what it was sent.
func (v *vault) accounts() {
	page := headers("Content-Type", "application/json")
	for _, fault := range v.echoing() {
		v.mu.Lock()
		v.faults = append(v.faults[:0], fault)
		v.mu.Unlock()
		err := v.proxy.OAuth().Refresh(v.t.Context(), "vault")
		status, statusErr := v.proxy.OAuth().Status(v.t.Context(), "vault")
		fmt.Fprintf(v.out["errors"], "%v %+v %#v %v %+v %v\n", err, err, err, status, status, statusErr)
	}
	creds, err := v.proxy.OAuth().Credentials(v.t.Context(), "vault")
	marshalled, _ := json.Marshal(creds)
	fmt.Fprintf(v.out["errors"], "%v %+v %#v %s %v\n", creds, creds, creds, marshalled, err)
	v.send(http.MethodPost, "/oauth/vault/refresh?token="+url.QueryEscape(v.secrets["query"]), "", page)
	v.mu.Lock()
	v.faults = nil
	v.mu.Unlock()
	v.send(http.MethodPost, "/oauth/vault/refresh", "", page)
	v.mu.Lock()
	v.faults = v.echoing()[:1]
	v.mu.Unlock()
	v.send(http.MethodPost, "/oauth/vault/revoke", "", page)
}

// misconfigured puts secrets where they do not belong, and prints settings.
func (v *vault) misconfigured() {
	key := v.secrets["apikey"]
	instance := func(pairs ...any) map[string]map[string]any {
		table := make(map[string]any)
		for i := 0; i < len(pairs); i += 2 {
			table[pairs[i].(string)] = pairs[i+1]
		}
		return map[string]map[string]any{openaicompat.Name: {"instances": map[string]any{"api": table}}}
	}
	tables := []map[string]map[string]any{
		instance("base_url", 7, "api_key", key), instance("base_url", "ftp://u:"+v.secrets["password"]+"@h", "api_key", key),
		instance("base_url", "https://u:"+v.secrets["password"]+"@h\x00/", "api_key", key),
		instance("base_url", "https://h", "api_key", []any{key}), instance("base_url", "https://h", "api_key", map[string]any{"v": key}),
		instance("base_url", "https://h", "api_keyy", key),
		{claudeapi.Name: {"api_key": []any{key}}},
		{"nobody": {"api_key": key}},
		{claudeapi.Name: {"auth": key}},
		{claudeapi.Name: {"base_url": "https://h/?key=" + url.QueryEscape(v.secrets["query"]) + "\x7f"}},
	}
	for _, table := range tables {
		var reg ccproxy.Registry
		if err := reg.Register(bundled.Factories()...); err != nil {
			v.t.Fatal(err)
		}
		s := v.settings()
		s.Plugins = table
		_, err := reg.Build(s, ccproxy.WithPublicURL("https://u:"+v.secrets["password"]+"@h"))
		if err == nil {
			v.t.Errorf("Build takes %v", slices.Collect(maps.Keys(table)))
		}
		marshalled, _ := json.Marshal(s.Security)
		fmt.Fprintf(v.out["errors"], "%v %+v %#v\n%v\n%+v\n%#v\n%s\n", err, err, err, s, s, s, marshalled)
	}
}

// TestSecretsStayInside sends secrets of every kind through a proxy that tells as much as it can, and looks for them, in
// six encodings, in all that leaves it for people and programs which need not know them.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.logins()
	v.requests()
	v.accounts()
	v.misconfigured()
	if err := v.proxy.Shutdown(context.Background()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	v.wantUsed()
	for name, out := range v.out {
		if len(out.String()) < 1000 && name != "traces" { // which only plugins begin
			t.Errorf("%s: only %q", name, out.String())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.secrets)) {
		hits := 0
		for encoding, forms := range providertest.Encodings(v.secrets[name]) {
			for place, out := range v.out {
				if found := leaks(out.String(), forms); found != "" {
					hits++
					t.Errorf("%s, %s, is in the %s: %s", name, encoding, place, found)
				}
			}
		}
		t.Logf("%-13s 6 encodings in %d outputs: %d hits", name, len(v.out), hits)
	}
}

// wantUsed makes sure that the secrets were where they belong, or else nothing could leak.
func (v *vault) wantUsed() {
	var sent strings.Builder
	for _, r := range v.upstream.Requests() {
		fmt.Fprintf(&sent, "%v\n", r.Header)
	}
	for _, name := range []string{"apikey", "access", "confheader"} {
		if !strings.Contains(sent.String(), v.secrets[name]) {
			v.t.Errorf("no upstream got %s", name)
		}
	}
	for _, name := range []string{"code", "verifier", "refresh", "clientsecret", "state"} {
		if !strings.Contains(v.asked.String(), v.secrets[name]) {
			v.t.Errorf("the authorization server did not get %s", name)
		}
	}
}

// leaks gives the neighbourhood of the first form in the text.
func leaks(text string, forms []string) string {
	for _, form := range forms {
		if i := strings.Index(text, form); i >= 0 {
			return fmt.Sprintf("%q", text[max(0, i-200):min(len(text), i+len(form)+60)])
		}
	}
	return ""
}
