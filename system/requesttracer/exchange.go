package requesttracer

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
	"github.com/ccproxy-go/ccproxy/internal/spool"
	"github.com/ccproxy-go/ccproxy/internal/wiretap"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// exchange is a request and its answer, of one of the two sides.
type exchange struct {
	p        *plugin
	id, side string // side is "client" or "provider"
	provider string
	call     int // counts the calls of upstreams for a request; zero on the client's side
	begun    time.Time
	method   string
	url      string
	header   hooks.Header
	cut      bool // there was more of the request's body than what is kept
	secrets  scrub.Secrets
	asked    capture
	answered capture

	mu       sync.Mutex // an answer is told of by one goroutine and ended by another; calls add their secrets
	status   int
	answer   hooks.Header
	headerAt time.Time
	over     bool
}

func (p *plugin) newExchange(id, side string) *exchange {
	x := &exchange{
		p: p, id: id, side: side, begun: time.Now(),
		asked:    capture{max: p.cfg.MaxBodySize, budget: p.budget},
		answered: capture{max: p.cfg.MaxBodySize, budget: p.budget},
	}
	if !x.wants("_request") {
		x.asked.max = 0
	}
	if !x.wants("_response") {
		x.answered.max = 0
	}
	return x
}

// Response implements [wiretap.Recorder].
func (x *exchange) Response(status int, header http.Header) {
	x.mu.Lock()
	defer x.mu.Unlock()
	snapshot := hooks.SnapshotHeader(x.secrets.Header(header))
	x.status, x.answer, x.headerAt = status, snapshot, time.Now()
}

// Write implements [wiretap.Recorder].
func (x *exchange) Write(b []byte) (int, error) { return x.answered.Write(b) }

// End implements [wiretap.Recorder].
func (x *exchange) End(why string) {
	x.mu.Lock()
	if x.over {
		x.mu.Unlock()
		return
	}
	x.over = true
	t := &trace{
		exchange: x, status: x.status, answer: x.answer, why: why, ended: time.Now(), headerAt: x.headerAt,
		request: x.asked.seal(), response: x.answered.seal(), secrets: slices.Clone(x.secrets),
	}
	x.mu.Unlock()
	t.request.more = x.cut
	t.first = x.p.number.Add(2) - 1
	release := func() { x.asked.release(); x.answered.release() }
	taken := x.p.files.Put(func() []spool.File {
		defer release()
		return t.files()
	})
	if !taken {
		release()
	}
}

// wants tells whether a message of the exchange is written.
func (x *exchange) wants(kind string) bool {
	cfg := x.p.cfg
	switch x.side + kind {
	case "client_request":
		return cfg.ClientRequest
	case "client_response":
		return cfg.ClientResponse
	case "provider_request":
		return cfg.ProviderRequest
	default:
		return cfg.ProviderResponse
	}
}

// client is the exchange with a client, and what its handler is given.
type client struct {
	*exchange

	writer  *writer
	request *http.Request
	calls   atomic.Int64

	returned bool // the handler has, and did not panic
}

// client begins with a client's request.
func (p *plugin) client(w http.ResponseWriter, r *http.Request) *client {
	x := p.newExchange(middleware.RequestIDFrom(r.Context()), "client")
	shown := hooks.SnapshotHeader(r.Header)
	x.secrets = scrub.Known(scrub.Credentials(r.Header, shown.Value, r.URL.RawQuery, hooks.SafeQuery)...)
	x.show(r.Method, address(r), r.Header)
	c := &client{exchange: x, writer: &writer{ResponseWriter: w, x: x}}
	c.request = r.WithContext(wiretap.With(r.Context(), c.upstream))
	if r.Body != nil && r.Body != http.NoBody {
		c.request.Body = &tee{ReadCloser: r.Body, into: &x.asked}
	}
	return c
}

// show keeps what a request shows of itself, in which its secrets may come up anywhere.
func (x *exchange) show(method, address string, h http.Header) {
	x.method, x.url = method, x.p.scrubber.Text(address, x.secrets)
	x.header = hooks.SnapshotHeader(x.secrets.Header(h))
}

// address is the URL that a client asked for, fit to be shown: with what the host has stripped of its path.
func address(r *http.Request) string {
	u := *r.URL
	if asked, err := url.ParseRequestURI(r.RequestURI); err == nil && strings.HasSuffix(asked.Path, u.Path) {
		u.Path, u.RawPath = asked.Path, asked.RawPath
	}
	u.Host, u.Scheme = cmp.Or(r.Host, u.Host), "http"
	if r.TLS != nil {
		u.Scheme = "https"
	}
	if u.Opaque != "" {
		u = url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	}
	return hooks.SafeURL(&u)
}

// upstream begins with a call of an upstream.
func (c *client) upstream(r *wiretap.Request) wiretap.Recorder {
	x := c.p.newExchange(c.id, "provider")
	x.call, x.provider, x.cut = int(c.calls.Add(1)), r.Provider, r.Cut
	c.mu.Lock()
	c.secrets = append(c.secrets, scrub.Known(r.Secrets...)...) // the client may be told what its upstream repeats
	x.secrets = slices.Clone(c.secrets)
	c.mu.Unlock()
	x.show(r.Method, r.URL, r.Header)
	_, _ = x.asked.Write([]byte(r.Body))
	return x
}

// end is called when the handler has returned, or panics.
func (c *client) end() {
	why := ""
	switch {
	case context.Cause(c.request.Context()) != nil:
		why = "ended before its time: the client is gone, or the proxy stops"
	case c.returned && !c.writer.begun:
		c.Response(http.StatusOK, c.writer.Header()) // as net/http has it for who says nothing
	case !c.returned && !c.writer.begun:
		c.Response(http.StatusInternalServerError, nil) // which the proxy answers after this
		why = "the handler panicked"
	case !c.returned:
		why = "the answer was broken off"
	}
	c.End(why)
}

// writer is a response writer that shows what is written. Everything else that the inner one can do, it does when asked
// through an http.ResponseController.
type writer struct {
	http.ResponseWriter

	x     *exchange
	begun bool
}

// Unwrap lets http.ResponseController reach the inner writer.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if !w.begun && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		w.begun = true
		w.x.Response(status, w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	if !w.begun {
		w.begun = true
		w.x.Response(http.StatusOK, w.Header())
	}
	n, err := w.ResponseWriter.Write(b)
	_, _ = w.x.Write(b[:max(n, 0)])
	return n, err
}
