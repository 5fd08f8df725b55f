package ccproxy

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/lease"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
	"github.com/ccproxy-go/ccproxy/internal/secret"
	"github.com/ccproxy-go/ccproxy/internal/wiretap"
)

// newUpstreamTransport is tuned for few hosts with many long streams each. Nothing here bounds how long an
// answer takes: models think for minutes, and it is the request's context that ends a call.
func newUpstreamTransport(guard *dialGuard) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	proxy := http.ProxyFromEnvironment
	if guard != nil {
		dialer.ControlContext = guard.control
		proxy = nil // it would connect to wherever it is told, out of the guard's sight
	}
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            lease.Dialer(dialer.DialContext),
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    256, // the default of 2 dials anew for nearly every request of a busy host
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true, // bytes stay bytes
		ReadBufferSize:         16 << 10,
		WriteBufferSize:        16 << 10,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: 30 * time.Second,
		},
	}
}

// managedTransport emits the http.* events of one plugin's requests.
type managedTransport struct {
	base  http.RoundTripper
	hooks *hooks.Registry
	owner string
}

func (t *managedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if tap := wiretap.From(req.Context()); tap != nil && !secret.Body(req.Context()) {
		return t.tapped(tap, req)
	}
	return t.send(req)
}

// send makes the exchange and tells hooks of it.
func (t *managedTransport) send(req *http.Request) (*http.Response, error) {
	observed := t.hooks.Enabled(hooks.EventHTTPRequest) || t.hooks.Enabled(hooks.EventHTTPResponse) ||
		t.hooks.Enabled(hooks.EventHTTPError)
	if !observed {
		return t.base.RoundTrip(once(req))
	}
	return t.observe(req)
}

func (t *managedTransport) observe(req *http.Request) (*http.Response, error) {
	about := exchangeFrom(req.Context()).about(nil)
	about.Plugin = t.owner
	id := about.RequestID
	emit := func(p hooks.Payload) {
		if t.hooks.Enabled(p.Event()) {
			hc := about
			hc.Payload = p
			t.hooks.EmitOwned(hc)
		}
	}
	sent := credentials(req)
	secrets := scrub.Known(repeatable(req, sent)...)
	address := secrets.Without(hooks.SafeURL(req.URL))
	if t.hooks.Enabled(hooks.EventHTTPRequest) {
		body, cut := bodySnapshot(req)
		body = secrets.Without(body)
		if cut {
			body = secrets.Rest(body)
		}
		emit(&hooks.HTTPRequest{
			ID: id, Method: req.Method, URL: address, Header: hooks.SnapshotHeader(secrets.Header(masked(req))),
			Body: body, BodyTruncated: cut, Upstream: true,
		})
	}
	start := time.Now()
	resp, err := t.base.RoundTrip(once(req))
	if err != nil {
		emit(&hooks.HTTPError{
			ID: id, Method: req.Method, URL: address, Err: safeTransportError(err), Duration: time.Since(start),
		})
		return nil, err
	}
	if t.hooks.Enabled(hooks.EventHTTPResponse) {
		emit(&hooks.HTTPResponse{
			ID: id, Method: req.Method, URL: address, Status: resp.StatusCode,
			Header: hooks.SnapshotHeader(withoutEcho(resp.Header, sent)), Duration: time.Since(start),
		})
	}
	return resp, nil
}

// once keeps net/http from sending a request again, on a connection of its own, because a header calls it idempotent:
// of an answer that is lost nobody knows whether it was paid for. What was not sent at all is still sent again.
func once(req *http.Request) *http.Request {
	if req.GetBody == nil || req.Header["Idempotency-Key"] == nil && req.Header["X-Idempotency-Key"] == nil {
		return req
	}
	req = req.WithContext(req.Context())
	req.GetBody = nil
	return req
}

// withoutEcho drops the fields of an answer in which an upstream repeats a credential of the request.
func withoutEcho(answer http.Header, sent []string) http.Header {
	out := answer
	for _, credential := range sent {
		out = withoutValue(out, credential)
	}
	return out
}

// masked returns the header of a request without what its provider knows to be credentials, whatever their names.
func masked(req *http.Request) http.Header {
	names := secret.Headers(req.Context())
	if len(names) == 0 {
		return req.Header
	}
	h := maps.Clone(req.Header)
	for _, name := range names {
		h[name] = []string{redacted}
	}
	return h
}

// redacted is what a snapshot has in the place of a credential.
const redacted = "[REDACTED]"

// shortestSecret is the length of a credential that is looked for: a shorter word is found by chance.
const shortestSecret = 8

// repeatable are the credentials that a request is searched for: those that are sent, and those of the client.
func repeatable(req *http.Request, sent []string) []string {
	if ex := exchangeFrom(req.Context()); ex != nil && ex.r != nil {
		return slices.Concat(sent, credentials(ex.r))
	}
	return sent
}

func withoutValue(h http.Header, secret string) http.Header {
	holds := func(v string) bool { return len(secret) >= shortestSecret && strings.Contains(v, secret) }
	for name, values := range h {
		if slices.ContainsFunc(values, holds) {
			h = h.Clone()
			delete(h, name)
		}
	}
	return h
}

// CloseIdleConnections does nothing: the connections are shared by all plugins, and with the application if it
// gave the transport, so a plugin that stops has none to close. The proxy closes its own on shutdown.
func (*managedTransport) CloseIdleConnections() {}

const maxBodySnapshot = 1 << 20

// bodySnapshot copies a request's body where that is possible without consuming it.
func bodySnapshot(req *http.Request) (body string, cut bool) {
	if req.GetBody == nil || secret.Body(req.Context()) {
		return "", req.Body != nil && req.Body != http.NoBody
	}
	rc, err := req.GetBody()
	if err != nil {
		return "", true
	}
	defer rc.Close() // a reader of memory
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(rc, maxBodySnapshot+1))
	if n > maxBodySnapshot {
		b.Truncate(maxBodySnapshot)
	}
	return b.String(), n > maxBodySnapshot || err != nil
}

// newManagedClient returns the client of one plugin.
func (p *Proxy) newManagedClient(plugin string) *http.Client {
	return &http.Client{
		Transport: &managedTransport{base: p.transport, hooks: &p.hooks, owner: plugin},
		// A redirect of an API would carry credentials to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
