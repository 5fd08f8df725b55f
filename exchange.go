package ccproxy

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/lostbody"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// exchange is one request and its answer. It is the response writer of all that is inside of the proxy's own
// middleware, so that it knows what the client has been sent.
type exchange struct {
	w      http.ResponseWriter
	id     string // of the request
	number uint64 // which no other exchange of the proxy has
	proxy  *Proxy
	r      *http.Request
	ctx    exchangeContext // of r
	match  matched
	conn   clientConn
	flight flight
	caller *Caller // that the proxy has found out
	begun  time.Time

	status     int
	written    int64
	firstByte  time.Duration
	firstEvent time.Duration // of a stream
	started    bool          // request.started is out
	shown      bool          // header is made
	header     hooks.Header  // of the request, as events show it

	endpoint string // template of the route
	format   adapters.Format
	provider string
	call     *Call
	bodySize int64
	streamed bool
	usage    *hooks.Usage
	quota    *quota           // nil where the caller has no limits
	lost     []canonical.Loss // of the answer
	failure  error            // why the exchange failed, if it did
	errType  string
	attempts int    // calls of upstreams
	account  string // whose credential the last of them went with
}

// exchangeContext is the context of an exchange. It is a type of its own since it stands in every request's way.
type exchangeContext struct {
	context.Context //nolint:containedctx // it is one

	ex *exchange
}

// Value implements context.Context.
func (c *exchangeContext) Value(key any) any {
	switch key.(type) {
	case exchangeKey:
		return c.ex
	case callerKey:
		if c.ex.caller != nil {
			return *c.ex.caller
		}
	}
	return c.Context.Value(key)
}

type exchangeKey struct{}

func exchangeFrom(ctx context.Context) *exchange {
	ex, _ := ctx.Value(exchangeKey{}).(*exchange)
	return ex
}

// ExchangeFrom returns the number of the request that a context belongs to, the same that [hooks.Context].Exchange has
// in the events about it: a plugin's middleware, mutator or provider keeps what it knows of a request under it, and its
// observer finds it there. Ids of requests are no such key, since clients may choose one twice. Zero outside a request.
func ExchangeFrom(ctx context.Context) uint64 {
	if ex := exchangeFrom(ctx); ex != nil {
		return ex.number
	}
	return 0
}

// about is an event that says which call it is about, as far as there is one.
func (ex *exchange) about(p hooks.Payload) hooks.Context {
	if ex == nil {
		return hooks.Context{Payload: p}
	}
	return hooks.Context{RequestID: ex.id, Exchange: ex.number, Provider: ex.provider, Payload: p}
}

// observe finds the endpoint of a request, makes it one that drains wait for, contains panics, and tells hooks how
// it ended. What is inside of it may fail in any way.
func (s *serving) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		ex := &exchange{
			w: w, id: middleware.RequestIDFrom(ctx), number: s.proxy.exchanges.Add(1), proxy: s.proxy,
			begun: time.Now(),
		}
		ex.ctx = exchangeContext{ctx, ex}
		ex.r = r.WithContext(&ex.ctx)
		ex.rewrite(s.routes.match(r.Method, r.URL))
		if e := ex.match.endpoint; e == nil || !e.always { // health is to be had while the proxy drains
			ex.flight.cancel = cancel
			if !s.proxy.flights.enter(&ex.flight) {
				ex.fail(ex, ErrDraining)
				ex.finish()
				return
			}
			defer s.proxy.flights.leave(&ex.flight)
		}
		returned := false
		defer func() { ex.end(returned, recover()) }()
		next.ServeHTTP(ex, ex.r)
		returned = true
	})
}

// rewrite sets the endpoint of the exchange.
func (ex *exchange) rewrite(m matched) {
	ex.match = m
	ex.endpoint, ex.format = "", ""
	if m.endpoint != nil {
		ex.endpoint, ex.format = m.endpoint.path, m.endpoint.Format
	}
}

// end closes an exchange, whichever way its handler ended.
func (ex *exchange) end(returned bool, panicked any) {
	ex.conn.release()
	torn := !returned && ex.status != 0 // half an answer, which must not look like a whole one
	if !returned {
		ex.contain(panicked)
	}
	ex.finish()
	aborted := panicked == http.ErrAbortHandler //nolint:errorlint // compared as net/http does
	if aborted || torn {
		panic(http.ErrAbortHandler) // net/http's way to end an answer that is not whole
	}
}

// contain answers for a handler that panicked or left its goroutine.
func (ex *exchange) contain(panicked any) {
	if panicked == http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
		if ex.failure == nil {
			ex.failure = http.ErrAbortHandler
		}
		return
	}
	ex.failure = ex.panicked(panicked)
	if ex.status == 0 {
		lostbody.Forget(ex.Header())
		writeError(ex, ex.r, ex.format, &Error{Message: internalError})
	}
}

// internalError is what clients are told of a panic.
const internalError = "internal error of the proxy"

// panicked logs a panic where it is caught, or the end of a goroutine, and returns it as an error.
func (ex *exchange) panicked(value any) error {
	err := ErrExited
	if value != nil {
		err = panicError(value)
	}
	ex.proxy.logger.Error("handler failed", slog.String("request_id", ex.id), slog.Any("error", err),
		slog.String("endpoint", ex.endpoint), slog.String("stack", string(debug.Stack())))
	return err
}

// Header implements http.ResponseWriter.
func (ex *exchange) Header() http.Header { return ex.w.Header() }

// WriteHeader implements http.ResponseWriter.
func (ex *exchange) WriteHeader(status int) {
	final := status >= http.StatusOK || status == http.StatusSwitchingProtocols
	if ex.status == 0 && final && status < 1000 { // net/http panics at other numbers, before anything is sent
		ex.status = status
		if ex.quota != nil {
			ex.quota.stamp(ex.w.Header(), ex.format)
		}
	}
	ex.w.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (ex *exchange) Write(b []byte) (int, error) {
	if ex.status == 0 {
		ex.status = http.StatusOK
	}
	if ex.written == 0 {
		ex.firstByte = time.Since(ex.begun)
	}
	ex.conn.watch(ex.r, ex.written+int64(len(b)))
	n, err := ex.w.Write(b)
	ex.written += int64(n)
	ex.conn.failed = ex.conn.failed || err != nil
	return n, err
}

// Flush implements http.Flusher, for handlers that look for it.
func (ex *exchange) Flush() { _ = ex.FlushError() }

// FlushError is what http.ResponseController looks for.
func (ex *exchange) FlushError() error {
	err := http.NewResponseController(ex.w).Flush()
	ex.conn.failed = ex.conn.failed || err != nil
	return err
}

// Hijack implements http.Hijacker, which libraries for WebSockets look for.
func (ex *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(ex.w).Hijack()
	if err == nil && ex.status == 0 {
		ex.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

// Unwrap lets http.ResponseController reach the server's writer.
func (ex *exchange) Unwrap() http.ResponseWriter { return ex.w }

// announce emits request.started, once.
func (ex *exchange) announce() {
	if ex.started {
		return
	}
	ex.started = true
	if ex.proxy.hooks.Enabled(hooks.EventRequestStarted) {
		ex.emit(&hooks.RequestStarted{Request: ex.request()})
	}
}

// emit tells hooks of an event. The payload is theirs from here on.
func (ex *exchange) emit(p hooks.Payload) {
	ex.proxy.hooks.EmitOwned(ex.about(p))
}

func (ex *exchange) enabled(e hooks.Event) bool { return ex.proxy.hooks.Enabled(e) }

// finish emits the one event that ends every request.
func (ex *exchange) finish() {
	if ex.status == 0 && ex.failure == nil {
		ex.status = http.StatusOK // what net/http sends for a handler that writes nothing
	}
	ex.boundRest()
	ex.announce()
	duration := time.Since(ex.begun)
	if ex.failure == nil && ex.status < http.StatusBadRequest {
		if ex.enabled(hooks.EventRequestCompleted) {
			ex.emit(&hooks.RequestCompleted{
				Request: ex.request(), Status: ex.status, ResponseHeader: hooks.SnapshotHeader(ex.Header()),
				ResponseBytes: ex.written, Duration: duration, TimeToFirstByte: ex.firstByte,
				TimeToFirstEvent: ex.firstEvent, Usage: ex.usage, Streamed: ex.streamed, Losses: ex.losses(),
				Operation: ex.operation(), UpstreamModel: ex.upstreamModel(),
				Attempts: ex.attempts, Account: ex.account,
			})
		}
		return
	}
	if !ex.enabled(hooks.EventRequestFailed) {
		return
	}
	failed := &hooks.RequestFailed{
		Request: ex.request(), Status: ex.status, ErrorType: ex.errType, ClientGone: ex.clientGone(),
		Duration: duration, ResponseBytes: ex.written, Usage: ex.usage, Streamed: ex.streamed, Losses: ex.losses(),
		TimeToFirstByte: ex.firstByte, TimeToFirstEvent: ex.firstEvent, Operation: ex.operation(),
		UpstreamModel: ex.upstreamModel(), Attempts: ex.attempts, Account: ex.account,
	}
	if ex.failure != nil {
		failed.Err = ex.failure.Error()
	}
	if failed.ClientGone {
		failed.Status = statusClientGone
	}
	ex.emit(failed)
}

// boundRest limits how long a client may take for a body that nobody has read: net/http reads the rest of a short one
// before it sends the answer, and would wait for it forever.
func (ex *exchange) boundRest() {
	switch {
	case ex.r.ContentLength == 0, ex.bodySize > 0, ex.status == http.StatusSwitchingProtocols:
	case ex.status == http.StatusRequestTimeout: // the deadline has passed, and shall stay so
	default:
		limits := ex.proxy.limits
		soon := time.Now().Add(min(limits.ReadTimeout, limits.WriteTimeout) / 2) // the answer's own deadline runs
		_ = http.NewResponseController(ex.w).SetReadDeadline(soon)               // a host without has its own
	}
}

// statusClientGone is what logs show when nobody waits for the answer any more (nginx's convention).
const statusClientGone = 499

// clientGone reports whether it was the client that ended the exchange.
func (ex *exchange) clientGone() bool {
	return ex.failure != nil && errors.Is(ex.failure, errClientGone)
}

var errClientGone = errors.New("client went away")

func (ex *exchange) request() hooks.Request {
	r := ex.r
	if !ex.shown {
		ex.shown, ex.header = true, hooks.SnapshotHeader(r.Header)
	}
	req := hooks.Request{
		ID: ex.id, Method: r.Method, Path: r.URL.Path, Query: ex.safeQuery(), Endpoint: ex.endpoint,
		ClientIP: clientIP(r), UserAgent: r.UserAgent(), Header: ex.header,
		BodyBytes: ex.bodySize, ClientFormat: string(ex.format), Provider: ex.provider,
	}
	if c, ok := CallerFrom(r.Context()); ok {
		req.CallerID = c.ID
	}
	if ex.call != nil {
		req.Model, req.Session, req.Stream = ex.call.ClientModel, ex.call.Session, ex.call.Stream
	}
	return req
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
