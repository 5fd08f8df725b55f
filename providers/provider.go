package providers

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/lease"
	"github.com/ccproxy-go/ccproxy/internal/secret"
)

// Provider is a [ccproxy.Provider] with an HTTP API as its upstream. [NewProvider] makes one.
type Provider struct {
	upstream Upstream
	fixed    fixedHeader
	base     *url.URL
	client   *http.Client
	pc       *ccproxy.PluginContext
	request  allowList
	response allowList

	modelsMu sync.Mutex
	models   modelCache
	cli      atomic.Pointer[ccproxy.CLI]
	looking  atomic.Bool
}

// Request is what [Transformer] may change of a request to an upstream.
type Request struct {
	// Call is what the client asked for. Read only.
	Call *ccproxy.Call
	// Body is replaced, not modified in place.
	Body []byte
	// Header is the upstream request's own, without credentials.
	Header http.Header
	// Query is the raw query string.
	Query string
}

// Transformer changes requests to an upstream. It is called concurrently. An error ends the call; a
// *ccproxy.Error says what the client gets.
type Transformer interface {
	Transform(ctx context.Context, req *Request) error
}

// TransformerFunc is a function as [Transformer].
type TransformerFunc func(ctx context.Context, req *Request) error

// Transform calls f.
func (f TransformerFunc) Transform(ctx context.Context, req *Request) error { return f(ctx, req) }

// Do implements [ccproxy.Provider].
func (p *Provider) Do(ctx context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	path := p.upstream.Path(call.Operation, call.Format)
	if path == "" {
		return nil, ccproxy.ErrUnsupported
	}
	req := &Request{Call: call, Body: call.Body, Header: make(http.Header, 16), Query: forwardedQuery(call.Query)}
	p.setHeaders(req.Header, call.Header)
	for _, t := range p.upstream.Transformers {
		if err := t.Transform(ctx, req); err != nil {
			return nil, err
		}
	}
	if call.Prepares() {
		if err := p.prepare(ctx, req, path); err != nil {
			return nil, err
		}
	}
	return p.send(ctx, req, path)
}

func (p *Provider) setHeaders(dst, client http.Header) {
	p.request.copyTo(dst, client)
	for name, values := range p.upstream.DefaultHeader {
		if dst[name] == nil {
			dst[name] = values
		}
	}
	maps.Copy(dst, p.fixed.all)
	if dst["Content-Type"] == nil {
		dst["Content-Type"] = []string{"application/json"}
	}
	if dst["User-Agent"] == nil {
		dst["User-Agent"] = []string{"ccproxy/" + ccproxy.Version}
	}
	dst["Accept-Encoding"] = []string{"identity"}
}

func (p *Provider) url(path, query string) *url.URL {
	u := *p.base
	if u.RawPath != "" { // the base URL has escapes of its own
		u.RawPath += path
	}
	u.Path += path
	u.RawQuery = query
	return &u
}

// prepare lets hooks change the request.
func (p *Provider) prepare(ctx context.Context, req *Request, path string) error {
	call := req.Call
	pr := hooks.NewPreparedRequest(req.Body)
	pr.Method, pr.URL, pr.Endpoint = http.MethodPost, hooks.SafeURL(p.url(path, req.Query)), call.Endpoint
	pr.Model, pr.ClientModel, pr.Stream = call.Model, call.ClientModel, call.Stream
	pr.Header = p.fixed.conceal(req.Header)
	if err := call.Prepare(ctx, pr); err != nil {
		return err
	}
	body, changed, err := pr.Result()
	if err != nil {
		return err
	}
	if changed {
		req.Body = body
	}
	req.Header = p.fixed.restore(pr.Header, req.Header)
	return nil
}

func (p *Provider) send(ctx context.Context, req *Request, path string) (*ccproxy.Answer, error) {
	out := outgoing{
		call: req.Call, method: http.MethodPost, url: p.url(path, req.Query), header: req.Header, body: req.Body,
	}
	if pool, ok := p.upstream.Credentials.(Pool); ok {
		return p.sendInTurn(ctx, newAttempts(p, pool, out))
	}
	resp, secrets, err := p.attemptWith(ctx, p.upstream.Credentials, "", out) //nolint:bodyclose // it is the answer's
	if err != nil {
		return nil, err
	}
	return p.answered(req.Call, resp, secrets)
}

// newRequest makes an authorized request. It takes over the header.
func (p *Provider) newRequest(
	ctx context.Context, creds Credentials, out outgoing,
) (req *http.Request, secrets []string, err error) {
	names, secrets := p.fixed.hidden, p.fixed.values
	if creds != nil {
		before := maps.Clone(out.header)
		if err := creds.Authorize(ctx, out.header); err != nil {
			return nil, nil, &authorizeError{err}
		}
		names, secrets = appendSecrets(slices.Clip(names), slices.Clip(secrets), before, out.header)
	}
	if len(names) > 0 && p.observed() {
		ctx = secret.WithHeaders(ctx, names)
	}
	req = (&http.Request{
		Method: out.method, URL: out.url, Host: out.url.Host, Header: out.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if out.body != nil {
		req.ContentLength = int64(len(out.body))
		// With it the transport repeats a request on a new connection, if nothing of it was sent on the old one.
		req.GetBody = p.bodyOpener(ctx, out.body)
		if req.Body, err = req.GetBody(); err != nil {
			return nil, nil, err
		}
	}
	return req, secrets, nil
}

// observed tells whether a hook is going to see the upstream request with its credentials set.
func (p *Provider) observed() bool {
	on := p.pc.Hooks.Enabled
	return on(hooks.EventHTTPRequest) || on(hooks.EventHTTPResponse) || on(hooks.EventHTTPError)
}

// bodyOpener returns how to read a body. One that is the client's own, and that nobody but this package has seen,
// is given back for use by others when it is read.
func (p *Provider) bodyOpener(ctx context.Context, body []byte) func() (io.ReadCloser, error) {
	buf := lease.From(ctx, body)
	if buf == nil || len(p.upstream.Transformers) > 0 {
		return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	open := buf.Claim()
	return func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return r, nil
	}
}

// transportError says what went wrong without the address, whose query may hold secrets.
func transportError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &ccproxy.Error{Status: http.StatusBadGateway, Message: "the provider could not be reached", Err: err}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		e.Status, e.Message = http.StatusGatewayTimeout, "the provider did not answer in time"
	}
	return e
}

// answer makes an answer of a response. The body is the response's own, so that it ends with it.
func (p *Provider) answer(call *ccproxy.Call, resp *http.Response, secrets []string) (*ccproxy.Answer, error) {
	body, err := decoded(resp)
	if err != nil {
		_ = resp.Body.Close() // nothing of it is of use
		return nil, err
	}
	return &ccproxy.Answer{
		Status: resp.StatusCode, Header: p.answerHeader(resp, secrets), Format: call.Format, Body: body,
		Stream: isStream(call, resp),
	}, nil
}

// isStream tells streams by their type, and by what was asked for where the type is wrong.
func isStream(call *ccproxy.Call, resp *http.Response) bool {
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "text/event-stream":
		return true
	case "application/json":
		return false
	}
	return call.Stream && resp.StatusCode == http.StatusOK
}

// decoded undoes a compression that the upstream was not asked for.
func decoded(resp *http.Response) (io.ReadCloser, error) {
	encoding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding")))
	switch encoding {
	case "", "identity":
		return resp.Body, nil
	case "gzip":
		resp.Header.Del("Content-Length")
		return &decodedBody{Reader: &gunzip{src: resp.Body}, close: resp.Body.Close}, nil
	case "zstd":
		z, err := zstd.NewReader(resp.Body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, badAnswer("is not valid zstd", err)
		}
		resp.Header.Del("Content-Length")
		return &decodedBody{Reader: z, close: func() error { z.Close(); return resp.Body.Close() }}, nil
	}
	return nil, badAnswer("has a content encoding that it was not asked for", nil)
}

func badAnswer(what string, err error) error {
	return &ccproxy.Error{Status: http.StatusBadGateway, Message: "the provider's answer " + what, Err: err}
}

type decodedBody struct {
	io.Reader
	close func() error
}

func (b *decodedBody) Close() error { return b.close() }

// gunzip begins with the first read: an upstream may take its time for the first byte of a stream.
type gunzip struct {
	src io.Reader
	z   *gzip.Reader
	err error // of the beginning
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	if g.z == nil && g.err == nil {
		if g.z, g.err = gzip.NewReader(g.src); g.err != nil {
			g.err = badAnswer("is not valid gzip", g.err)
		}
	}
	if g.err != nil {
		return 0, g.err
	}
	return g.z.Read(p)
}

const (
	maxErrorBody = 1 << 20
	// errorBodyTime is how long the text of an error may take, whose status is there.
	errorBodyTime = 5 * time.Second
)

// failed makes an answer of an error. An upstream that repeats its credentials in an error does not get them
// to the client.
func (p *Provider) failed(resp *http.Response, secrets []string) (*ccproxy.Answer, error) {
	defer resp.Body.Close() // what was read is what counts
	late := time.AfterFunc(errorBodyTime, func() { _ = resp.Body.Close() })
	defer late.Stop()
	var body []byte
	if in, err := decoded(resp); err == nil {
		// The status is there, so half a body is better than none, if anybody is left to read it.
		body, err = io.ReadAll(io.LimitReader(in, maxErrorBody))
		if err != nil && resp.Request != nil && resp.Request.Context().Err() != nil {
			return nil, context.Cause(resp.Request.Context())
		}
	}
	found := secrets
	h := p.answerHeader(resp, found)
	delete(h, "Content-Length")
	for _, s := range found {
		body = bytes.ReplaceAll(body, []byte(s), []byte("[REDACTED]"))
	}
	return &ccproxy.Answer{Status: resp.StatusCode, Header: h, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// answerHeader returns what the client is to see of a response's header: what is allowed, concerns more than the
// connection, and does not repeat a secret.
func (p *Provider) answerHeader(resp *http.Response, secrets []string) http.Header {
	h := make(http.Header, len(resp.Header))
	p.response.copyTo(h, resp.Header)
	for _, line := range resp.Header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			delete(h, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for name, values := range h {
		for _, s := range secrets {
			if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, s) }) {
				delete(h, name)
			}
		}
	}
	return h
}

var (
	_ ccproxy.Provider       = (*Provider)(nil)
	_ ccproxy.ModelDescriber = (*Provider)(nil)
)
