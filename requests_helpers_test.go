package ccproxy_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// The key that the proxy sends upstream: clients must never see it.
const rigKey = "sk-ant-api03-upstream-canary"

const (
	messagesPath = "/claude/v1/messages"
	countPath    = "/claude/v1/messages/count_tokens"
	wholeBody    = `{"model":"claude-fake-1","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`
	streamBody   = `{"model":"claude-fake-1","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
)

// rig is a started proxy with claude_api in front of a scripted upstream.
type rig struct {
	upstream *providertest.Upstream
	proxy    *ccproxy.Proxy
	ends     chan hooks.Payload // request.completed and request.failed, in order
}

// rigSetup changes a rig before it is built. The zero value changes nothing.
type rigSetup struct {
	config   func(*claudeapi.Config)
	settings ccproxy.Settings
	hooks    []hooks.Hook
	options  []ccproxy.Option
	plugins  []ccproxy.Factory
	quiet    bool // no hook listens, so that the paths without observers run
	waiting  bool // not started
}

func newRig(t *testing.T, s rigSetup) *rig {
	t.Helper()
	r := &rig{upstream: new(providertest.Upstream), ends: make(chan hooks.Payload, 4096)}
	t.Cleanup(func() {
		if err := r.upstream.Close(); err != nil {
			t.Errorf("close upstream: %v", err)
		}
	})
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret(rigKey)
	if s.config != nil {
		s.config(cfg)
	}
	var reg ccproxy.Registry
	factories := append([]ccproxy.Factory{claudeapi.Factory()}, s.plugins...)
	if !s.quiet || len(s.hooks) > 0 {
		factories = append(factories, r.watcher(s))
	}
	if err := reg.Register(factories...); err != nil {
		t.Fatal(err)
	}
	options := append([]ccproxy.Option{
		ccproxy.WithTransport(r.upstream.Transport()), ccproxy.WithPluginConfig(claudeapi.Name, *cfg),
		ccproxy.WithStrictStart(),
	}, s.options...)
	var err error
	if r.proxy, err = reg.Build(s.settings, options...); err != nil {
		t.Fatal(err)
	}
	if !s.waiting {
		if err := r.proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := r.proxy.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return r
}

// watcher is a plugin with the rig's hooks.
func (r *rig) watcher(s rigSetup) ccproxy.Factory {
	m := ccproxy.Manifest{Name: "watcher"}
	add := func(h hooks.Hook) {
		m.Hooks = append(m.Hooks, ccproxy.HookSpec{
			Queue: 1 << 14, FailClosed: true, New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return h, nil },
		})
	}
	if !s.quiet {
		add(hooks.Observe("ends", func(_ context.Context, hc *hooks.Context) error {
			r.ends <- hc.Payload
			return nil
		}, hooks.EventRequestCompleted, hooks.EventRequestFailed))
	}
	for _, h := range s.hooks {
		add(h)
	}
	return ccproxy.NewFactory(m, nil)
}

// do answers one request on the calling goroutine.
func (r *rig) do(t *testing.T, method, target string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, target, body)
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	rec := httptest.NewRecorder()
	r.proxy.ServeHTTP(rec, req)
	return rec
}

// post sends a body to the messages endpoint.
func (r *rig) post(t *testing.T, body string) *httptest.ResponseRecorder {
	t.Helper()
	return r.do(t, http.MethodPost, messagesPath, nil, strings.NewReader(body))
}

// last is the only request that the upstream has seen since the last call.
func (r *rig) last(t *testing.T) providertest.Request {
	t.Helper()
	seen := r.upstream.Requests()
	if len(seen) != 1 {
		t.Fatalf("the upstream saw %d requests, want 1", len(seen))
	}
	r.upstream.Reset()
	return seen[0]
}

// failed is the payload of the next request's end, which must be a failure.
func (r *rig) failed(t *testing.T) *hooks.RequestFailed {
	t.Helper()
	end := <-r.ends
	failed, ok := end.(*hooks.RequestFailed)
	if !ok {
		t.Fatalf("the request ended with %T %+v, want a failure", end, end)
	}
	return failed
}

// completed is the payload of the next request's end, which must be a success.
func (r *rig) completed(t *testing.T) *hooks.RequestCompleted {
	t.Helper()
	end := <-r.ends
	completed, ok := end.(*hooks.RequestCompleted)
	if !ok {
		t.Fatalf("the request ended with %T %+v, want a success", end, end)
	}
	return completed
}

// host is a net/http server over in-memory connections, as an application runs one around the proxy.
type host struct {
	server *http.Server
	client *http.Client
	conns  chan net.Conn
	done   chan struct{}
}

// newHost serves h. With http2 true the client and the server speak HTTP/2 without TLS.
func newHost(t *testing.T, h http.Handler, http2 bool) *host {
	t.Helper()
	s := &host{conns: make(chan net.Conn), done: make(chan struct{})}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	s.server = &http.Server{Handler: h, Protocols: protocols}
	transport := &http.Transport{DialContext: s.dial, Protocols: protocols, DisableCompression: true}
	s.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.server.Serve(s) })
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = s.server.Close()
		serving.Wait()
	})
	return s
}

func (s *host) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case s.conns <- server:
		return client, nil
	case <-s.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (s *host) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *host) Close() error {
	close(s.done)
	return nil
}

// Addr implements net.Listener.
func (s *host) Addr() net.Addr { return &net.UnixAddr{Name: "host", Net: "memory"} }

// raw writes bytes to a connection of its own and returns the answer's head and body, which the server must end.
func (s *host) raw(t *testing.T, request string) string {
	t.Helper()
	conn, err := s.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, request) }()
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// errorObject is an error answer of any dialect.
type errorObject struct {
	Type      string `json:"type"`
	RequestID string `json:"request_id"`
	Error     struct {
		Type    string  `json:"type"`
		Message string  `json:"message"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
}

type dialect string

const (
	anthropicDialect dialect = "anthropic"
	openAIDialect    dialect = "openai"
	neutralDialect   dialect = "neutral"
)

// shapeOf tells the dialect of an error body by the members that only one of them has.
func shapeOf(t *testing.T, body []byte) (errorObject, dialect) {
	t.Helper()
	var e errorObject
	var members struct {
		Error map[string]json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil || json.Unmarshal(body, &members) != nil || e.Error.Message == "" {
		t.Fatalf("not an error object: %q", body)
	}
	_, hasParam := members.Error["param"]
	switch {
	case e.Type == "error":
		return e, anthropicDialect
	case hasParam:
		return e, openAIDialect
	default:
		return e, neutralDialect
	}
}

// wantError checks an error answer: status, dialect, type, and what its message names.
func wantError(t *testing.T, rec *httptest.ResponseRecorder, in dialect, status int, typ, names string) {
	t.Helper()
	if rec.Code != status {
		t.Errorf("status = %d, want %d; body %s", rec.Code, status, rec.Body)
	}
	e, shape := shapeOf(t, rec.Body.Bytes())
	if shape != in {
		t.Errorf("the error is in the %s dialect, want %s: %s", shape, in, rec.Body)
	}
	if e.Error.Type != typ {
		t.Errorf("type = %q, want %q", e.Error.Type, typ)
	}
	if !strings.Contains(e.Error.Message, names) {
		t.Errorf("message %q does not name %q", e.Error.Message, names)
	}
	id := rec.Header().Get("X-Request-Id")
	if id == "" || in == anthropicDialect && e.RequestID != id {
		t.Errorf("X-Request-Id = %q, request_id of the body = %q", id, e.RequestID)
	}
	if got := rec.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q", got)
	}
}

// providerAnswer is an answer that does not depend on the request being a proper one.
func providerAnswer() providertest.Reply {
	return providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, `{"type":"message"}`)
}

// newRecorded answers one request whose context is ctx.
func newRecorded(ctx context.Context, r *rig, body string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r.proxy.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, messagesPath, strings.NewReader(body)))
	return rec
}
