package ccproxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

const (
	chatBody      = `{"model":"echo-1","messages":[{"role":"user","content":"Hello you"}]}`
	responsesBody = `{"model":"echo-1","input":"Hello you"}`
	messagesBody  = `{"model":"echo-1","max_tokens":9,"messages":[{"role":"user","content":"Hello you"}]}`
)

// limited runs a proxy of echo, which counts three tokens in and three out.
func limited(t *testing.T, s ccproxy.Security, opts ...ccproxy.Option) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory()); err != nil {
		t.Fatal(err)
	}
	settings := ccproxy.Settings{
		Security: s, Plugins: map[string]map[string]any{echo.Name: {"delay": "1s"}},
	}
	proxy, err := reg.Build(settings, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return proxy
}

// sends posts a message in the name of a caller, if it has one.
func sends(ctx context.Context, h http.Handler, caller, path, body string) *httptest.ResponseRecorder {
	if caller != "" {
		ctx = ccproxy.ContextWithCaller(ctx, ccproxy.Caller{ID: caller})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body)))
	return w
}

// A caller beyond its limits gets what its SDK understands: status, type, Retry-After and the headers of limits.
func TestLimitedInEveryDialect(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, body, want string
		header                 map[string]string
	}{
		{
			"messages", "/echo/v1/messages", messagesBody,
			`"type":"rate_limit_error","message":"rate limit reached: this caller may take 2 requests per minute"`,
			map[string]string{
				"Anthropic-Ratelimit-Requests-Limit": "2", "Anthropic-Ratelimit-Requests-Remaining": "0",
				"Anthropic-Ratelimit-Requests-Reset": "2000-01-01T00:01:00Z", "Anthropic-Ratelimit-Tokens-Limit": "1000",
				"Anthropic-Ratelimit-Tokens-Remaining": "988", "X-Ratelimit-Limit-Requests": "",
			},
		},
		{
			"chat", "/echo/v1/chat/completions", chatBody, `"type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"`,
			map[string]string{
				"X-Ratelimit-Limit-Requests": "2", "X-Ratelimit-Remaining-Requests": "0",
				"X-Ratelimit-Reset-Requests": "1m0s", "X-Ratelimit-Limit-Tokens": "1000",
				"X-Ratelimit-Remaining-Tokens": "988", "Anthropic-Ratelimit-Requests-Limit": "",
			},
		},
		{
			"responses", "/v1/responses", responsesBody, `"code":"rate_limit_exceeded"`,
			map[string]string{"X-Ratelimit-Limit-Requests": "2", "X-Ratelimit-Remaining-Requests": "0"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				proxy := limited(t, ccproxy.Security{Limits: limit.Policy{RequestsPerMinute: 2, TokensPerMinute: 1000}})
				for _, left := range []string{"1", "0"} {
					w := sends(t.Context(), proxy, "team", tt.path, tt.body)
					got := w.Header().Get("Anthropic-Ratelimit-Requests-Remaining") + w.Header().Get("X-Ratelimit-Remaining-Requests")
					if w.Code != http.StatusOK || got != left {
						t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
					}
				}
				w := sends(t.Context(), proxy, "team", tt.path, tt.body)
				if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), tt.want) ||
					w.Header().Get("Retry-After") != "30" {
					t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
				}
				for name, want := range tt.header {
					if got := w.Header().Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				time.Sleep(30 * time.Second)
				if w := sends(t.Context(), proxy, "team", tt.path, tt.body); w.Code != http.StatusOK {
					t.Errorf("after Retry-After: %d %s", w.Code, w.Body)
				}
			})
		})
	}
}

// Tokens count when the answer has ended, whole or as a stream: the next request waits.
func TestLimitedTokens(t *testing.T) {
	t.Parallel()
	stream := strings.Replace(messagesBody, "{", `{"stream":true,`, 1)
	tests := []struct {
		name, path, body string
		code             int // of the second request
	}{
		{"messages", "/echo/v1/messages", messagesBody, 429},
		{"stream", "/echo/v1/messages", stream, 429},
		{"chat", "/echo/v1/chat/completions", chatBody, 429},
		{"chat stream", "/echo/v1/chat/completions", strings.Replace(
			chatBody, "{", `{"stream":true,"stream_options":{"include_usage":true},`, 1), 429},
		{"responses stream", "/echo/v1/responses", strings.Replace(responsesBody, "{", `{"stream":true,`, 1), 429},
		{"counting is free", "/echo/v1/messages/count_tokens", messagesBody, 200},
		{"errors are free", "/echo/v1/messages", `{"model":`, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// Six tokens are gone when the last of them is.
				proxy := limited(t, ccproxy.Security{Limits: limit.Policy{TokensPerMinute: 6}})
				first := sends(t.Context(), proxy, "team", tt.path, tt.body)
				second := sends(t.Context(), proxy, "team", tt.path, tt.body)
				if first.Code == 429 || second.Code != tt.code {
					t.Fatalf("%d, then %d %s", first.Code, second.Code, second.Body)
				}
				if tt.code == 429 && (second.Header().Get("Retry-After") != "10" ||
					!strings.Contains(second.Body.String(), "6 tokens per minute")) {
					t.Errorf("%v %s", second.Header(), second.Body)
				}
				if other := sends(t.Context(), proxy, "other", tt.path, tt.body); other.Code == 429 {
					t.Errorf("another caller: %d %s", other.Code, other.Body)
				}
				time.Sleep(11 * time.Second)
				if w := sends(t.Context(), proxy, "team", tt.path, tt.body); w.Code != first.Code {
					t.Errorf("after Retry-After: %d %s", w.Code, w.Body)
				}
			})
		})
	}
}

// mute is a provider that tells nothing of what it has used.
type mute struct{ size int }

func (mute) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }

func (m mute) Do(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
	body := `{"type":"message","content":"` + strings.Repeat("x", m.size) + `"}`
	return &ccproxy.Answer{Body: io.NopCloser(strings.NewReader(body))}, nil
}

// Where nobody tells the tokens they are estimated by the sizes of request and answer, four bytes each.
func TestLimitedEstimate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := ccproxy.Manifest{Name: "mute", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.AnthropicMessages},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return mute{4000}, nil },
		}}}
		security := ccproxy.Security{Limits: limit.Policy{TokensPerMinute: 10_000}}
		proxy := running(t, ccproxy.Settings{Security: security}, []ccproxy.Factory{ccproxy.NewFactory(m, nil)})
		defer proxy.Shutdown(t.Context())
		sends(t.Context(), proxy, "team", "/mute/v1/messages", messagesBody)
		w := sends(t.Context(), proxy, "team", "/mute/v1/messages", messagesBody)
		if left := w.Header().Get("Anthropic-Ratelimit-Tokens-Remaining"); left < "8960" || left > "8985" || len(left) != 4 {
			t.Errorf("%s tokens are left of 10000 after about 1030", left)
		}
	})
}

// A caller's streams count until they have ended, also where the caller leaves.
func TestLimitedConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := limited(t, ccproxy.Security{Limits: limit.Policy{Concurrency: 2}})
		stream := strings.Replace(messagesBody, "{", `{"stream":true,`, 1)
		leaving, leave := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, ctx := range []context.Context{t.Context(), leaving} {
			running.Go(func() { sends(ctx, proxy, "team", "/echo/v1/messages", stream) })
		}
		synctest.Wait()
		w := sends(t.Context(), proxy, "team", "/v1/messages", messagesBody)
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "2 requests at a time") {
			t.Errorf("third: %d %v %s", w.Code, w.Header(), w.Body)
		}
		if w := sends(t.Context(), proxy, "other", "/v1/messages", messagesBody); w.Code != http.StatusOK {
			t.Errorf("another caller: %d %s", w.Code, w.Body)
		}
		leave()
		synctest.Wait()
		if w := sends(t.Context(), proxy, "team", "/v1/messages", messagesBody); w.Code != http.StatusOK {
			t.Errorf("after one has left: %d %s", w.Code, w.Body)
		}
		running.Wait()
	})
}

// Whose limits hold: a caller's own, those of the key of that name, those of all. Less than zero is none at all.
func TestLimitsOfCallers(t *testing.T) {
	t.Parallel()
	key := func(name string, p limit.Policy) ccproxy.APIKey {
		return ccproxy.APIKey{Name: name, Value: ccproxy.NewSecret("the-key-of-" + name), Limits: p}
	}
	security := ccproxy.Security{
		Limits: limit.Policy{RequestsPerMinute: 2},
		Keys: []ccproxy.APIKey{
			key("few", limit.Policy{RequestsPerMinute: 1}), key("many", limit.Policy{RequestsPerMinute: 5}),
			key("plain", limit.Policy{}), key("free", limit.Policy{RequestsPerMinute: -1}),
		},
	}
	own := func(p limit.Policy) func(*http.Request) *http.Request {
		return func(r *http.Request) *http.Request {
			return r.WithContext(ccproxy.ContextWithCaller(r.Context(), ccproxy.Caller{ID: "host's", Limits: p}))
		}
	}
	tests := []struct {
		name    string
		prepare func(*http.Request) *http.Request
		key     string
		most    int // of ten
	}{
		{name: "key with less", key: "few", most: 1},
		{name: "key with more", key: "many", most: 5},
		{name: "key without", key: "plain", most: 2},
		{name: "key without limits", key: "free", most: 10},
		{name: "caller with its own", prepare: own(limit.Policy{RequestsPerMinute: 3}), most: 3},
		{name: "caller without", prepare: own(limit.Policy{}), most: 2},
		{name: "caller without limits", prepare: own(limit.Policy{RequestsPerMinute: -1}), most: 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				proxy := limited(t, security)
				let := 0
				for range 10 {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/echo/v1/messages", strings.NewReader(messagesBody))
					if tt.key != "" {
						r.Header.Set("X-Api-Key", "the-key-of-"+tt.key)
					}
					if tt.prepare != nil {
						r = tt.prepare(r)
					}
					w := httptest.NewRecorder()
					proxy.ServeHTTP(w, r)
					switch w.Code {
					case http.StatusOK:
						let++
					case http.StatusTooManyRequests:
					default:
						t.Fatalf("%d %s", w.Code, w.Body)
					}
				}
				if let != tt.most {
					t.Errorf("%d requests, want %d", let, tt.most)
				}
			})
		})
	}
}

// Nobody in particular is one caller, and what is no call of a model is free. A program's own calls have limits only
// where it says for whom they are.
func TestLimitsOfNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := limited(t, ccproxy.Security{Limits: limit.Policy{RequestsPerMinute: 1}})
		for i, want := range []int{200, 429} {
			if w := sends(t.Context(), proxy, "", "/v1/messages", messagesBody); w.Code != want {
				t.Errorf("request %d: %d %s", i, w.Code, w.Body)
			}
		}
		for _, path := range []string{"/health", "/v1/models", "/echo/v1/models", "/plugins"} {
			for range 3 {
				if w := visit(proxy, "GET", path, ""); w.Code != http.StatusOK {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			}
		}
		for _, tt := range []struct {
			name   string
			client *http.Client
			want   []int
		}{
			{"own", &http.Client{Transport: proxy.Transport()}, []int{200, 200, 200}},
			{"for a caller", &http.Client{Transport: proxy.Transport(
				ccproxy.TransportCaller(ccproxy.Caller{ID: "job"}))}, []int{200, 429}},
		} {
			for i, want := range tt.want {
				resp, err := tt.client.Post("http://proxy/v1/messages", "application/json", strings.NewReader(messagesBody))
				if err != nil {
					t.Fatal(err)
				}
				if resp.Body.Close(); resp.StatusCode != want {
					t.Errorf("%s %d: %d, want %d", tt.name, i, resp.StatusCode, want)
				}
			}
		}
	})
}

// lost is a limiter that is away now and then.
type lost struct {
	limit.Local

	away bool
}

func (l *lost) Begin(ctx context.Context, r limit.Request) (limit.Decision, error) {
	if l.away {
		return limit.Decision{}, errors.New("nobody is there")
	}
	return l.Local.Begin(ctx, r)
}

// While the limiter is away requests go on, or not, as the settings say. It is logged once, and once when it is back.
func TestLimiterAway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		closed bool
		code   int
	}{{"open", false, 200}, {"closed", true, 503}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				l := &lost{away: true}
				proxy := limited(t, ccproxy.Security{Limits: limit.Policy{RequestsPerMinute: 1}, LimitsFailClosed: tt.closed},
					ccproxy.WithLimiter(l), ccproxy.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				for range 5 {
					w := sends(t.Context(), proxy, "team", "/v1/messages", messagesBody)
					if w.Code != tt.code || tt.closed != (w.Header().Get("Retry-After") == "1") {
						t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
					}
				}
				l.away = false
				for _, want := range []int{200, 429, 429} {
					if w := sends(t.Context(), proxy, "team", "/v1/messages", messagesBody); w.Code != want {
						t.Errorf("when it is back: %d %s, want %d", w.Code, w.Body, want)
					}
				}
				text := log.String()
				if strings.Count(text, "cannot be looked up") != 1 || strings.Count(text, "can be looked up again") != 1 ||
					!strings.Contains(text, "requests_missed=5") {
					t.Errorf("log:\n%s", text)
				}
			})
		})
	}
}

// Proxies that share a limiter share what callers have left, as when one is swapped for another.
func TestLimiterShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(limit.Local)
		s := ccproxy.Security{Limits: limit.Policy{RequestsPerMinute: 1}}
		one, two := limited(t, s, ccproxy.WithLimiter(l)), limited(t, s, ccproxy.WithLimiter(l))
		if w := sends(t.Context(), one, "team", "/v1/messages", messagesBody); w.Code != http.StatusOK {
			t.Errorf("first: %d %s", w.Code, w.Body)
		}
		if w := sends(t.Context(), two, "team", "/v1/messages", messagesBody); w.Code != 429 {
			t.Errorf("at the other: %d, want 429", w.Code)
		}
	})
}

// What the provider says of its own account's limits stays with the proxy where callers have limits of their own.
func TestLimitsReplaceTheProviders(t *testing.T) {
	t.Parallel()
	m := ccproxy.Manifest{Name: "told", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
		Formats: []adapters.Format{adapters.AnthropicMessages},
		New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return told{}, nil },
	}}}
	for _, tt := range []struct {
		name  string
		limit limit.Policy
		want  string // of requests, and of tokens
	}{
		{"without limits", limit.Policy{}, "77 88"},
		{"with limits", limit.Policy{RequestsPerMinute: 4}, "3 "},
	} {
		proxy := running(t, ccproxy.Settings{Security: ccproxy.Security{Limits: tt.limit}}, []ccproxy.Factory{ccproxy.NewFactory(m, nil)})
		h := sends(t.Context(), proxy, "team", "/told/v1/messages", messagesBody).Header()
		got := h.Get("Anthropic-Ratelimit-Requests-Remaining") + " " + h.Get("Anthropic-Ratelimit-Tokens-Remaining")
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// told is a provider that tells of its account's limits.
type told struct{ mute }

func (p told) Do(ctx context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	ans, err := p.mute.Do(ctx, call)
	ans.Header = http.Header{
		"Anthropic-Ratelimit-Requests-Remaining": {"77"}, "Anthropic-Ratelimit-Tokens-Remaining": {"88"},
	}
	return ans, err
}
