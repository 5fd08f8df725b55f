package otel

import (
	"context"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// hook begins spans of calls and is told how they end.
type hook struct{ plugin *plugin }

var _ hooks.Mutator = hook{}

// Name implements [hooks.Hook].
func (hook) Name() string { return Name }

// Events implements [hooks.Hook]. None of them comes with every event of a stream.
func (hook) Events() []hooks.Event {
	return []hooks.Event{
		hooks.EventRequestCompleted, hooks.EventRequestFailed,
		hooks.EventProviderResponseReceived, hooks.EventProviderError, hooks.EventProviderStreamEnd,
	}
}

// Handle implements [hooks.Hook].
func (h hook) Handle(_ context.Context, hc *hooks.Context) error {
	q := h.plugin.live.find(hc.Exchange)
	if q == nil {
		return nil
	}
	switch e := hc.Payload.(type) {
	case *hooks.RequestCompleted:
		if e != nil {
			q.end(&ending{
				Request: e.Request, at: hc.Time, status: e.Status, duration: e.Duration, usage: e.Usage,
				attempts: e.Attempts,
			})
		}
	case *hooks.RequestFailed:
		if e != nil {
			q.end(&ending{
				Request: e.Request, at: hc.Time, status: e.Status, duration: e.Duration, usage: e.Usage,
				attempts: e.Attempts,
				failed:   true, gone: e.ClientGone, err: e.Err, kind: e.ErrorType,
			})
		}
	default:
		q.tell(hc)
	}
	return nil
}

// tell takes what an event says about a call.
func (q *request) tell(hc *hooks.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return
	}
	switch e := hc.Payload.(type) {
	case *hooks.ProviderResponseReceived:
		if c := q.find(e.Attempt); c != nil {
			c.status = e.Status
		}
	case *hooks.ProviderError:
		if c := q.find(e.Attempt); c != nil {
			c.broke(hc.Time, e)
		}
	case *hooks.ProviderStreamEnd:
		if c := q.find(0); c != nil {
			c.streamed(hc.Time, e)
		}
	}
}

func (c *call) broke(at time.Time, e *hooks.ProviderError) {
	if e.Attempt == 0 {
		return // it tells of an upstream that was not called
	}
	c.failed, c.err, c.kind = true, e.Err, e.Type
	c.retried = e.Retrying && e.Failover == ""
	if e.Status != 0 {
		c.status = e.Status
	}
	if c.ended.IsZero() {
		c.ended = at
	}
}

func (c *call) streamed(at time.Time, e *hooks.ProviderStreamEnd) {
	c.ended, c.usage = at, e.Usage
	if e.Chunks > 0 { // the event counts from the answer's header, the convention from the call
		c.firstChunk = max(at.Add(e.TimeToFirstEvent-e.Duration).Sub(c.begun), time.Nanosecond)
	}
	if e.Chunks > 1 {
		c.perChunk = (e.Duration - e.TimeToFirstEvent) / time.Duration(e.Chunks-1)
	}
	if e.Err != "" && !c.failed {
		c.failed, c.err = true, e.Err
	}
}
