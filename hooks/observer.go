package hooks

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	observerTimeout = 10 * time.Second
	dropReportPause = time.Minute // between two log lines about dropped events of one hook
)

// observer delivers events to one hook: a bounded queue, and while there is something in it one goroutine.
type observer struct {
	*identity
	hook    Hook
	timeout time.Duration

	mu       sync.Mutex
	tally    tally
	queue    queue
	closed   bool  // takes no more events
	running  bool  // there is a worker
	current  item  // being handled; a zero serial says none
	stalled  bool  // current is past its timeout, and already counted as failed
	reported int64 // dropped, as last logged
	reportAt time.Time
}

// offer queues the event for the hook, or drops what has to be dropped. It never waits.
func (o *observer) offer(hc *Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	p := o.tally.fuse.ask(time.Now)
	if p == refused {
		o.tally.dropped++
		return
	}
	weight := weightOf(hc.Payload)
	ok, dropped := o.queue.makeRoom(hc.Event, weight)
	o.tally.dropped += int64(dropped)
	if !ok {
		o.tally.dropped++
		return
	}
	it := item{hc: *hc, pass: p, weight: weight}
	if hc.Payload != nil {
		it.hc.Payload = hc.Payload.clone()
	}
	o.queue.push(it)
	if !o.running {
		o.running = true
		go o.work()
	}
}

// work handles events until the queue is empty. If a hook ends the goroutine, another takes its place.
func (o *observer) work() {
	finished := false
	defer func() {
		if !finished {
			go o.work()
		}
	}()
	for {
		it, ok := o.next()
		if !ok {
			finished = true
			return
		}
		o.deliver(it)
	}
}

// next takes an event from the queue. When there is none the worker is dismissed.
func (o *observer) next() (item, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	it, ok := o.queue.pop()
	if !ok {
		o.running = false
		o.queue.release()
		o.tally.wake()
		return item{}, false
	}
	o.current = it
	o.current.hc = Context{} // the hook's own from here on
	return it, true
}

func (o *observer) deliver(it item) {
	ctx, cancel := context.WithTimeoutCause(o.lifetime, o.timeout, ErrHookTimeout)
	defer cancel()
	alarm := time.AfterFunc(o.timeout, func() { o.stall(it.serial) })
	guard(func() error { return o.hook.Handle(ctx, &it.hc) }, func(out outcome) {
		alarm.Stop()
		o.finish(ctx, it.pass, out)
	})
}

// stall notes that the hook did not return in time. The worker waits on, for it cannot do anything else.
func (o *observer) stall(serial uint64) {
	o.mu.Lock()
	if o.current.serial != serial { // it has just returned
		o.mu.Unlock()
		return
	}
	o.stalled = true
	r := o.count(o.current.pass, outcome{err: ErrHookTimeout, text: ErrHookTimeout.Error()})
	o.mu.Unlock()
	o.tell(r)
}

// finish notes how a call ended. If it overran its timeout that was counted when it did.
func (o *observer) finish(ctx context.Context, p pass, out outcome) {
	if out.err != nil && errors.Is(context.Cause(ctx), ErrHookTimeout) {
		out.text = ErrHookTimeout.Error()
	}
	o.mu.Lock()
	late := o.stalled
	o.current, o.stalled = item{}, false
	if late {
		o.mu.Unlock()
		return
	}
	r := o.count(p, out)
	o.mu.Unlock()
	o.tell(r)
}

// count records an outcome. The caller holds the mutex.
func (o *observer) count(p pass, out outcome) report {
	r := o.tally.record(p, out)
	if r.blew {
		o.tally.dropped += int64(o.queue.clear())
	}
	r.dropped = o.dropsToReport()
	return r
}

// dropsToReport returns how many drops a log line is due for.
func (o *observer) dropsToReport() int64 {
	n := o.tally.dropped - o.reported
	if n == 0 {
		return 0
	}
	if now := time.Now(); o.reportAt.IsZero() || now.Sub(o.reportAt) >= dropReportPause {
		o.reported, o.reportAt = o.tally.dropped, now
		return n
	}
	return 0
}

// close refuses further events; those queued are still delivered.
func (o *observer) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// discard gives up what is queued and returns how much that was.
func (o *observer) discard() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := int64(o.queue.clear())
	o.tally.dropped += n
	return n
}

// idle returns nil if nothing is queued or running, else a channel that is closed when that is so.
func (o *observer) idle() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.running {
		return nil
	}
	return o.tally.await()
}

func (o *observer) busy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.running
}

func (o *observer) addTo(s *Stats) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tally.addTo(s)
	s.Stalled = o.stalled
	s.Pending += o.queue.len()
	if o.current.serial != 0 && !o.stalled {
		s.Pending++
	}
}
