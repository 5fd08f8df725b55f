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
	host     string
	port     int

	ended      time.Time // zero while nobody has told
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
	c := &call{p: p, attempt: req.Attempt, begun: time.Now(), model: req.Model, op: operationName(req.Operation)}
	c.host, c.port = serverOf(req.URL)
	c.name = providerName(c.host, req.Format, req.Provider)
	attrs := []attribute.KeyValue{
		keyOperation.String(c.op), keyProvider.String(c.name), keyRequestModel.String(c.model),
		keyUpstream.String(req.Provider), keyRequestStream.Bool(req.Stream),
	}
	if c.host != "" {
		attrs = append(attrs, keyServerAddress.String(c.host), keyServerPort.Int(c.port))
	}
	if req.Attempt > 1 {
		attrs = append(attrs, keyResend.Int(req.Attempt-1))
	}
	parent := trace.ContextWithSpan(ctx, q.span)
	ctx, c.span = p.tracer.Start(parent, c.op+" "+c.model, //nolint:spancheck // conclude ends it
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(c.begun), trace.WithAttributes(attrs...))
	if !q.hold(c) {
		c.span.End() // the request is over already
		return nil
	}
	if c.span.IsRecording() { // nobody pays for what is not sampled
		c.span.SetAttributes(parameters(req, c.name)...)
	}
	if p.cfg.CaptureContent && c.span.IsRecording() {
		if text := inputMessages(req.Format, req.RawBody(), p.cfg.MaxContentSize); text != "" {
			c.span.SetAttributes(keyInputMessages.String(text))
		}
	}
	if p.cfg.PropagateUpstream && req.Header != nil {
		req.Header = req.Header.Clone() // others read the one that was given
		p.propagator.Inject(ctx, propagation.HeaderCarrier(req.Header))
	}
	return nil
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

// find returns the call of an attempt, or the last one where the number is not known.
func (q *request) find(attempt int) *call {
	for _, c := range slices.Backward(q.calls) {
		if attempt == 0 || c.attempt == attempt {
			return c
		}
	}
	return nil
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
	c.measure()
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
		c.span.SetAttributes(keyErrorType.String(c.errorType()))
		c.span.SetStatus(codes.Error, c.err)
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

func (c *call) measure() {
	ctx, m := context.Background(), c.p.meters
	attrs := make([]attribute.KeyValue, 0, 8)
	attrs = append(attrs, keyOperation.String(c.op), keyProvider.String(c.name),
		keyRequestModel.String(c.p.models.label(c.model, !c.failed)))
	if c.host != "" {
		attrs = append(attrs, keyServerAddress.String(c.host), keyServerPort.Int(c.port))
	}
	if c.usage != nil && c.usage.Model != "" {
		attrs = append(attrs, keyResponseModel.String(c.p.models.label(c.usage.Model, !c.failed)))
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
