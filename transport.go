package ccproxy

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// TransportOption changes a transport of [Proxy.Transport].
type TransportOption interface{ applyTransport(t *inProcess) }

type transportOption func(*inProcess)

func (f transportOption) applyTransport(t *inProcess) { f(t) }

// TransportCaller says who the requests of a transport come from, unless their context says so.
func TransportCaller(c Caller) TransportOption {
	return transportOption(func(t *inProcess) { t.caller = &c })
}

// Transport returns an http.RoundTripper that answers requests with the proxy in the same process: no port is
// opened, and the guards against strangers are skipped, with all middleware of the security layer and that of
// [WithMiddleware]. Scheme and host of a request do not matter, its path is one
// of the proxy's own. Answers stream; a request whose context ends, or whose answer's body is closed, ends the call.
// Nothing is buffered on the way: whoever reads an answer and takes nothing of it for Limits.WriteTimeout loses it, and
// bodies of requests have the limits of time that clients have, past which they are closed.
//
// It makes any SDK that takes an http.Client a client of every provider.
func (p *Proxy) Transport(opts ...TransportOption) http.RoundTripper {
	t := &inProcess{proxy: p}
	for _, o := range opts {
		o.applyTransport(t)
	}
	return t
}

// Transport is [Proxy.Transport] for a plugin that brings requests of its clients in over something else than plain
// HTTP. A request's context should be that of the client's own request, which says who calls.
func (pc *PluginContext) Transport(opts ...TransportOption) http.RoundTripper {
	return pc.proxy.Transport(opts...)
}

// inProcessKey marks the contexts of requests whose deadline is that of the client itself.
type inProcessKey struct{}

type inProcess struct {
	proxy  *Proxy
	caller *Caller
}

// RoundTrip implements http.RoundTripper.
func (t *inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.WithValue(req.Context(), inProcessKey{}, true))
	if t.caller != nil {
		if _, ok := CallerFrom(ctx); !ok {
			ctx = ContextWithCaller(ctx, *t.caller)
		}
	}
	in := req.Clone(ctx)
	properNames(in.Header)
	in.RequestURI, in.RemoteAddr = req.URL.RequestURI(), cmp.Or(req.RemoteAddr, "in-process")
	if in.Body == nil {
		in.Body = http.NoBody
	}
	request := newCallBody(ctx, in.Body)
	in.Body = request
	if in.Method == "" { // as net/http has it for clients
		in.Method = http.MethodGet
	}
	if in.URL.Path == "" {
		in.URL.Path = "/"
	}
	body, pw := io.Pipe()
	w := &pipeWriter{
		ctx: ctx, req: req, request: request, header: make(http.Header), body: body, pipe: pw,
		ready: make(chan struct{}), patience: t.proxy.limits.WriteTimeout,
	}
	w.closer = func() { cancel(); _ = body.Close() } // never fails
	// As net/http's own transport does, an answer whose context ends is an error at once, not half an answer.
	w.settled = context.AfterFunc(ctx, func() { _ = pw.CloseWithError(context.Cause(ctx)) })
	go t.serve(w, in)
	select {
	case <-w.ready:
		if ctx.Err() == nil {
			if w.err != nil {
				w.closer() // there is no body whose end would
			}
			return w.resp, w.err
		}
		// What is ready may be no more than what the handler has to say to a client that left.
	case <-ctx.Done():
	}
	// The handler is told through its context; what it still writes goes nowhere.
	w.closer()
	return nil, context.Cause(ctx)
}

// properNames gives fields the names that a server would have given them.
func properNames(h http.Header) {
	for name, values := range h {
		if proper := http.CanonicalHeaderKey(name); proper != name {
			delete(h, name)
			h[proper] = append(h[proper], values...)
		}
	}
}

func (t *inProcess) serve(w *pipeWriter, r *http.Request) {
	defer r.Body.Close() // the transport's duty, nobody to tell
	returned := false
	defer func() {
		if !returned {
			v := recover()
			w.abort(v)
			return
		}
		w.finish()
	}()
	live := t.proxy.live.Load()
	if live == nil {
		writeError(w, r, "", unavailable(t.proxy.state.Load()))
	} else {
		live.trusted.ServeHTTP(w, r)
	}
	returned = true
}

// pipeWriter is the response writer behind an in-process answer.
type pipeWriter struct {
	ctx     context.Context //nolint:containedctx // of the call
	req     *http.Request
	request *callBody
	header  http.Header
	body    *io.PipeReader
	pipe    *io.PipeWriter
	closer  func()

	settled  func() bool // the context's end is of no interest any more
	patience time.Duration
	once     sync.Once
	ready    chan struct{}
	resp     *http.Response
	err      error
}

var errAborted = errors.New("the proxy ended the answer before it was whole")

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if status < http.StatusOK {
		return
	}
	w.once.Do(func() {
		w.resp = &http.Response{
			Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header.Clone(), Request: w.req,
			ContentLength: -1, Body: &answerBody{w.body, w.closer},
		}
		if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil {
			w.resp.ContentLength = n
		}
		close(w.ready)
	})
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.req.Method == http.MethodHead {
		return len(b), nil
	}
	// Nothing is buffered here, so a reader that neither reads nor closes would hold the call for good.
	stalled := time.AfterFunc(w.patience, func() { _ = w.pipe.CloseWithError(os.ErrDeadlineExceeded) })
	defer stalled.Stop()
	const taken = 4 << 10 // what a reader takes before it has the time once more
	return writePieces(w.pipe, b, taken, func() error { stalled.Reset(w.patience); return nil })
}

// SetReadDeadline is for the request's body, as a server's writer has it.
func (w *pipeWriter) SetReadDeadline(at time.Time) error {
	w.request.setDeadline(at)
	return nil
}

// FlushError exists since every write is at the reader's at once.
func (w *pipeWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	return nil
}

func (w *pipeWriter) finish() {
	w.WriteHeader(http.StatusOK)
	if w.settled() {
		// A handler that heard of the context's end may be here before whoever tells the reader.
		_ = w.pipe.CloseWithError(context.Cause(w.ctx)) // never fails; without a cause it is the answer's end
	}
}

// abort ends an answer whose handler panicked.
func (w *pipeWriter) abort(v any) {
	err := errAborted
	if v != nil && v != http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
		err = panicError(v)
	}
	w.once.Do(func() {
		w.err = err
		close(w.ready)
	})
	_ = w.pipe.CloseWithError(err) // never fails
}

// answerBody ends the call when the client closes it.
type answerBody struct {
	io.Reader
	closer func()
}

func (b *answerBody) Close() error {
	b.closer()
	return nil
}
