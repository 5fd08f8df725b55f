package ccproxy

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/limit"
)

// callerLimits holds callers to what they may take.
type callerLimits struct {
	limiter limit.Limiter
	logger  *slog.Logger
	all     limit.Policy            // of those without one of their own
	keys    map[string]limit.Policy // of API keys, by name
	closed  bool                    // refuse requests while the limiter is away
	process string                  // makes the ids of this proxy's requests its own
	count   atomic.Uint64

	mu     sync.Mutex
	away   bool  // the limiter does not answer
	missed int64 // how many requests it did not hear of meanwhile
}

// newCallerLimits makes those of a proxy.
func newCallerLimits(s Security, o options) *callerLimits {
	l := &callerLimits{
		limiter: o.limiter, logger: o.logger, all: s.Limits, closed: s.LimitsFailClosed,
		keys: make(map[string]limit.Policy, len(s.Keys)), process: rand.Text(),
	}
	if l.limiter == nil {
		l.limiter = new(limit.Local)
	}
	for _, k := range s.Keys {
		l.keys[k.Name] = k.Limits
	}
	return l
}

// policy finds what the caller of a request may take, and under which key it counts. Nobody in particular counts under
// the empty key; a program that calls from its own process without saying for whom has no limits.
func (l *callerLimits) policy(ctx context.Context, ex *exchange) (id string, p limit.Policy) {
	var c Caller
	known := ex.caller != nil
	if known {
		c = *ex.caller
	} else {
		c, known = CallerFrom(ctx)
	}
	if !known && ex.ownCall() {
		return "", limit.Policy{}
	}
	var key limit.Policy
	if known {
		key = l.keys[c.ID]
	}
	// Less than zero says something, too: that there is no limit.
	return c.ID, limit.Policy{
		Concurrency: cmp.Or(c.Limits.Concurrency, key.Concurrency, l.all.Concurrency),
		RequestsPerMinute: cmp.Or(
			c.Limits.RequestsPerMinute, key.RequestsPerMinute, l.all.RequestsPerMinute),
		TokensPerMinute: cmp.Or(c.Limits.TokensPerMinute, key.TokensPerMinute, l.all.TokensPerMinute),
	}
}

// ownCall tells a request that the program makes from its own process, and not in the name of a client whose request it
// answers meanwhile, such as that for a WebSocket.
func (ex *exchange) ownCall() bool {
	for ex != nil {
		if ex.ctx.Value(inProcessKey{}) == nil {
			return false
		}
		ex = exchangeFrom(ex.ctx.Context)
	}
	return true
}

// quota is a request that has to do with limits.
type quota struct {
	request  limit.Request
	decision limit.Decision
	begun    bool // the limiter has let it in, and waits for its end
}

// begin asks for a model call. The error is what the client gets.
func (l *callerLimits) begin(ctx context.Context, ex *exchange) error {
	key, p := l.policy(ctx, ex)
	if p.IsZero() {
		return nil
	}
	q := &quota{request: limit.Request{
		Key: key, Policy: p, ID: l.process + "." + strconv.FormatUint(l.count.Add(1), 36),
	}}
	var err error
	q.decision, err = l.limiter.Begin(ctx, q.request)
	if err != nil {
		return l.unknown(ctx, err)
	}
	l.answers(ctx)
	ex.quota = q
	if q.decision.Refused != "" {
		return q.refusal()
	}
	q.begun = true
	return nil
}

// unknown decides on a request for which the limiter could not.
func (l *callerLimits) unknown(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return cause(ctx, err)
	}
	l.mu.Lock()
	first := !l.away
	l.away, l.missed = true, l.missed+1
	l.mu.Unlock()
	if first {
		l.logger.LogAttrs(ctx, slog.LevelError, "limits of callers cannot be looked up",
			slog.Bool("requests_refused", l.closed), slog.Any("error", err))
	}
	if !l.closed {
		return nil
	}
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "limits_unavailable", RetryAfter: time.Second, Err: err,
		Message: "the limits of this caller cannot be looked up at the moment",
	}
}

// answers notes that the limiter is there.
func (l *callerLimits) answers(ctx context.Context) {
	l.mu.Lock()
	missed := l.missed
	l.away, l.missed = false, 0
	l.mu.Unlock()
	if missed > 0 {
		l.logger.LogAttrs(ctx, slog.LevelInfo, "limits of callers can be looked up again",
			slog.Int64("requests_missed", missed), slog.Bool("requests_refused", l.closed))
	}
}

// settleTimeout bounds what the end of a request may take.
const settleTimeout = 2 * time.Second

// end tells the limiter what a call has taken. The client may be gone by then.
func (l *callerLimits) end(ex *exchange) {
	if ex.quota == nil || !ex.quota.begun {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ex.ctx.Context), settleTimeout)
	defer cancel()
	if err := l.limiter.End(ctx, ex.quota.request, ex.tokens()); err != nil {
		// Begin tells of a limiter that is away. What is lost here is one request's tokens.
		l.logger.LogAttrs(ctx, slog.LevelDebug, "tokens of a caller were not counted", slog.Any("error", err))
	}
}

// tokens is what a call counts: input and output as the provider has reported them, without what it has read from
// its cache; else, and for the output of a stream that broke off, an estimate by their size. What brought no answer
// counts nothing.
func (ex *exchange) tokens() int64 {
	if u := ex.usage; u != nil {
		output := u.OutputTokens
		if u.Partial { // the first event of some streams says 1
			output = max(output, ex.written/(bytesPerToken*eventOverhead))
		}
		if u.CacheInInput {
			return max(u.InputTokens-u.CacheReadInputTokens, 0) + output
		}
		return u.InputTokens + u.CacheCreationInputTokens + output
	}
	if ex.call == nil || ex.call.Operation == OpCountTokens || ex.status >= http.StatusBadRequest || ex.written == 0 {
		return 0
	}
	answer := ex.written / bytesPerToken
	switch {
	case ex.call.Operation == OpEmbeddings: // which are no tokens
		answer = 0
	case ex.streamed:
		answer /= eventOverhead
	}
	return ex.bodySize/bytesPerToken + answer
}

// Estimates of tokens by size: a token of text is about four bytes of JSON, and an event of a stream that brings one is
// about twenty times as long.
const (
	bytesPerToken = 4
	eventOverhead = 20
)

// metered tells that somebody has to know how many tokens the call takes.
func (ex *exchange) metered() bool {
	return ex.quota != nil && ex.quota.begun && ex.quota.request.Policy.TokensPerMinute > 0
}

// refusal is what the client gets in the place of an answer.
func (q *quota) refusal() *Error {
	p := q.request.Policy
	var what string
	switch q.decision.Refused {
	case limit.Requests:
		what = fmt.Sprintf("%d requests per minute", p.RequestsPerMinute)
	case limit.Tokens:
		what = fmt.Sprintf("%d tokens per minute", p.TokensPerMinute)
	default:
		what = fmt.Sprintf("%d requests at a time", p.Concurrency)
	}
	return &Error{
		Status: http.StatusTooManyRequests, RetryAfter: max(q.decision.RetryAfter, time.Second),
		Message: "rate limit reached: this caller may take " + what,
	}
}

// stamp puts the caller's own limits into the header of an answer, as its dialect has them. Those of the provider are
// of an account that others use, too.
func (q *quota) stamp(h http.Header, f adapters.Format) {
	maps.DeleteFunc(h, func(name string, _ []string) bool {
		return strings.HasPrefix(name, "X-Ratelimit-") || strings.HasPrefix(name, "Anthropic-Ratelimit-")
	})
	for kind, b := range map[string]limit.Budget{"requests": q.decision.Requests, "tokens": q.decision.Tokens} {
		if b.Limit == 0 {
			continue
		}
		all, left := strconv.FormatInt(b.Limit, 10), strconv.FormatInt(b.Remaining, 10)
		if f == adapters.AnthropicMessages {
			h.Set("Anthropic-Ratelimit-"+kind+"-Limit", all)
			h.Set("Anthropic-Ratelimit-"+kind+"-Remaining", left)
			h.Set("Anthropic-Ratelimit-"+kind+"-Reset", time.Now().Add(b.Reset).UTC().Format(time.RFC3339))
			continue
		}
		h.Set("X-Ratelimit-Limit-"+kind, all)
		h.Set("X-Ratelimit-Remaining-"+kind, left)
		h.Set("X-Ratelimit-Reset-"+kind, b.Reset.Round(time.Millisecond).String())
	}
}
