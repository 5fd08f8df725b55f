package providers_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
)

// queue is a pool that goes from one account to the next, and writes down what it is told.
type queue struct {
	accounts []providers.Account
	told     []string
}

func (q *queue) Authorize(context.Context, http.Header) error {
	return errors.New("nobody asks for it")
}

func (q *queue) Next(_ context.Context, c providers.Choice) (providers.Turn, error) {
	for _, a := range q.accounts {
		if !slices.Contains(c.Tried, a.Name) {
			return &queued{q, a}, nil
		}
	}
	return nil, &ccproxy.Error{Status: http.StatusServiceUnavailable, Message: "nobody is left"}
}

type queued struct {
	queue   *queue
	account providers.Account
}

func (t *queued) Account() string                    { return t.account.Name }
func (t *queued) Credentials() providers.Credentials { return t.account.Credentials }
func (t *queued) End()                               { t.queue.told = append(t.queue.told, t.account.Name+" ended") }

func (t *queued) Report(_ context.Context, o providers.Outcome) bool {
	t.queue.told = append(t.queue.told, fmt.Sprintf("%s %d %t", t.account.Name, o.Status, o.NoCredentials))
	return o.Status >= 400 || o.NoCredentials
}

// pooled is a proxy of a provider with a pool.
func pooled(t *testing.T, pool providers.Pool, up http.RoundTripper) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	err := reg.Register(providers.New(ccproxy.Manifest{Name: "acme"}, providers.Upstream{
		BaseURL: "https://acme.test", Formats: []adapters.Format{adapters.AnthropicMessages}, Credentials: pool,
	}))
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithTransport(up))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

// Each attempt goes with the credentials of its own account and no other's, is reported once and ends once; the client
// gets the last answer.
func TestPool(t *testing.T) {
	t.Parallel()
	none := providers.CredentialsFunc(func(context.Context, http.Header) error { return errors.New("no login") })
	key := func(name, value string) providers.Credentials {
		return providers.HeaderKey(name, ccproxy.NewSecret(value))
	}
	tests := []struct {
		name     string
		accounts []providers.Account
		status   int
		sent     []string // the credentials of each request
		told     []string
	}{
		{
			"second",
			[]providers.Account{
				{Name: "a", Credentials: key("X-Api-Key", "refused-0123456789")},
				{Name: "b", Credentials: key("Authorization", "Bearer good-0123456789")},
			},
			200,
			[]string{"refused-0123456789 | ", " | Bearer good-0123456789"},
			[]string{"a 429 false", "a ended", "b 200 false", "b ended"},
		},
		{
			"nobody left",
			[]providers.Account{{Name: "a", Credentials: key("X-Api-Key", "refused-0123456789")}},
			429,
			[]string{"refused-0123456789 | "},
			[]string{"a 429 false", "a ended"},
		},
		{
			"no login",
			[]providers.Account{{Name: "a", Credentials: none}, {Name: "b", Credentials: key("X-Api-Key", "good-0123456789")}},
			200,
			[]string{"good-0123456789 | "},
			[]string{"a 0 true", "a ended", "b 200 false", "b ended"},
		},
		{
			"broken",
			[]providers.Account{
				{Name: "a", Credentials: key("X-Api-Key", "broken-0123456789")}, {Name: "b", Credentials: key("X-Api-Key", "good-0123456789")},
			},
			502,
			[]string{"broken-0123456789 | "},
			[]string{"a 0 false", "a ended"},
		},
		{"empty", nil, 503, nil, nil},
	}
	for _, tt := range tests {
		for _, method := range []string{http.MethodPost, http.MethodGet} { // a call, and the list of models
			t.Run(tt.name+" "+method, func(t *testing.T) {
				t.Parallel()
				var sent []string
				up := roundTrip(func(r *http.Request) (*http.Response, error) {
					sent = append(sent, r.Header.Get("X-Api-Key")+" | "+r.Header.Get("Authorization"))
					if r.Body != nil {
						_, _ = io.Copy(io.Discard, r.Body)
						_ = r.Body.Close()
					}
					w := httptest.NewRecorder()
					w.Header().Set("Content-Type", "application/json")
					switch last := sent[len(sent)-1]; {
					case strings.Contains(last, "broken"):
						return nil, errors.New("connection broken")
					case strings.Contains(last, "refused"):
						w.WriteHeader(http.StatusTooManyRequests)
					}
					_, _ = w.WriteString(`{"data":[]}`)
					return w.Result(), nil
				})
				pool := &queue{accounts: tt.accounts}
				proxy := pooled(t, pool, up)
				path := "/acme/v1/messages"
				if method == http.MethodGet {
					path = "/acme/v1/models"
				}
				w := httptest.NewRecorder()
				proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(`{"model":"m"}`)))
				if w.Code != tt.status {
					t.Errorf("%d %s, want %d", w.Code, w.Body, tt.status)
				}
				if diff := cmp.Diff(tt.sent, sent); diff != "" {
					t.Errorf("credentials mismatch (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.told, pool.told); diff != "" {
					t.Errorf("reports mismatch (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// How a stream went is told by its first event, however it is cut into pieces, and once.
func TestPoolStreams(t *testing.T) {
	t.Parallel()
	const start = `event: message_start` + "\n" + `data: {"type":"message_start","message":{"id":"m"}}` + "\n\n"
	failure := func(typ string) string {
		return "event: error\ndata: " + `{"type":"error","error":{"type":"` + typ + `","message":"no"}}` + "\n\n"
	}
	tests := []struct {
		name, stream string
		status       int
	}{
		{"message", start + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", 200},
		{"error later", start + failure("overloaded_error"), 200},
		{"rate limit", failure("rate_limit_error"), 429},
		{"after comments", ": hello\n\n: again\r\n\r\n" + failure("overloaded_error"), 529},
		{"carriage returns", strings.ReplaceAll(failure("overloaded_error"), "\n", "\r\n"), 529},
		{"carriage returns alone", strings.ReplaceAll(failure("overloaded_error"), "\n", "\r"), 529},
		{"key", failure("authentication_error"), 401},
		{"unknown", failure("something_new"), 500},
		{"code", `data: {"error":{"type":"x","code":"rate_limit_exceeded","message":"no"}}` + "\n\n", 429},
		{
			"failed response",
			"event: response.failed\ndata: " + `{"type":"response.failed","response":{"id":"r","error":{"code":"slow_down","message":"no"}}}` + "\n\n", 503,
		},
		{"created response", "event: response.created\ndata: " + `{"type":"response.created","response":{"id":"r","error":null}}` + "\n\n", 200},
		{"error of Responses", "event: error\ndata: " + `{"type":"error","code":"rate_limit_exceeded","message":"no","sequence_number":0}` + "\n\n", 429},
		{"not whole", `data: {"error":{"type":"rate_limit_error"}}`, 429},
		{"empty", "", 200},
		{"very long", "data: " + strings.Repeat("x", 1<<16) + "\n\n", 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 7, 1 << 20, compressed} {
				up := roundTrip(func(r *http.Request) (*http.Response, error) {
					_ = r.Body.Close()
					w := httptest.NewRecorder()
					w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
					if size == compressed {
						w.Header().Set("Content-Encoding", "gzip")
					}
					resp := w.Result()
					resp.Body = io.NopCloser(&pieces{strings.NewReader(tt.stream), size})
					if size == compressed {
						resp.Body = io.NopCloser(strings.NewReader(zipped(tt.stream)))
					}
					return resp, nil
				})
				pool := &queue{accounts: []providers.Account{{
					Name: "a", Credentials: providers.BearerKey(ccproxy.NewSecret("good-0123456789")),
				}}}
				proxy := pooled(t, pool, up)
				body := `{"model":"m","stream":true}`
				w := httptest.NewRecorder()
				proxy.ServeHTTP(w, httptest.NewRequestWithContext(
					t.Context(), http.MethodPost, "/acme/v1/messages", strings.NewReader(body)))
				want := []string{fmt.Sprintf("a %d false", tt.status), "a ended"}
				if diff := cmp.Diff(want, pool.told); diff != "" {
					t.Errorf("pieces of %d: reports mismatch (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

// compressed stands for a stream that is compressed, although nobody asked for that.
const compressed = -1

func zipped(text string) string {
	var b strings.Builder
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text) // into memory
	_ = z.Close()
	return b.String()
}

// A stream that nobody can read is the account's failure.
func TestPoolUnreadable(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"br", "gzip"} {
		up := roundTrip(func(r *http.Request) (*http.Response, error) {
			_ = r.Body.Close()
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Content-Encoding", encoding)
			_, _ = w.WriteString("data: {}\n\n")
			return w.Result(), nil
		})
		pool := &queue{accounts: []providers.Account{{
			Name: "a", Credentials: providers.BearerKey(ccproxy.NewSecret("good-0123456789")),
		}}}
		proxy := pooled(t, pool, up)
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequestWithContext(
			t.Context(), http.MethodPost, "/acme/v1/messages", strings.NewReader(`{"model":"m","stream":true}`)))
		if w.Code != http.StatusBadGateway || len(pool.told) != 2 || pool.told[1] != "a ended" {
			t.Errorf("%s: %d %s, told %q", encoding, w.Code, w.Body, pool.told)
		}
	}
}

// pieces reads a few bytes at a time.
type pieces struct {
	io.Reader

	size int
}

func (p *pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.size)]) }

// A provider with several accounts gets its credentials from the service that makes pools.
func ExampleBalanced() {
	acme := providers.NewFunc(
		ccproxy.Manifest{Name: "acme", OptionalRequires: providers.BalancerServices()},
		[]adapters.Format{adapters.OpenAIChatCompletions},
		func(pc *ccproxy.PluginContext) (providers.Upstream, error) {
			creds, err := providers.Balanced(pc, "acme", []providers.Account{
				{Name: "first", Credentials: providers.BearerKey(ccproxy.NewSecret("the-first-key"))},
				{Name: "second", Credentials: providers.BearerKey(ccproxy.NewSecret("the-second-key"))},
			})
			return providers.Upstream{
				BaseURL: "https://acme.test", Formats: []adapters.Format{adapters.OpenAIChatCompletions}, Credentials: creds,
			}, err
		})
	var reg ccproxy.Registry
	if err := reg.Register(acme); err != nil { // and the plugin balancer, which is missing here
		fmt.Println(err)
		return
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := proxy.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range proxy.Statuses() {
		fmt.Println(s.Name, errors.Is(s.Reason, ccproxy.ErrMissingDependency))
	}
	_ = proxy.Shutdown(ctx)
	// Output: acme true
}
