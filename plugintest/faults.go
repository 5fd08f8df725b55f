package plugintest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// patience is how long a plugin that behaves may take to stop.
const patience = 10 * time.Second

// logbook keeps what a proxy logs, at any level.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns all that was logged.
func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// watched returns an option that has a proxy log into a new book.
func watched() (*logbook, ccproxy.Option) {
	book := new(logbook)
	handler := slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug - 8})
	return book, ccproxy.WithLogger(slog.New(handler))
}

// checkLog looks for panics of the plugin and for its secrets.
func (s *suite) checkLog(t *testing.T, book *logbook) {
	t.Helper()
	text := book.String()
	for line := range strings.Lines(text) {
		if strings.Contains(line, "panic") && strings.Contains(line, s.name) {
			t.Errorf("the plugin panics: %s", line)
		}
	}
	for _, secret := range s.secrets() {
		if strings.Contains(text, secret) {
			t.Error("a secret of the configuration is in the log")
		}
	}
}

var errAway = errors.New("nobody answers here")

// away is a network without anybody.
type away struct{}

// RoundTrip implements [http.RoundTripper].
func (away) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, errAway
}

// testAway starts the plugin where no upstream answers. It may run or fail, but not panic, hang or stay.
func (s *suite) testAway(t *testing.T) {
	t.Helper()
	book, logger := watched()
	p := s.buildWith(t, []ccproxy.Option{ccproxy.WithTransport(away{}), logger})
	begun := time.Now()
	err := p.Start(t.Context())
	if errors.Is(err, ccproxy.ErrPanic) || errors.Is(err, ccproxy.ErrAbandoned) {
		t.Errorf("Start without a network: %v", err)
	}
	if took := time.Since(begun); took > patience {
		t.Errorf("Start without a network took %v", took)
	}
	stop(t, p)
	s.checkAbandoned(t, p)
	s.checkLog(t, book)
}

// testRequests sends the plugin's endpoints what clients should not, from several clients at a time.
func (s *suite) testRequests(t *testing.T) {
	t.Helper()
	w := new(witness)
	book, logger := watched()
	p := s.buildWith(t, []ccproxy.Option{logger}, w.factory())
	s.start(t, p)
	var clients sync.WaitGroup
	for _, target := range targets(w.directory, s.name) {
		for _, body := range brokenBodies() {
			clients.Go(func() {
				if got := post(t, p, target, body); got.Code == http.StatusInternalServerError {
					t.Errorf("%s %s answers the body %.20q with %d %s",
						target.method, target.path, body, got.Code, got.Body)
				}
			})
		}
	}
	clients.Wait()
	s.checkHealth(t, p)
	stop(t, p)
	s.checkLog(t, book)
}

// brokenBodies are what no endpoint asks for.
func brokenBodies() []string {
	return []string{"{", "null", "[]", `"text"`, `{"model":1}`, "\x00\xff", strings.Repeat("[", 1000)}
}

// target is a method and a path of the plugin's.
type target struct{ method, path string }

// targets are the declared endpoints that take a body, and those of the plugin's providers.
func targets(directory ccproxy.PluginDirectory, name string) []target {
	var all []target
	for _, m := range directory.Manifests() {
		if m.Name != name {
			continue
		}
		for _, spec := range m.Providers {
			provider := spec.Name
			if provider == "" {
				provider = m.Name
			}
			all = append(all, target{http.MethodPost, "/" + provider + "/v1/messages"},
				target{http.MethodPost, "/" + provider + "/v1/chat/completions"})
		}
		for _, route := range m.Routes {
			for _, e := range route.Endpoints {
				if method := strings.ToUpper(e.Method); method != "" && method != http.MethodGet && !e.WebSocket {
					all = append(all, target{method, route.Prefix + filled(e.Pattern)})
				}
			}
		}
	}
	return all
}

func post(t *testing.T, h http.Handler, to target, body string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := leaver{httptest.NewRecorder(), cancel}
	r := httptest.NewRequestWithContext(ctx, to.method, to.path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(w, r)
	return w.ResponseRecorder
}

// testHooks tells the plugin's hooks of more events than wait for a slow one, with nothing in them, and stops it
// while it is still at it.
func (s *suite) testHooks(t *testing.T) {
	t.Helper()
	w := new(witness)
	book, logger := watched()
	p := s.buildWith(t, []ccproxy.Option{logger}, w.factory())
	s.start(t, p)
	for range 100 {
		for _, payload := range payloads() {
			w.hooks.Emit(hooks.Context{RequestID: "plugintest", Payload: payload})
		}
	}
	begun := time.Now()
	stop(t, p)
	if took := time.Since(begun); took > patience {
		t.Errorf("Shutdown took %v after many events", took)
	}
	s.checkAbandoned(t, p)
	s.checkLog(t, book)
}

// payloads are events of all kinds with nothing in them.
func payloads() []hooks.Payload {
	return []hooks.Payload{
		&hooks.RequestStarted{}, &hooks.RequestCompleted{}, &hooks.RequestFailed{},
		&hooks.HTTPRequest{}, &hooks.HTTPResponse{}, &hooks.HTTPError{},
		&hooks.ProviderRequestPrepared{}, &hooks.ProviderRequestSent{}, &hooks.ProviderResponseReceived{},
		&hooks.ProviderError{}, &hooks.ProviderStreamStart{}, &hooks.ProviderStreamChunk{}, &hooks.ProviderStreamEnd{},
		&hooks.OAuthTokenRequest{}, &hooks.OAuthTokenResponse{}, &hooks.OAuthRefreshRequest{},
		&hooks.OAuthRefreshResponse{}, &hooks.OAuthError{}, &hooks.Custom{Name: "plugintest.nothing"},
	}
}

// testHurriedShutdown stops the plugin with a context that has ended: it comes back, and a second stop is fine.
func (s *suite) testHurriedShutdown(t *testing.T) {
	t.Helper()
	p := s.build(t)
	s.start(t, p)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cancel()
	begun := time.Now()
	_ = p.Shutdown(ctx) // an error is no surprise
	if took := time.Since(begun); took > patience {
		t.Errorf("Shutdown with a context that has ended took %v", took)
	}
	_ = p.Shutdown(context.WithoutCancel(t.Context()))
	s.checkAbandoned(t, p)
}

// checkAbandoned fails for calls of the plugin that did not come back.
func (s *suite) checkAbandoned(t *testing.T, p *ccproxy.Proxy) {
	t.Helper()
	for _, st := range p.Statuses() {
		if st.Name == s.name && len(st.Abandoned) > 0 {
			t.Errorf("calls that did not come back: %v", st.Abandoned)
		}
	}
}
