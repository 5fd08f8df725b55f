package ccproxy

import (
	"math"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// attend begins to look after an answer: a timer keeps the client's side of a stream alive and ends what the provider
// does not begin, or does not go on with. There is never more than one timer, it does what it does under the writer's
// lock, and after [relay.settle] it does nothing.
func (t *relay) attend() {
	t.openWriter()
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	t.out.fresh = true
	t.out.wait()
	if t.out.settled {
		return
	}
	if t.out.timer != nil {
		t.out.timer.Reset(t.nextTurn(t.out.since))
		return
	}
	t.out.timer = time.AfterFunc(math.MaxInt64, func() { t.turn() })
	t.out.timer.Reset(t.nextTurn(t.out.since))
}

// promise gives up on answering a stream with a status of its own after a time.
func (t *relay) promise() {
	if after := t.proxy.streams.CommitAfter; after > 0 && t.call.Stream && t.op == OpGenerate {
		t.openWriter()
		t.promised = t.out.now() + after
		t.attend()
		t.out.await(true)
	}
}

// promises tells whether the client is to be sent the headers of a stream some time. An answer with another status than
// that of a success keeps it: it is read to its end soon, or somebody else is asked. The writer is locked.
func (t *relay) promises() bool {
	return t.promised > 0 && (t.ans == nil || t.ans.Status >= 200 && t.ans.Status < 300)
}

// turn does what is due.
func (t *relay) turn() {
	s := &t.out
	if !s.mu.TryLock() { // the client is being written to, so nothing is due
		s.timer.Reset(time.Second)
		return
	}
	defer s.mu.Unlock()
	defer func() {
		if v := recover(); v != nil { // of the host's writer
			s.settle()
			t.ex.flight.cancel(panicError(v))
		}
	}()
	if s.settled || t.ex.ctx.Err() != nil {
		return
	}
	now := s.now()
	if why := t.overdue(now); why != "" {
		t.abort(&Error{Status: http.StatusGatewayTimeout, Message: why})
		return
	}
	due := t.committed && s.ended == 0 && now-s.last >= t.proxy.streams.KeepAlive
	if !t.committed && t.promises() && now >= t.promised {
		t.commit()
		due = true
	}
	if due && (s.append(keepAlive(t.client)) != nil || s.send() != nil) {
		t.ex.flight.cancel(errClientGone)
		return
	}
	s.timer.Reset(t.nextTurn(now))
}

// eventIdle is how many times as long as a provider may be silent it may take for one event.
const eventIdle = 4

// afterEnd is how long a provider may leave a stream open behind its terminal event.
const afterEnd = time.Second

// silentBody is what is told of an answer that is no stream.
const silentBody = "the provider was silent for too long before its answer was whole"

// overdue tells what a provider is waited for too long; "" if it is not.
func (t *relay) overdue(now time.Duration) string {
	if !t.out.awaited {
		return ""
	}
	switch bytes, event := t.deadlines(); {
	case now >= bytes && (t.ans == nil || t.whole && !t.pulse.felt()):
		return "the provider did not begin to answer in time"
	case now >= bytes && t.whole:
		return silentBody
	case now >= bytes:
		return "the provider's stream was silent for too long"
	case now >= event:
		return "an event of the provider's stream took too long"
	}
	return ""
}

// deadlines are when a provider that is waited for has to have sent something, and when a whole event. The writer is
// locked.
func (t *relay) deadlines() (bytes, event time.Duration) {
	switch {
	case t.ans == nil, t.whole && !t.pulse.felt():
		begin := t.out.since + min(t.proxy.limits.FirstByte, math.MaxInt64/2)
		return begin, begin
	case t.out.ended > 0:
		return t.out.ended + afterEnd, t.out.ended + afterEnd
	}
	last, idle := t.out.since, min(t.proxy.limits.StreamIdle, math.MaxInt64/(2*eventIdle))
	if t.pulse != nil {
		last = max(last, t.pulse.last())
	}
	if t.whole {
		return last + idle, math.MaxInt64
	}
	return last + idle, t.out.eventful + eventIdle*idle
}

// nextTurn is how long nothing will be due. The writer is locked.
func (t *relay) nextTurn(now time.Duration) time.Duration {
	s := &t.out
	next := t.proxy.limits.StreamIdle
	if s.awaited {
		bytes, event := t.deadlines()
		next = min(bytes, event) - now
	}
	if t.whole {
		next = min(next, t.proxy.limits.StreamIdle) // it may have begun then
	}
	switch {
	case s.ended > 0:
		next = min(next, afterEnd) // a client that has all of it is not pinged
	case t.committed:
		next = min(next, t.proxy.streams.KeepAlive-(now-s.last))
	case t.promises():
		next = min(next, t.promised-now)
	}
	return max(next, 0)
}

// keepAlive sets the timer for a client that from now on must not be left in silence. The writer is locked.
func (t *relay) keepAlive() {
	t.out.last = t.out.now()
	if t.out.timer != nil && !t.out.settled {
		t.out.timer.Reset(t.nextTurn(t.out.last))
	}
}

// settle ends what happens by itself, and tells whether the client has been sent a status.
func (t *relay) settle() bool {
	t.out.mu.Lock()
	defer t.out.mu.Unlock()
	t.out.settle()
	return t.committed
}

// settle is for who has the lock.
func (s *streamWriter) settle() {
	s.settled = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// keepAlive is what a format's clients pass over wherever it stands between events.
func keepAlive(f adapters.Format) []byte {
	if f == adapters.AnthropicMessages {
		return []byte("event: ping\ndata: {\"type\": \"ping\"}\n\n")
	}
	return sse.AppendComment(nil, "keep-alive")
}

// abort ends the attempt that is under way, and the exchange with it where there is no other. The writer is locked.
func (t *relay) abort(why error) {
	if t.cancel != nil {
		t.cancel(why)
		return
	}
	t.ex.flight.cancel(why)
}
