package hooks

import (
	"sync"
	"time"
)

const (
	observerTimeout = 10 * time.Second
	dropReportPause = time.Minute // between two log lines about dropped events of one hook
)

// observer delivers events to one hook: a bounded queue, and while there is something in it a courier who comes.
type observer struct {
	*identity
	hook     Hook
	timeout  time.Duration
	readOnly bool
	couriers *couriers

	mu       sync.Mutex
	tally    tally
	queue    queue
	closed   bool        // takes no more events
	running  bool        // a courier works on it, or will
	current  *delivery   // being handled, nil if none is
	stalled  bool        // current is past its deadline, and already counted as failed
	watchdog *time.Timer // runs if not nil; see watch
	reported int64       // dropped, as last logged
	reportAt time.Time
}

// delivery is one call of the hook: the event and the call's context. The hook may keep either, so it is
// never used again.
type delivery struct {
	hc   Context
	ctx  callContext
	pass pass
}

// news is an event on its way to its observers.
type news struct {
	hc     Context
	weight int
	shared Payload // what those get that only read it, once there is one
}

// payload returns what an observer may keep: its own copy, or that which is shared.
func (n *news) payload(readOnly bool) Payload {
	switch {
	case n.hc.Payload == nil:
		return nil
	case !readOnly:
		return n.hc.Payload.clone()
	case n.shared == nil:
		n.shared = n.hc.Payload.clone()
	}
	return n.shared
}

// offer queues the event for the hook, or drops what has to be dropped. It never waits.
func (o *observer) offer(n *news) {
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
	ok, dropped := o.queue.makeRoom(n.hc.Event, n.weight)
	o.tally.dropped += int64(dropped)
	if !ok {
		o.tally.dropped++
		return
	}
	it := item{hc: n.hc, pass: p, weight: n.weight}
	it.hc.Payload = n.payload(o.readOnly)
	o.queue.push(it)
	if !o.running {
		o.running = true
		o.couriers.visit(o)
	}
}

// turn is what a courier knows before it works on an observer, and after that.
type turn struct {
	now  time.Time // zero if a while has passed since the clock was read
	more bool      // there is another event
}

// deliver handles an event and notes when that was, and whether there is another one. The hook may end the goroutine.
func (o *observer) deliver(t *turn) {
	now := t.now
	if now.IsZero() {
		now = time.Now()
	}
	*t = turn{}
	d := o.next(now)
	if d == nil {
		return
	}
	guard(
		func() error { return o.hook.Handle(&d.ctx, &d.hc) },
		func(out outcome) { *t = o.finish(d, out) },
	)
}

// next takes an event from the queue, nil if there is none any more.
func (o *observer) next(now time.Time) *delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.more() {
		return nil
	}
	d := &delivery{ctx: callContext{lifetime: o.lifetime, deadline: now.Add(o.timeout)}}
	d.pass = o.queue.pop(&d.hc)
	o.current = d
	o.watch(o.timeout)
	return d
}

// more reports whether there is anything in the queue. If not, nobody works on the observer any more. The caller holds
// the mutex.
func (o *observer) more() bool {
	if o.queue.len() > 0 {
		return true
	}
	o.running = false
	o.queue.release()
	o.tally.wake()
	o.unwatch()
	return false
}

// finish notes how a call ended.
func (o *observer) finish(d *delivery, out outcome) turn {
	now := time.Now()
	d.ctx.release(now)
	if d.ctx.overdue(now) {
		out.err, out.text = ErrHookTimeout, ErrHookTimeout.Error()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	late := o.stalled
	o.current, o.stalled = nil, false
	switch {
	case late: // counted when it overran its timeout
	case out.err == nil && o.tally.dropped == o.reported:
		o.tally.succeed(d.pass)
	default:
		o.settle(d.pass, out)
		now = time.Time{} // a log may take its time
	}
	return turn{now, o.more()}
}

// settle records an outcome and logs what there is to log. The caller holds the mutex, which is let go for
// the log.
func (o *observer) settle(p pass, out outcome) {
	r := o.count(p, out)
	o.mu.Unlock()
	defer o.mu.Lock()
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
	o.unwatch()
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
	if o.current != nil && !o.stalled {
		s.Pending++
	}
}
