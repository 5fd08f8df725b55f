package otel

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// request is a client's request: its span, and those of the calls that are made for it.
type request struct {
	p        *plugin
	exchange uint64
	span     trace.Span
	method   string
	scheme   string
	alone    bool // events do not find it: there were too many

	mu       sync.Mutex
	calls    []*call // in the order in which they began
	answered time.Time
	over     bool
	output   *content // of the answer; nil if nobody wants it
}

type requestKey struct{}

// serve is the middleware.
func (p *plugin) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, ctx := p.begin(r)
		if q.output != nil {
			w = &writer{ResponseWriter: w, into: q.output}
		}
		defer q.leave()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// begin starts the span of a request.
func (p *plugin) begin(r *http.Request) (*request, context.Context) {
	ctx := r.Context()
	if p.cfg.TrustIncoming && !trace.SpanContextFromContext(ctx).IsValid() { // the application's own span goes before
		ctx = p.propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	q := &request{p: p, exchange: ccproxy.ExchangeFrom(ctx), method: methodOf(r.Method), scheme: "http"}
	if r.TLS != nil {
		q.scheme = "https"
	}
	ctx, q.span = p.tracer.Start(ctx, q.method, //nolint:spancheck // end ends it
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			keyMethod.String(q.method), keyScheme.String(q.scheme),
			keyRequestID.String(text(middleware.RequestIDFrom(ctx))), keyPath.String(text(r.URL.Path))))
	if p.cfg.CaptureContent && q.span.IsRecording() {
		q.output = &content{max: p.cfg.MaxContentSize}
	}
	if !p.live.add(q) {
		q.alone = true
	}
	return q, context.WithValue(ctx, requestKey{}, q)
}

// leave is called when the handler has returned, or panics. The event that tells of the end comes after it.
func (q *request) leave() {
	if q.alone {
		q.end(nil)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.answered = time.Now()
}

func (q *request) answeredBefore(t time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.answered.IsZero() && q.answered.Before(t) || t.After(time.Now())
}

// ending is how a request ended, as its last event says.
type ending struct {
	hooks.Request

	at        time.Time
	status    int
	failed    bool
	gone      bool
	err, kind string
	duration  time.Duration
	usage     *hooks.Usage
	attempts  int
}

// end ends all spans of the request, once. Without an ending nobody knows how it went.
func (q *request) end(e *ending) {
	if !q.alone {
		q.p.live.remove(q.exchange) // before q is locked: sweep locks the other way round
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return
	}
	q.over = true
	if e != nil {
		q.find(e.attempts) // which begins the last, if no event has told of it
	}
	for i, c := range q.calls {
		c.conclude(e, i == len(q.calls)-1, q.output)
	}
	if e == nil {
		q.span.End()
		return
	}
	q.describe(e)
	q.span.End(trace.WithTimestamp(e.at))
	q.measure(e)
}

// describe sets what is known at the end.
func (q *request) describe(e *ending) {
	set := q.span.SetAttributes
	if route := e.Endpoint; route != "" {
		q.span.SetName(q.method + " " + route)
		set(keyRoute.String(route))
	}
	set(keyStatus.Int(e.status), keyUserAgent.String(text(e.UserAgent)), keyClientAddress.String(text(e.ClientIP)))
	optional(q.span, keyUpstream, e.Provider)
	optional(q.span, keyCaller, e.CallerID)
	optional(q.span, keyConversation, e.Session)
	if e.attempts > 0 {
		set(keyAttempts.Int(e.attempts))
	}
	if !e.failed {
		return
	}
	set(keyErrorType.String(text(e.errorType())))
	if !e.gone && (e.status >= http.StatusInternalServerError || e.status < http.StatusBadRequest) {
		q.span.SetStatus(codes.Error, text(e.err)) // what a client did wrong is no error of a server
	}
}

// errorType is the kind of failure.
func (e *ending) errorType() string {
	if e.gone {
		return "client_gone"
	}
	return orElse(e.kind, "_OTHER")
}

func optional(span trace.Span, key attribute.Key, value string) {
	if value != "" {
		span.SetAttributes(key.String(text(value)))
	}
}

func (q *request) measure(e *ending) {
	attrs := []attribute.KeyValue{keyMethod.String(q.method), keyScheme.String(q.scheme), keyStatus.Int(e.status)}
	if e.Endpoint != "" {
		attrs = append(attrs, keyRoute.String(e.Endpoint))
	}
	if e.failed {
		attrs = append(attrs, keyErrorType.String(q.p.errors.label(e.errorType(), true)))
	}
	q.p.meters.server.Record(context.Background(), e.duration.Seconds(),
		metric.WithAttributeSet(attribute.NewSet(attrs...)))
}
