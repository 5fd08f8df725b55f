package ccproxy

import (
	"context"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/lease"
)

// Attempt tells that the upstream is about to be called, and with whose credential: the name of an account where the
// provider has several, else "". Hooks are told of the last one. A provider that calls its upstream several times
// within one Do calls it before each; whoever calls it once only, and has one credential, need not. It is not to be
// called concurrently, nor after Do, or [Answer.Again], has returned.
func (c *Call) Attempt(account string) {
	ex := c.exchange
	if ex == nil {
		return
	}
	ex.account = account
	if c.attempted {
		ex.attempts++
	}
	c.attempted, c.asked = true, true
}

// Retrying tells hooks of a failure after which the provider calls its upstream again by itself, such as with another
// account: the status that came, or zero, what to tell people of it, and how long it took. [Call.Attempt] follows. It
// has gone before, too, if the upstream was called.
func (c *Call) Retrying(status int, reason string, latency time.Duration) {
	ex := c.exchange
	if ex == nil || !ex.enabled(hooks.EventProviderError) {
		return
	}
	event := &hooks.ProviderError{
		Status: status, Type: typeOf(ex.format, adapters.ErrorInfo{Status: status}), Err: reason, Latency: latency,
		Attempt: ex.attempts, Retrying: true,
	}
	if !c.asked {
		event.Attempt = 0
	}
	c.asked = false
	ex.emit(event)
}

// operation is what was asked for, "" for what is no call.
func (ex *exchange) operation() string {
	if ex.call == nil {
		return ""
	}
	return string(ex.call.Operation)
}

// upstreamModel is the model that the provider was asked for.
func (ex *exchange) upstreamModel() string {
	if ex.call == nil {
		return ""
	}
	return ex.call.Model
}

// next is an attempt that is worth to be made.
type next struct {
	pipeline *pipeline
	call     *Call
	wait     time.Duration
}

// bring makes attempts until one of them has answered the client.
func (t *relay) bring(ctx context.Context) {
	for {
		after := t.try(ctx)
		if after == nil {
			return
		}
		t.switchTo(after)
		if !sleep(ctx, after.wait) {
			t.refuse(cause(ctx, ctx.Err()))
			return
		}
		t.ex.turnTo(after)
	}
}

// try makes one attempt. It returns the next one if it has come to nothing, and there is to be another.
func (t *relay) try(ctx context.Context) *next {
	pass, open := t.enter()
	if open != nil {
		return t.retreat(ctx, &setback{cause: open, err: open, status: open.Status, unasked: true}, true)
	}
	t.leave = pass
	t.memory.count(t.proxy, 1)
	defer t.end()
	t.attend()
	inner, begun := t.attemptContext(ctx), time.Now()
	ans, err := t.do(inner, t.ex, t.call)
	for {
		if err != nil {
			err = cause(inner, err)
			t.judge(err)
			return t.retreat(ctx, setbackOf(err, time.Since(begun)), true)
		}
		n, failure := t.accept(ctx, inner, ans)
		if failure == nil {
			return n
		}
		begun = time.Now()
		if ans, err = t.again(inner); ans == nil && err == nil {
			return t.concede(ctx, failure)
		}
	}
}

// accept brings an answer to the client, or tells what comes next. The error is that of an answer of which nothing has
// come, and after which the provider may be called again.
func (t *relay) accept(ctx, inner context.Context, ans *Answer) (*next, error) {
	// A provider that answers with events has nothing to close.
	if ans.Body != nil {
		defer ans.Body.Close() // what was read is what counts
	}
	t.take(ans)
	if ans.Status >= http.StatusBadRequest {
		t.judge(nil)
		if n := t.retreat(ctx, t.setback(), false); n != nil {
			return n, nil
		}
	}
	t.named = newModelName(t.call)
	defer func() { t.ex.lost = t.lost.List }()
	err := t.run(inner)
	if err == nil {
		t.judge(nil)
		return nil, nil //nolint:nilnil // nothing comes next
	}
	err = cause(inner, err)
	if ans.Again != nil && t.refused && !t.heard && ctx.Err() == nil && !t.sent() {
		return nil, err
	}
	return t.concede(ctx, err), nil
}

// again calls the provider once more after a stream that began with an error, in the same attempt.
func (t *relay) again(ctx context.Context) (*Answer, error) {
	last, begun := t.attempt, time.Now()
	t.out.mu.Lock()
	t.restart(attempt{from: t.pipeline.upstream, cancel: t.cancel, leave: t.leave})
	t.out.mu.Unlock()
	ans, err := last.ans.Again(ctx)
	if ans == nil && err == nil {
		t.out.mu.Lock()
		defer t.out.mu.Unlock()
		t.attempt = last
		t.complete = false // the client may have been sent the headers of a stream meanwhile
		return nil, nil    //nolint:nilnil // the failure stands
	}
	t.ex.lost, t.ex.usage, t.ex.errType = nil, nil, ""
	if err := answered(ans, err); err != nil {
		return nil, err
	}
	t.ex.received(ans, begun)
	return ans, nil
}

// concede looks for another attempt after an answer has failed, if nothing has come of it.
func (t *relay) concede(ctx context.Context, err error) *next {
	t.judge(err)
	if !t.heard {
		t.out.forget()
		s := setbackOf(err, time.Since(t.begun))
		s.told = s.told || t.refused
		if n := t.retreat(ctx, s, false); n != nil {
			return n
		}
	}
	t.fail(err)
	return nil
}

// enter asks the provider's breaker.
func (t *relay) enter() (breakerPass, *Error) {
	if t.estimates {
		return breakerPass{}, nil // nobody is called
	}
	return t.memory.breaker.enter(t.name)
}

// retreat looks for another attempt after a failure. Where there is none the client is told, if it shall be.
func (t *relay) retreat(ctx context.Context, s *setback, tell bool) *next {
	n, to := t.another(ctx, s)
	if n != nil || tell {
		t.attemptFailed(s, n != nil, to)
	}
	if n == nil && tell {
		t.refuse(s.cause)
	}
	return n
}

// another finds the next attempt: with the same provider, else with the first of the others that can be asked.
func (t *relay) another(ctx context.Context, s *setback) (n *next, to target) {
	if s.final || ctx.Err() != nil || t.sent() {
		return nil, target{}
	}
	if n := t.retry(ctx, s); n != nil {
		return n, target{}
	}
	if !s.fallsBack() {
		return nil, target{}
	}
	for len(t.rest) > 0 {
		to, t.rest = t.rest[0], t.rest[1:]
		p := t.others[to.provider]
		if len(t.rest) > 0 && p.memory.breaker.state() == breakerOpen {
			continue
		}
		if call, err := p.recall(ctx, t, to.model); err == nil {
			t.tries = 0
			return &next{pipeline: p, call: call}, to
		}
	}
	return nil, target{}
}

// retry is another attempt with the same provider.
func (t *relay) retry(ctx context.Context, s *setback) *next {
	wait, worth := t.memory.retry.delay(t.tries, s)
	if !worth || t.memory.breaker.state() == breakerOpen { // which this very failure may have opened
		return nil
	}
	if end, limited := ctx.Deadline(); limited && time.Until(end) <= wait {
		return nil
	}
	if !t.memory.budget.take() {
		return nil
	}
	call, err := t.recall(ctx, t, t.call.chosen)
	if err != nil {
		return nil
	}
	t.tries++
	return &next{pipeline: t.pipeline, call: call, wait: wait}
}

// sent tells whether the client has been sent a status.
func (t *relay) sent() bool {
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	return t.committed
}

// recall makes the call for another attempt, of the client's own request. It is held until the relay ends.
func (p *pipeline) recall(ctx context.Context, t *relay, model string) (*Call, error) {
	doc := p.proxy.doc()
	defer p.proxy.docs.Put(doc)
	// An earlier attempt's body may go back to where it was lent from while its provider still reads this one.
	body := append([]byte(nil), t.body...)
	if err := p.proxy.scan(doc, body); err != nil {
		return nil, jsonError(err)
	}
	last := t.call
	call := &Call{
		ID: last.ID, Provider: p.name, Operation: last.Operation, Format: p.upstream, ClientFormat: last.ClientFormat,
		Endpoint: last.Endpoint, Model: model, ClientModel: last.ClientModel, Stream: last.Stream,
		Session: last.Session, Body: body, Header: t.header, Query: last.Query, Caller: last.Caller,
		strict: last.strict, chosen: model,
	}
	err := p.fit(ctx, doc, call)
	if call.buf != nil {
		t.bufs = append(t.bufs, call.buf)
	}
	return call, err
}

// switchTo begins another attempt.
func (t *relay) switchTo(n *next) {
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	t.later = true
	t.pipeline, t.call = n.pipeline, n.call
	t.restart(attempt{from: n.pipeline.upstream})
	if t.planned {
		t.sign()
	}
}

// restart forgets what is known of an answer. The writer is locked.
func (t *relay) restart(a attempt) {
	t.attempt = a
	s := &t.out
	s.held, s.awaited, s.settled, s.ended = nil, false, false, 0
	if s.timer != nil {
		s.timer.Reset(t.nextTurn(s.now()))
	}
}

// turnTo is for another attempt that is really made: until then what hooks are told is that of the last one.
func (ex *exchange) turnTo(n *next) {
	ex.provider, ex.call, ex.account = n.pipeline.name, n.call, ""
	ex.lost, ex.usage, ex.errType = nil, nil, ""
}

// attemptContext is the context of an attempt. It has an end of its own only where others may follow.
func (t *relay) attemptContext(ctx context.Context) context.Context {
	if t.later {
		ctx = lease.With(ctx, t.call.buf)
	}
	if len(t.rest) == 0 && t.memory.retry.Max == 0 {
		return ctx
	}
	ctx, cancel := context.WithCancelCause(ctx)
	t.out.mu.Lock()
	t.cancel = cancel
	t.out.mu.Unlock()
	return ctx
}

// end is that of an attempt: what still runs of it ends.
func (t *relay) end() {
	if t.cancel != nil {
		t.cancel(nil)
	}
	t.memory.count(t.proxy, -1)
	t.leave.end(undecided)
}

// releaseCalls gives back what later attempts were lent.
func (t *relay) releaseCalls() {
	for _, buf := range t.bufs {
		buf.Release()
	}
}

// hear notes the first event of a stream that says more than that there is going to be one.
func (t *relay) hear(typ string, data []byte, isError bool) {
	if isError {
		t.refused = true
		return
	}
	if t.movable() && isPreamble(t.from, typ, data) {
		return
	}
	t.heard = true
	t.leave.begun() // a long answer keeps nobody waiting
}

// sleep waits; it returns false when the context ends first.
func sleep(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
