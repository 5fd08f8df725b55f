package permissions

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"
)

const (
	// grace is how long a question is still shown whose asker has gone, and may come back.
	grace = 10 * time.Second
	// maxKept and maxKeptBytes bound the requests that are kept for being asked for again, the latest.
	maxKept      = 1000
	maxKeptBytes = 16 << 20
)

// desk is where questions wait for answers. It is safe for concurrent use, and runs no goroutine: each question that
// is kept has one timer.
type desk struct {
	timeout, keep time.Duration
	maxPending    int
	stopping      <-chan struct{} // closed when no answer can come any more; nil for never
	watchers      watchers

	mu      sync.Mutex
	closed  bool
	entries map[string]*entry
	uses    map[use]*entry
	order   []*entry // in the order of asking
	kept    []*entry // those that are not pending, in the order of their end
	bytes   int      // of the kept ones
	pending int
}

// use is a call of a tool by the model's own id.
type use struct{ caller, id string }

// entry is a request at the desk. The desk's mutex guards all but done.
type entry struct {
	request   Request
	done      chan struct{} // closed when it is not pending any more
	timer     *time.Timer
	waiters   int
	left      bool // nobody waits, and it ends after the grace
	delivered bool // somebody who waited has been told
}

func (e *entry) size() int {
	return len(e.request.Input) + len(e.request.UpdatedInput) + len(e.request.Reason) + len(e.request.Tool)
}

func newDesk(c *Config, stopping <-chan struct{}) *desk {
	return &desk{
		timeout: c.Timeout, keep: c.Keep, maxPending: c.MaxPending, stopping: stopping,
		watchers: watchers{max: c.MaxWatchers},
		entries:  make(map[string]*entry), uses: make(map[use]*entry),
	}
}

// ask puts a question, or finds the one that was put before. Who waits for the answer calls wait; with waits, the
// question counts them from the beginning.
func (d *desk) ask(q Question, waits bool) (*entry, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := d.find(&q)
	switch {
	case err != nil:
		return nil, err
	case d.closed:
		return nil, ErrStopped
	case e == nil && d.pending >= d.maxPending:
		return nil, ErrTooMany
	case e == nil:
		e = d.add(&q)
	}
	if waits {
		d.join(e)
	}
	return e, nil
}

// find returns the request that a question asks for again, or nil. The same id does not stand for another input, nor
// for somebody else's question.
func (d *desk) find(q *Question) (*entry, error) {
	same := func(e *entry) bool {
		r := &e.request
		return r.Caller == q.Caller && r.Tool == q.Tool && bytes.Equal(r.Input, q.Input) && r.Editable == q.Editable
	}
	if q.ID != "" {
		if e := d.entries[q.ID]; e != nil && same(e) {
			return e, nil
		}
		return nil, ErrUnknown
	}
	if e := d.uses[use{q.Caller, q.ToolUseID}]; q.ToolUseID != "" && e != nil && !e.delivered && same(e) {
		return e, nil
	}
	return nil, nil //nolint:nilnil // a new question
}

func (d *desk) add(q *Question) *entry {
	now := time.Now()
	e := &entry{done: make(chan struct{}), request: Request{
		ID: rand.Text(), Tool: q.Tool, Input: bytes.Clone(q.Input), ToolUseID: q.ToolUseID, Source: q.Source,
		Caller: q.Caller, Editable: q.Editable, Created: now, Expires: now.Add(d.timeout), Status: Pending,
	}}
	if !q.Expires.IsZero() && q.Expires.Before(e.request.Expires) {
		e.request.Expires = q.Expires
	}
	d.entries[e.request.ID] = e
	if q.ToolUseID != "" {
		d.uses[use{q.Caller, q.ToolUseID}] = e
	}
	d.order = append(d.order, e)
	d.pending++
	e.timer = time.AfterFunc(time.Until(e.request.Expires), func() { d.tick(e) })
	d.watchers.publish(e.request)
	return e
}

// join counts somebody who waits.
func (d *desk) join(e *entry) {
	e.waiters++
	if e.left && e.request.Status == Pending {
		e.left = false
		e.timer.Reset(time.Until(e.request.Expires))
	}
}

// wait returns the request when it has been decided. If ctx ends before, its cause is returned, and a request that
// nobody waits for any more is withdrawn: after the patience, or at once. Without patience who waits is in this process
// and is told whatever it is, and the end of its time is the request's own: it expires, as by the desk's timer.
func (d *desk) wait(ctx context.Context, e *entry, patience time.Duration) (Request, error) {
	var err error
	select {
	case <-e.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-d.stopping:
		err = ErrStopped
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e.waiters--
	if e.request.Status != Pending {
		e.delivered = e.delivered || ctx.Err() == nil || patience <= 0
		return e.request, nil
	}
	switch {
	case e.waiters > 0:
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && patience <= 0:
		e.delivered = true
		d.settle(e, Expired)
		return e.request, nil
	case patience <= 0 || errors.Is(err, ErrStopped):
		d.settle(e, Withdrawn)
	case !e.left:
		e.left = true
		e.timer.Reset(min(patience, time.Until(e.request.Expires)))
	}
	return e.request, err
}

// leave ends waiting without any harm to the request. Who has gone is told nothing.
func (d *desk) leave(ctx context.Context, e *entry) Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.waiters--
	e.delivered = e.delivered || e.request.Status != Pending && ctx.Err() == nil
	return e.request
}

// answer decides a request. The first answer wins.
func (d *desk) answer(id string, a Answer) (Request, error) {
	if err := a.check(); err != nil {
		return Request{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[id]
	if e == nil {
		return Request{}, ErrUnknown
	}
	if e.request.Status == Pending && !time.Now().Before(e.request.Expires) {
		d.settle(e, Expired)
	}
	switch e.request.Status {
	case Pending:
	case Expired, Withdrawn:
		return e.request, ErrExpired
	default:
		return e.request, ErrAnswered
	}
	if a.UpdatedInput != nil && !e.request.Editable {
		return e.request, ErrNotEditable
	}
	e.request.Reason, e.request.By = a.Reason, a.By
	e.request.UpdatedInput = bytes.Clone(a.UpdatedInput)
	status := Denied
	if a.Allow {
		status = Allowed
	}
	d.settle(e, status)
	return e.request, nil
}

// tick is called when a request's time has come: to expire, to be withdrawn, or to be forgotten.
func (d *desk) tick(e *entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch now := time.Now(); {
	case d.entries[e.request.ID] != e: // forgotten already
	case e.request.Status != Pending && now.Before(e.request.Resolved.Add(d.keep)): // a call that came late
	case e.request.Status != Pending:
		d.forget(e)
	case !now.Before(e.request.Expires):
		d.settle(e, Expired)
	case e.left:
		d.settle(e, Withdrawn)
	default:
		e.timer.Reset(e.request.Expires.Sub(now))
	}
}

// settle ends a pending request.
func (d *desk) settle(e *entry, s Status) {
	e.request.Status, e.request.Resolved = s, time.Now()
	d.pending--
	close(e.done)
	d.kept = append(d.kept, e)
	d.bytes += e.size()
	if d.closed {
		e.timer.Stop()
	} else {
		e.timer.Reset(d.keep)
	}
	d.watchers.publish(e.request)
	for len(d.kept) > maxKept || d.bytes > maxKeptBytes {
		d.forget(d.kept[0])
	}
}

// forget drops a request that is not pending.
func (d *desk) forget(e *entry) {
	e.timer.Stop()
	delete(d.entries, e.request.ID)
	if key := (use{e.request.Caller, e.request.ToolUseID}); d.uses[key] == e {
		delete(d.uses, key)
	}
	d.order = without(d.order, e)
	d.kept = without(d.kept, e)
	d.bytes -= e.size()
}

func without(list []*entry, e *entry) []*entry {
	for i := range list {
		if list[i] == e {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

// lookup returns a request.
func (d *desk) lookup(id string) (Request, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.entries[id]; e != nil {
		return e.request, nil
	}
	return Request{}, ErrUnknown
}

// list returns the pending requests, or all that are kept, in the order of asking.
func (d *desk) list(all bool) []Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests(all)
}

func (d *desk) requests(all bool) []Request {
	out := make([]Request, 0, d.pending)
	for _, e := range d.order {
		if all || e.request.Status == Pending {
			out = append(out, e.request)
		}
	}
	return out
}

// watch subscribes, and returns what is pending at that very moment.
func (d *desk) watch() (*watcher, []Request, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, err := d.watchers.add()
	if err != nil {
		return nil, nil, err
	}
	return w, d.requests(false), nil
}

// unwatch ends a subscription, unless it has ended.
func (d *desk) unwatch(w *watcher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watchers.end(w)
}

// close withdraws everything; nobody can ask any more.
func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, e := range d.order {
		if e.request.Status == Pending {
			d.settle(e, Withdrawn)
		}
		e.timer.Stop()
	}
	d.watchers.close()
}

// state returns how many requests are pending and kept, and how many watch.
func (d *desk) state() (pending, kept, watching int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pending, len(d.kept), len(d.watchers.open)
}
