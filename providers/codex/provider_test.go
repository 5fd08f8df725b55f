package codex_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers/codex"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// With a key the plugin speaks to the public API, which gets requests of its own format as they are.
func TestPublicAPI(t *testing.T) {
	t.Parallel()
	const answer = `{"id":"resp_1","object":"response","status":"completed","output":[]}`
	up := upstream(providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, answer))
	proxy := start(t, up, settings(map[string]any{"api_key": testKey}))
	for _, body := range []string{
		`{ "model":"gpt-4.1" ,"input":"q", "temperature":1e0, "previous_response_id":"resp_0","x":"\u0041"}`,
		`{"model":"o3","input":[{"role":"system","content":"s"}],"store":true,"max_output_tokens":5}`,
	} {
		w := post(t, proxy, "/codex/v1/responses?a=b", body)
		got, _ := up.Last()
		if w.Code != http.StatusOK || w.Body.String() != answer {
			t.Errorf("answer is %d %s", w.Code, w.Body)
		}
		want := []string{"api.openai.com", "/v1/responses", "a=b", body, "Bearer " + testKey, ""}
		sent := []string{
			got.Host, got.Path, got.RawQuery, string(got.Body), got.Header.Get("Authorization"), got.Header.Get("Session_id"),
		}
		if diff := cmp.Diff(want, sent); diff != "" {
			t.Errorf("request mismatch (-want +got):\n%s", diff)
		}
	}
}

// manager is a service with credentials that expire.
type manager struct {
	token atomic.Int64
	stuck bool // there are no others
}

func (m *manager) bearer() string { return "Bearer access-token-" + string(rune('a'+m.token.Load())) }

func (m *manager) Authorize(_ context.Context, h http.Header) error {
	h.Set("Authorization", m.bearer())
	h.Set("Chatgpt-Account-Id", "acc-7")
	return nil
}

func (m *manager) Refresh(_ context.Context, refused http.Header) (bool, error) {
	if m.stuck {
		return false, errors.New("needs a login")
	}
	if refused.Get("Authorization") == m.bearer() && refused.Get("Chatgpt-Account-Id") == "acc-7" {
		m.token.Add(1)
	}
	return true, nil
}

// source is a manager as an OAuth source.
type source struct{ m *manager }

func (s source) Token(context.Context) (oauth.Credential, error) {
	_, token, _ := strings.Cut(s.m.bearer(), " ")
	return oauth.Credential{Token: oauth.NewSecret(token), Type: "Bearer", AccountID: "acc-7"}, nil
}

func (s source) Invalidate(used oauth.Credential) bool {
	if s.m.stuck {
		return false
	}
	if "Bearer "+used.Token.Reveal() == s.m.bearer() {
		s.m.token.Add(1)
	}
	return true
}

// authPlugin provides a service.
func authPlugin(name string, service any) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "auth", Provides: []string{name}},
		func() ccproxy.Plugin { return &provides{name: name, service: service} })
}

type provides struct {
	name    string
	service any
}

func (p *provides) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide(p.name, p.service)
}

func (p *provides) Shutdown(context.Context) error { return nil }

// guarded takes one token and refuses all others.
func guarded(token string) *providertest.Upstream {
	return &providertest.Upstream{Handler: func(r providertest.Request) providertest.Reply {
		if r.Header.Get("Authorization") != token {
			return providertest.Raw(http.StatusUnauthorized, http.Header{"Content-Type": {"application/json"}},
				`{"detail":"Token `+r.Header.Get("Authorization")+` has expired"}`)
		}
		return textStream("ok")
	}}
}

// Without a key the credentials come from a service. Where ChatGPT refuses them there is one refresh and one more try.
func TestManagedCredentials(t *testing.T) {
	t.Parallel()
	const body = `{"model":"gpt-5.3-codex","input":"hi"}`
	tests := []struct {
		name, service string
		table         map[string]any
		token         string // that ChatGPT takes
		stuck         bool
		status, asked int
	}{
		{name: "good", service: "oauth_codex", token: "Bearer access-token-a", status: 200, asked: 1},
		{name: "expired", service: "oauth_codex", token: "Bearer access-token-b", status: 200, asked: 2},
		{name: "refused twice", service: "oauth_codex", token: "Bearer another", status: 401, asked: 2},
		{name: "no refresh", service: "oauth_codex", token: "Bearer another", stuck: true, status: 401, asked: 1},
		{
			name: "configured", service: "my_manager", table: map[string]any{"auth_manager": "my_manager"},
			token: "Bearer access-token-b", status: 200, asked: 2,
		},
		{name: "missing", service: "my_manager", table: map[string]any{"auth_manager": "other"}, status: 401},
	}
	for _, tt := range tests {
		for kind, service := range map[string]any{
			"source": source{&manager{stuck: tt.stuck}}, "credentials": &manager{stuck: tt.stuck},
		} {
			t.Run(tt.name+" of "+kind, func(t *testing.T) {
				t.Parallel()
				up := guarded(tt.token)
				proxy := start(t, up, settings(tt.table), authPlugin(tt.service, service))
				w := post(t, proxy, "/codex/v1/responses", body)
				if w.Code != tt.status || len(up.Requests()) != tt.asked {
					t.Errorf("%d %s after %d requests, want %d after %d", w.Code, w.Body, len(up.Requests()), tt.status, tt.asked)
				}
				checkAccount(t, w.Body.String(), up.Requests())
			})
		}
	}
}

func checkAccount(t *testing.T, answer string, requests []providertest.Request) {
	t.Helper()
	if strings.Contains(answer, "access-token") {
		t.Errorf("a token is in the answer: %s", answer)
	}
	for _, r := range requests {
		if r.Host != "chatgpt.com" || r.Header.Get("Chatgpt-Account-Id") != "acc-7" {
			t.Errorf("asked %s for account %q", r.Host, r.Header.Get("Chatgpt-Account-Id"))
		}
	}
}

// Without a key and without the service the plugin stays away.
func TestNoCredentialsOptsOut(t *testing.T) {
	t.Parallel()
	up := upstream(textStream("ok"))
	proxy := start(t, up, ccproxy.Settings{})
	status := proxy.Statuses()[0]
	if status.State != "skipped" || !errors.Is(status.Reason, ccproxy.ErrSkip) || !strings.Contains(status.Reason.Error(), "api_key") {
		t.Errorf("status = %+v", status)
	}
}

// A configuration that is wrong is refused with the full key.
func TestConfigErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		table map[string]any
		want  string
	}{
		{"backend", map[string]any{"backend": "x"}, "plugins.codex.backend"},
		{"address", map[string]any{"base_url": "here"}, "plugins.codex.base_url"},
		{"query", map[string]any{"base_url": "https://x.test?key=" + testKey}, "plugins.codex.base_url"},
		{"model", map[string]any{"models": []any{""}}, "plugins.codex.models[0]"},
		{"unknown", map[string]any{"instrctions": "x"}, "plugins.codex.instrctions"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg ccproxy.Registry
			if err := reg.Register(codex.Factory()); err != nil {
				t.Fatal(err)
			}
			_, err := reg.Build(settings(tt.table))
			if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), testKey) {
				t.Errorf("Build = %v, want %s", err, tt.want)
			}
		})
	}
}

// The Codex CLI compresses its requests with zstd.
func TestCompressedRequest(t *testing.T) {
	t.Parallel()
	const body = `{"model":"gpt-5.5","instructions":"x","input":[],"stream":true,"store":false}`
	up := upstream(textStream("ok"))
	s := settings(chatGPT(nil))
	s.Limits.BodyBytes = 1 << 20
	proxy := start(t, up, s)
	send := func(text string) int {
		var b bytes.Buffer
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(z, text); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		return ask(t, proxy, http.MethodPost, "/codex/responses", "Content-Encoding: zstd", b.String()).Code
	}
	status := send(body)
	got, _ := up.Last()
	if status != http.StatusOK || string(got.Body) != body || got.Header.Get("Content-Encoding") != "" {
		t.Errorf("%d, upstream got %q in %q", status, got.Body, got.Header.Get("Content-Encoding"))
	}
	if status := send(`{"x":"` + strings.Repeat(" ", 2<<20) + `"}`); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is large when it is decompressed gets %d", status)
	}
}

// Errors keep their status and what they say, and come with the limits of the account.
func TestErrors(t *testing.T) {
	t.Parallel()
	const limited = `{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","resets_in_seconds":90}}`
	tests := []struct {
		name, body string
		status     int
		want       []string
		retry      string
	}{
		{"detail", `{"detail":"Unsupported parameter: x"}`, 400, []string{`"message":"Unsupported parameter: x"`}, ""},
		{"detail with a message", `{"detail":{"message":"No","code":"x"}}`, 403, []string{`"message":"No"`}, ""},
		{"detail of another shape", `{"detail":[{"loc":["body"]}]}`, 422, []string{`loc`}, ""},
		{"usage limit", limited, 429, []string{`usage_limit_reached`, `"message":"The usage limit has been reached"`}, "90"},
		{"gateway", `<html>`, 502, []string{"502"}, ""},
	}
	for _, tt := range tests {
		for _, path := range []string{"/codex/v1/responses", "/codex/v1/messages", "/codex/v1/chat/completions"} {
			t.Run(tt.name+path, func(t *testing.T) {
				t.Parallel()
				h := http.Header{"Content-Type": {"application/json"}, "X-Codex-Primary-Used-Percent": {"42"}}
				proxy := start(t, upstream(providertest.Raw(tt.status, h, tt.body)), settings(chatGPT(nil)))
				w := post(t, proxy, path, `{"model":"gpt-5.3-codex","max_tokens":5,"messages":[{"role":"user","content":"x"}],"input":"x"}`)
				if w.Code != tt.status || w.Header().Get("Retry-After") != tt.retry || w.Header().Get("X-Codex-Primary-Used-Percent") != "42" {
					t.Errorf("%d %v", w.Code, w.Header())
				}
				for _, part := range tt.want {
					if tt.name == "usage limit" && part == "usage_limit_reached" && !strings.HasSuffix(path, "/responses") {
						continue // other dialects have types of their own
					}
					if !strings.Contains(w.Body.String(), part) {
						t.Errorf("answer has no %s: %s", part, w.Body)
					}
				}
			})
		}
	}
}

// Answers come with the limits of the account, too.
func TestLimitHeaders(t *testing.T) {
	t.Parallel()
	reply := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Codex-Primary-Reset-After-Seconds", "7")
		w.Header().Set("Openai-Processing-Ms", "5")
		_, _ = io.WriteString(w, textEvents("resp_1", "ok"))
	}
	proxy := start(t, upstream(reply), settings(chatGPT(nil)))
	for _, body := range []string{`{"model":"m","input":"x"}`, `{"model":"m","input":"x","stream":true}`} {
		h := post(t, proxy, "/codex/v1/responses", body).Header()
		if h.Get("X-Codex-Primary-Reset-After-Seconds") != "7" || h.Get("Openai-Processing-Ms") != "5" {
			t.Errorf("%s: headers %v", body, h)
		}
	}
}

// A client that leaves ends the call, also while its whole answer is put together.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"false", "true"} {
		t.Run("stream "+stream, func(t *testing.T) {
			t.Parallel()
			first := strings.Index(textEvents("resp_1", "x"), "event: response.content_part.added")
			begun := make(chan struct{})
			up := upstream(providertest.Stream(
				providertest.Bytes(textEvents("resp_1", "x")[:first]),
				func(ctx context.Context, _ io.Writer) error { close(begun); <-ctx.Done(); return ctx.Err() },
			))
			proxy := start(t, up, settings(chatGPT(nil)))
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-begun; cancel() }()
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/codex/v1/responses",
				strings.NewReader(`{"model":"m","input":"x","stream":`+stream+`}`))
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			<-up.Canceled()
		})
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	const slugs = `{"models":[{"slug":"gpt-5.5","display_name":"GPT-5.5","supported_in_api":true}]}`
	list := func(r providertest.Request) providertest.Reply {
		switch r.Host + r.Path + "?" + r.RawQuery {
		case "chatgpt.com/backend-api/codex/models?client_version=0.169.0":
			return providertest.Raw(http.StatusOK, nil, slugs)
		case "api.openai.com/v1/models?":
			return providertest.Raw(http.StatusOK, nil, `{"object":"list","data":[{"id":"gpt-4.1","owned_by":"openai"}]}`)
		}
		return providertest.Error(http.StatusNotFound, "not_found_error", r.Host+r.Path+"?"+r.RawQuery, nil)
	}
	tests := []struct {
		name  string
		table map[string]any
		want  []string
	}{
		{"static", chatGPT(nil), []string{`"models":[{`, `"id":"gpt-5.3-codex"`, `"slug":"gpt-5.3-codex"`, `"display_name":"gpt-5.3-codex"`}},
		{"configured", chatGPT(map[string]any{"models": []any{"mine"}}), []string{`"id":"mine"`, `"slug":"mine"`}},
		{"asked", chatGPT(map[string]any{"client_version": "0.169.0"}), []string{
			`"id":"gpt-5.5"`, `"slug":"gpt-5.5"`, `"display_name":"GPT-5.5"`, `"supported_in_api":true`,
		}},
		{"public", map[string]any{"api_key": testKey}, []string{`"id":"gpt-4.1"`, `"owned_by":"openai"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			proxy := start(t, &providertest.Upstream{Handler: list}, settings(tt.table))
			for _, path := range []string{"/codex/v1/models", "/codex/models?client_version=1"} {
				w := ask(t, proxy, http.MethodGet, path, "", "")
				for _, part := range tt.want {
					if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), part) {
						t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, part)
					}
				}
			}
		})
	}
}

// Where the WebSocket is off a handshake is answered 426: at anything else the Codex CLI goes on trying for a while.
func TestNoWebSocket(t *testing.T) {
	t.Parallel()
	proxy := start(t, upstream(textStream("ok")), settings(chatGPT(map[string]any{"no_websocket": true})))
	for _, path := range []string{"/codex/v1/responses", "/codex/responses"} {
		w := ask(t, proxy, http.MethodGet, path, "Upgrade: websocket\nConnection: Upgrade", "")
		if w.Code != http.StatusUpgradeRequired {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
