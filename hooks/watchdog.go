package hooks

import "time"

// watch sees to it that a call under way is looked at after d. The caller holds the mutex.
//
// A timer for each call would cost more than most calls. Instead one is left running from call to call: when
// it fires, and the call under way began after it was set, it is set again for that one. So it fires once in
// each timeout of an observer at work, and a last time after that.
func (o *observer) watch(d time.Duration) {
	if o.watchdog == nil {
		o.watchdog = time.AfterFunc(d, o.check)
	}
}

// unwatch stops the timer of a closed observer that has come to rest; it would keep the observer in memory.
// The caller holds the mutex.
func (o *observer) unwatch() {
	if o.closed && !o.running && o.watchdog != nil {
		o.watchdog.Stop()
		o.watchdog = nil
	}
}

// check notes that the hook did not return in time. The worker waits on, for it cannot do anything else.
func (o *observer) check() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watchdog = nil
	if o.current == nil {
		return
	}
	if left := time.Until(o.current.ctx.deadline); left > 0 {
		o.watch(left)
		return
	}
	o.stalled = true
	o.settle(o.current.pass, outcome{err: ErrHookTimeout, text: ErrHookTimeout.Error()})
}
