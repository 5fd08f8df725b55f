package ccproxy_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// capture collects text from several goroutines.
type capture struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *capture) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(b)
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

// world is one proxy with everything that may hold a trace of it: what it logs, tells hooks, answers and sends.
type world struct {
	mark    string // in everything that is this world's own
	key     string
	client  string // the client's credential
	proxy   *ccproxy.Proxy
	up      providertest.Upstream
	logs    capture
	hooks   capture
	answers capture
}

func newWorld(t *testing.T, mark string) *world {
	t.Helper()
	w := &world{mark: mark, key: "sk-key-" + mark, client: "sk-client-" + mark}
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey, cfg.ForwardHeaders = ccproxy.NewSecret(w.key), []string{"X-Mark"}
	observer := hooks.Observe("all", func(_ context.Context, hc *hooks.Context) error {
		fmt.Fprintf(&w.hooks, "%s %s %+v\n", hc.Event, hc.Plugin, hc.Payload)
		return nil
	}, hooks.Events()...)
	own := &actor{init: func(_ context.Context, pc *ccproxy.PluginContext) error {
		pc.Logger.Debug("initialized", "mark", mark, "settings", pc.Settings)
		return pc.Provide("mark", mark)
	}}
	failing := &actor{init: func(context.Context, *ccproxy.PluginContext) error { return fmt.Errorf("fails %s", mark) }}
	user := routeOf("mark")
	user.New = func(pc *ccproxy.PluginContext) (http.Handler, error) {
		svc, err := ccproxy.ServiceOf[string](pc, "mark")
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, svc) }), err
	}
	marks := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("X-Middleware", mark)
			next.ServeHTTP(rw, r)
		})
	}
	w.proxy = running(t, ccproxy.Settings{Plugins: map[string]map[string]any{
		"echo": {"models": []any{"model-" + mark}, "prefix": mark + " "},
		"keep": {"key": "sk-table-" + mark},
	}}, []ccproxy.Factory{
		claudeapi.Factory(), echo.Factory(), playedBy(ccproxy.Manifest{Name: "own", Provides: []string{"mark"}}, own),
		playedBy(ccproxy.Manifest{Name: "failing"}, failing),
		plain(ccproxy.Manifest{Name: "keep", Config: ccproxy.ConfigFor(fullDefaults)}),
		plain(ccproxy.Manifest{Name: "user", Requires: []string{"mark"}, Routes: []ccproxy.RouteSpec{user}}),
		plain(ccproxy.Manifest{Name: "watch", Hooks: []ccproxy.HookSpec{{Queue: 1 << 16, New: newOf(observer, noStep)}}}),
	}, ccproxy.WithPluginConfig(claudeapi.Name, *cfg), ccproxy.WithTransport(w.up.Transport()), ccproxy.WithMiddleware(marks),
		ccproxy.WithLogger(slog.New(slog.NewJSONHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))))
	t.Cleanup(func() { _ = w.up.Close() })
	return w
}

// visitAll sends one request of every kind.
func (w *world) visitAll(i int) {
	body := func(s string) string { return strings.Replace(s, "one two three", "said "+w.mark, 1) }
	requests := []struct{ method, path, body string }{
		{"POST", claudeMessages, body(wholeRequest)},
		{"POST", claudeMessages, body(streamRequest)},
		{"POST", claudeMessages + "?api_key=" + w.client, "{"},
		{"POST", echoMessages, body(wholeRequest)},
		{"POST", echoMessages, body(streamRequest)},
		{"POST", echoMessages, `{"model":1}`},
		{"GET", "/echo/v1/models", ""},
		{"GET", "/claude/v1/models", ""},
		{"GET", "/plugins", ""},
		{"GET", "/plugins/status", ""},
		{"GET", "/plugins/claude_api/health", ""},
		{"GET", "/plugins/failing/health", ""},
		{"GET", "/health", ""},
		{"GET", "/mark", ""},
		{"GET", "/nowhere", ""},
	}
	if i%10 == 0 {
		// An upstream that repeats the credential it was sent, in an error and in a header.
		w.up.Enqueue(providertest.Error(401, "authentication_error", "invalid x-api-key: "+w.key, http.Header{"X-Echo": {w.key}}), providertest.Drop())
	}
	for _, rq := range requests {
		r := httptest.NewRequest(rq.method, rq.path, strings.NewReader(rq.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+w.client)
		r.Header.Set("X-Api-Key", w.client)
		r.Header.Set("Cookie", "session="+w.client)
		r.Header.Set("X-Mark", w.mark)
		rec := httptest.NewRecorder()
		w.proxy.ServeHTTP(rec, r)
		fmt.Fprintf(&w.answers, "%d %v %s\n", rec.Code, rec.Header(), rec.Body)
	}
}

// sent is what reached the upstream.
func (w *world) sent() string {
	var b strings.Builder
	for _, r := range w.up.Requests() {
		fmt.Fprintf(&b, "%s %v %s\n", r.Path, r.Header, r.Body)
	}
	return b.String()
}

func formsOf(secret string) []string {
	forms := []string{secret}
	for pad := range 3 { // base64 of a text that holds it depends on where it begins
		enc := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", pad) + secret))
		forms = append(forms, enc[(pad*8+5)/6:len(enc)-2])
	}
	return forms
}

func TestProxiesAreIsolated(t *testing.T) {
	t.Parallel()
	worlds := []*world{newWorld(t, "canaryred"), newWorld(t, "canaryblue")}
	var wg sync.WaitGroup
	for _, w := range worlds {
		for g := range 4 {
			wg.Go(func() {
				for i := range 15 {
					w.visitAll(g + i)
				}
			})
		}
	}
	wg.Wait()
	for _, w := range worlds {
		if err := w.proxy.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
	}
	for i, w := range worlds {
		other := worlds[1-i]
		traces := map[string]string{"log": w.logs.String(), "hooks": w.hooks.String(), "answers": w.answers.String(), "upstream": w.sent()}
		for where, text := range traces {
			if strings.Contains(text, other.mark) {
				t.Errorf("%s of %s holds something of %s:\n%s", where, w.mark, other.mark, around(text, other.mark))
			}
			if !strings.Contains(text, w.mark) {
				t.Errorf("%s of %s holds nothing of its own: the test sees nothing", where, w.mark)
			}
			if where == "upstream" {
				if !strings.Contains(text, w.key) || strings.Contains(text, w.client) {
					t.Errorf("the upstream of %s got the wrong credential", w.mark)
				}
				continue
			}
			for _, secret := range []string{w.key, w.client, "sk-table-" + w.mark} {
				for _, form := range formsOf(secret) {
					if strings.Contains(text, form) {
						t.Errorf("%s of %s shows the secret %s:\n%s", where, w.mark, secret, around(text, form))
					}
				}
			}
		}
	}
}

func around(text, found string) string {
	i := strings.Index(text, found)
	return text[max(0, i-200):min(len(text), i+200)]
}
