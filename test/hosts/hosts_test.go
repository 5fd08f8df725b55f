package hosts

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/mux"
	"github.com/klauspost/compress/gzhttp"
	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m)
}

// upstreamKey is the proxy's own: no client may ever see it.
const upstreamKey = "sk-ant-api03-upstream-canary"

// host is a server with what an application puts around a proxy.
type host struct {
	name   string
	base   string // of the client's addresses
	wrap   func(p *ccproxy.Proxy) http.Handler
	server func(s *httptest.Server) // changes the server before it starts
	whole  bool                     // nothing streams here
	open   bool                     // the operator forwards all headers
}

func hosts() []host {
	all := append(servers(), writers()...)
	all = append(all, routers()...)
	return append(all, unstreamed()...)
}

func bare(p *ccproxy.Proxy) http.Handler { return p }

func servers() []host {
	return []host{
		{name: "net/http", wrap: bare},
		{name: "WriteTimeout", wrap: bare, server: func(s *httptest.Server) { s.Config.WriteTimeout = time.Second }},
		{name: "HTTP/2", wrap: bare, server: func(s *httptest.Server) { s.EnableHTTP2 = true }},
		{name: "h2c", wrap: bare, server: func(s *httptest.Server) {
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
		}},
		{name: "gzip", wrap: func(p *ccproxy.Proxy) http.Handler { return gzhttp.GzipHandler(p) }},
	}
}

// writers are hosts that hide of their writers what they can.
func writers() []host {
	var out []host
	for _, h := range providertest.Hosts() {
		out = append(out, host{
			name: h.Name + " writer", whole: h.Whole, wrap: func(p *ccproxy.Proxy) http.Handler { return h.Wrap(p) },
		})
	}
	return out
}

// writer is one of [writers], by its name.
func writer(name string) host {
	all := writers()
	return all[slices.IndexFunc(all, func(h host) bool { return h.name == name+" writer" })]
}

func routers() []host {
	return []host{
		{name: "StripPrefix", base: "/llm", wrap: func(p *ccproxy.Proxy) http.Handler { return http.StripPrefix("/llm", p) }},
		{name: "mux", base: "/llm", wrap: func(p *ccproxy.Proxy) http.Handler {
			m := http.NewServeMux()
			m.Handle("/llm/", p.Mount("/llm"))
			return m
		}},
		{name: "chi", base: "/llm", wrap: func(p *ccproxy.Proxy) http.Handler {
			r := chi.NewRouter()
			r.Use(chimiddleware.RequestID, chimiddleware.Recoverer)
			r.Mount("/llm", p.Mount("/llm"))
			return r
		}},
		{name: "chi subrouter", base: "/api/llm", wrap: func(p *ccproxy.Proxy) http.Handler {
			r := chi.NewRouter()
			r.Route("/api", func(r chi.Router) { r.Handle("/llm/*", p.Mount("/api/llm")) })
			return r
		}},
		{name: "gorilla", base: "/llm", wrap: func(p *ccproxy.Proxy) http.Handler {
			r := mux.NewRouter()
			r.PathPrefix("/llm/").Handler(p.Mount("/llm"))
			return r
		}},
		{name: "gin", base: "/llm", wrap: withGin},
		{name: "echo", base: "/llm", wrap: withEcho},
	}
}

// unstreamed are hosts whose writers hold streams back.
func unstreamed() []host {
	timeout := func(next func(*ccproxy.Proxy) http.Handler) func(*ccproxy.Proxy) http.Handler {
		return func(p *ccproxy.Proxy) http.Handler { return http.TimeoutHandler(next(p), time.Minute, "too slow") }
	}
	return []host{
		{name: "gin in TimeoutHandler", base: "/llm", whole: true, wrap: timeout(withGin)},
		{name: "echo in TimeoutHandler", base: "/llm", whole: true, wrap: timeout(withEcho)},
	}
}

func withGin(p *ccproxy.Proxy) http.Handler {
	r := gin.New()
	r.Any("/llm/*path", gin.WrapH(p.Mount("/llm")))
	return r
}

func withEcho(p *ccproxy.Proxy) http.Handler {
	e := echo.New()
	e.Any("/llm/*", echo.WrapHandler(p.Mount("/llm")))
	return e
}

// rig is a proxy in a host, with a scripted upstream behind it.
type rig struct {
	host     host
	upstream *providertest.Upstream
	server   *httptest.Server
	client   *http.Client
	log      *logText
}

func newRig(t *testing.T, h host) *rig {
	t.Helper()
	r := &rig{host: h, upstream: new(providertest.Upstream), log: new(logText)}
	t.Cleanup(func() {
		if err := r.upstream.Close(); err != nil {
			t.Errorf("close upstream: %v", err)
		}
	})
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret(upstreamKey)
	if h.open {
		cfg.ForwardHeaders = []string{"*"}
	}
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory(), linker()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithTransport(r.upstream.Transport()), ccproxy.WithStrictStart(),
		ccproxy.WithPluginConfig(claudeapi.Name, *cfg), ccproxy.WithLogger(slog.New(slog.NewTextHandler(r.log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	r.serve(t, proxy)
	return r
}

func (r *rig) serve(t *testing.T, proxy *ccproxy.Proxy) {
	t.Helper()
	r.server = httptest.NewUnstartedServer(r.host.wrap(proxy))
	r.server.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(r.log, nil), slog.LevelError)
	if r.host.server != nil {
		r.host.server(r.server)
	}
	if r.server.EnableHTTP2 {
		r.server.StartTLS()
	} else {
		r.server.Start()
	}
	t.Cleanup(r.server.Close)
	transport, ok := r.server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatalf("the server's client has a %T", r.server.Client().Transport)
	}
	transport.Protocols = r.server.Config.Protocols
	t.Cleanup(transport.CloseIdleConnections)
	r.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// linker is a plugin whose route tells the link that it would give to a client, and what it sees of a path.
func linker() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "linker",
		Routes: []ccproxy.RouteSpec{{
			Prefix:    "/linker",
			Endpoints: []ccproxy.Endpoint{{}, {Pattern: "/{name}"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Link", pc.URLFor(r, "/linker"))
					w.Header().Set("X-Seen", r.URL.EscapedPath())
					w.Header().Set("X-Name", r.PathValue("name"))
				}), nil
			},
		}},
	}, nil)
}

// logText is what a proxy and its server have logged.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logText) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
