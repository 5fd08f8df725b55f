package otel

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// call is one call of an upstream. The request's mutex guards it.
type call struct {
	p        *plugin
	span     trace.Span
	attempt  int
	begun    time.Time
	model    string
	op, name string // by the conventions
	upstream string // the provider's own name
	host     string
	port     int
	stream   bool
	sent     []attribute.KeyValue // what the upstream is sent

	ended      time.Time // zero while nobody has told
	retried    bool      // the provider goes on by itself
	status     int
	failed     bool
	err, kind  string
	usage      *hooks.Usage
	firstChunk time.Duration
	perChunk   time.Duration
}

// Prepare implements [hooks.Mutator]: it begins the span of a call and sends the upstream its traceparent.
func (h hook) Prepare(ctx context.Context, req *hooks.PreparedRequest) error {
	q, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return nil // a request that did not come through the middleware
	}
	p := h.plugin
	c := &call{
		p: p, attempt: req.Attempt, begun: time.Now(), model: req.Model, op: operationName(req.Operation),
		upstream: req.Provider, stream: req.Stream,
	}
	c.host, c.port = serverOf(req.URL)
	c.name = providerName(c.host, req.Format, req.Provider)
	ctx = c.start(trace.ContextWithSpan(ctx, q.span))
	if !q.hold(c) {
		c.span.End() // the request is over already
		return nil
	}
	if c.span.IsRecording() { // nobody pays for what is not sampled
		q.describeCall(c, req)
	}
	if p.cfg.PropagateUpstream && req.Header != nil {
		req.Header = req.Header.Clone() // others read the one that was given
		p.propagator.Inject(ctx, propagation.HeaderCarrier(req.Header))
	}
	return nil
}

// describeCall tells what the upstream is sent.
func (q *request) describeCall(c *call, req *hooks.PreparedRequest) {
	sent := parameters(req, c.name)
	if c.p.cfg.CaptureContent {
		if messages := inputMessages(req.Format, req.RawBody(), c.p.cfg.MaxContentSize); messages != "" {
			sent = append(sent, keyInputMessages.String(messages))
		}
	}
	c.span.SetAttributes(sent...)
	q.mu.Lock()
	defer q.mu.Unlock()
	c.sent = sent
}

// start begins the span.
func (c *call) start(ctx context.Context) context.Context {
	attrs := []attribute.KeyValue{
		keyOperation.String(c.op), keyProvider.String(c.name), keyRequestModel.String(text(c.model)),
		keyUpstream.String(c.upstream), keyRequestStream.Bool(c.stream),
	}
	if c.host != "" {
		attrs = append(attrs, keyServerAddress.String(text(c.host)), keyServerPort.Int(c.port))
	}
	if c.attempt > 1 {
		attrs = append(attrs, keyResend.Int(c.attempt-1))
	}
	ctx, c.span = c.p.tracer.Start(ctx, c.op+" "+text(c.model), //nolint:spancheck // conclude ends it
		trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(c.begun), trace.WithAttributes(attrs...))
	return ctx
}

// again begins the call that a provider makes by itself after one that has failed. Nobody prepares it, and the events
// that tell of it have its number.
func (c *call) again(ctx context.Context, attempt int) *call {
	next := &call{
		p: c.p, attempt: attempt, begun: c.ended, model: c.model, op: c.op, name: c.name, upstream: c.upstream,
		host: c.host, port: c.port, stream: c.stream, sent: c.sent,
	}
	next.start(ctx)
	next.span.SetAttributes(c.sent...)
	return next
}

// maxCalls bounds the calls for one request that have spans. Nobody retries more often.
const maxCalls = 64

// hold keeps a call until the request ends.
func (q *request) hold(c *call) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over || len(q.calls) >= maxCalls {
		return false
	}
	q.calls = append(q.calls, c)
	return true
}

// find returns the call of an attempt, or the last one where the number is not known. One that nobody has prepared is
// the provider's own: another call after one that has failed, else a part of the one before. Whoever calls it holds the
// mutex.
func (q *request) find(attempt int) *call {
	i := len(q.calls) - 1
	for attempt > 0 && i >= 0 && q.calls[i].attempt > attempt {
		i--
	}
	if i < 0 {
		return nil
	}
	c := q.calls[i]
	if attempt > c.attempt && c.retried && len(q.calls) < maxCalls {
		c = c.again(trace.ContextWithSpan(context.Background(), q.span), attempt)
		q.calls = slices.Insert(q.calls, i+1, c)
	}
	return c
}

// conclude ends the span of a call. The last one of a request ends as the request does, where nothing else was told.
func (c *call) conclude(e *ending, last bool, output *content) {
	if e != nil && last {
		c.inherit(e)
		if text := output.messages(e.ClientFormat); text != "" {
			c.span.SetAttributes(keyOutputMessages.String(text))
		}
	}
	if !last && !c.failed {
		c.failed, c.kind = true, "_OTHER" // another one was made, so this one came to nothing
	}
	if c.ended.IsZero() {
		c.ended = time.Now()
		if e != nil {
			c.ended = e.at
		}
	}
	if c.ended.Before(c.begun) {
		c.ended = c.begun
	}
	c.describe()
	c.span.End(trace.WithTimestamp(c.ended))
	c.measure(e != nil)
}

// inherit takes over what only the request's last event tells.
func (c *call) inherit(e *ending) {
	if c.usage == nil {
		c.usage = e.usage
	}
	switch {
	case c.failed || !e.failed:
	case e.gone:
		c.failed, c.kind, c.err = true, "client_gone", "the client went away"
	default:
		c.failed, c.kind, c.err = true, orElse(c.kind, e.kind), e.err
	}
}

func (c *call) describe() {
	if c.status != 0 {
		c.span.SetAttributes(keyStatus.Int(c.status))
	}
	if u := c.usage; u != nil {
		c.span.SetAttributes(keyInputTokens.Int64(inputTokens(u)), keyOutputTokens.Int64(u.OutputTokens),
			keyCacheRead.Int64(u.CacheReadInputTokens), keyCacheCreation.Int64(u.CacheCreationInputTokens))
		if u.ReasoningTokens > 0 {
			c.span.SetAttributes(keyReasoning.Int64(u.ReasoningTokens))
		}
		if u.Partial {
			c.span.SetAttributes(keyUsageIncomplete.Bool(true))
		}
		optional(c.span, keyResponseModel, u.Model)
	}
	if c.firstChunk > 0 {
		c.span.SetAttributes(keyFirstChunk.Float64(c.firstChunk.Seconds()))
	}
	if c.failed {
		c.span.SetAttributes(keyErrorType.String(text(c.errorType())))
		c.span.SetStatus(codes.Error, text(c.err))
	}
}

// errorType is the kind of failure: the upstream's status, where it answered with one.
func (c *call) errorType() string {
	if c.status >= http.StatusBadRequest {
		return strconv.Itoa(c.status)
	}
	return orElse(c.kind, "_OTHER")
}

// inputTokens are all of the input, those of caches included.
func inputTokens(u *hooks.Usage) int64 {
	if u.CacheInInput {
		return u.InputTokens
	}
	return u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens
}

// measure records the call. Who is not told how its request has ended does not take a model for one that answers.
func (c *call) measure(told bool) {
	known := told && !c.failed
	ctx, m := context.Background(), c.p.meters
	attrs := make([]attribute.KeyValue, 0, 8)
	attrs = append(attrs, keyOperation.String(c.op), keyProvider.String(c.name),
		keyRequestModel.String(c.p.models.label(c.model, known)))
	if c.host != "" {
		attrs = append(attrs, keyServerAddress.String(text(c.host)), keyServerPort.Int(c.port))
	}
	if c.usage != nil && c.usage.Model != "" {
		attrs = append(attrs, keyResponseModel.String(c.p.models.label(c.usage.Model, known)))
	}
	if u := c.usage; u != nil {
		for _, t := range [...]struct {
			kind string
			n    int64
		}{{"input", inputTokens(u)}, {"output", u.OutputTokens}} {
			set := attribute.NewSet(append(slices.Clip(attrs), keyTokenType.String(t.kind))...)
			m.tokens.Record(ctx, t.n, metric.WithAttributeSet(set))
		}
	}
	plain := metric.WithAttributeSet(attribute.NewSet(slices.Clip(attrs)...))
	if c.firstChunk > 0 {
		m.firstChunk.Record(ctx, c.firstChunk.Seconds(), plain)
	}
	if c.perChunk > 0 {
		m.perChunk.Record(ctx, c.perChunk.Seconds(), plain)
	}
	if c.failed {
		attrs = append(attrs, keyErrorType.String(c.p.errors.label(c.errorType(), true)))
	}
	m.duration.Record(ctx, c.ended.Sub(c.begun).Seconds(), metric.WithAttributeSet(attribute.NewSet(attrs...)))
}
