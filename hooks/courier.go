package hooks

import (
	"slices"
	"sync"
	"time"
)

// patience is how often it is looked whether observers wait for one whose hook has the goroutine that they share. Which
// hook that is may be known only at the second look, so that they wait for a millisecond at most.
const patience = 500 * time.Microsecond

// couriers bring events to the observers of a registry. Most hooks are quicker than a goroutine is started, so one goes
// from observer to observer. Where a hook keeps it, the others do not wait for that hook: another goes on with them.
// The zero value is ready, and has no goroutine.
type couriers struct {
	mu      sync.Mutex
	ready   []*observer // have events and nobody at work on them, each once; first in, first out
	walking []*courier
	timer   *time.Timer // looks after those who wait; nil unless it runs
	looks   func()      // look; kept, so that setting the timer makes no closure
	behind  bool        // somebody has waited ever since the timer was set
}

// courier is one goroutine, which works on one observer at a time. Its fields are guarded by the mutex of couriers.
type courier struct {
	calls uint64 // begun
	seen  uint64 // of them, when the timer fired last
}

// visit has somebody work on an observer that has events.
func (c *couriers) visit(o *observer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.await(o)
}

// await has an observer wait for its turn, which is soon. The caller holds the mutex, and takes nobody's turn.
func (c *couriers) await(o *observer) {
	c.ready = append(c.ready, o)
	if len(c.walking) == 0 {
		c.send()
		return
	}
	c.attend()
}

// send starts another courier. The caller holds the mutex.
func (c *couriers) send() {
	k := new(courier)
	c.walking = append(c.walking, k)
	go c.walk(k)
}

// walk works on observers until none is ready. If a hook ends the goroutine, another goes on.
func (c *couriers) walk(k *courier) {
	var o *observer
	var t turn
	defer func() {
		if o != nil {
			c.replace(k, o, t.more)
		}
	}()
	for o = c.next(k); o != nil; o = c.proceed(k, o, t.more) {
		o.deliver(&t)
	}
}

// next is the observer whose turn it is. When there is none the courier is dismissed.
func (c *couriers) next(k *courier) *observer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pop(k)
}

// pop is next for who has the mutex.
func (c *couriers) pop(k *courier) *observer {
	c.behind = c.behind && len(c.ready) > 1
	if len(c.ready) == 0 {
		c.dismiss(k)
		return nil
	}
	o := c.ready[0]
	c.ready = slices.Delete(c.ready, 0, 1) // it is short, and so keeps its memory
	k.calls++
	return o
}

// proceed is next after work on an observer, which waits for its next turn if it has more. A courier that was given up
// and comes back to nothing leaves the rest to others.
func (c *couriers) proceed(k *courier, o *observer, more bool) *observer {
	c.mu.Lock()
	defer c.mu.Unlock()
	lost := !slices.Contains(c.walking, k)
	switch {
	case lost && !more:
		return nil
	case lost: // it is back, and free
		c.walking = append(c.walking, k)
		c.ready = append(c.ready, o)
	case more:
		c.ready = append(c.ready, o)
	}
	return c.pop(k)
}

// replace takes the place of a courier whose goroutine a hook has ended.
func (c *couriers) replace(k *courier, o *observer, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dismiss(k)
	switch {
	case more:
		c.await(o)
	case len(c.ready) > 0 && len(c.walking) == 0:
		c.send()
	}
}

func (c *couriers) dismiss(k *courier) {
	c.walking = slices.DeleteFunc(c.walking, func(other *courier) bool { return other == k })
}

// attend sees to it that whoever is ready does not wait for long. The caller holds the mutex.
func (c *couriers) attend() {
	if c.timer != nil {
		return
	}
	if c.looks == nil {
		c.looks = c.look
	}
	c.behind = true
	for _, k := range c.walking {
		k.seen = max(k.calls, 1) // one that is about to begin has its first call as long
	}
	c.timer = time.AfterFunc(patience, c.looks)
}

// close stops the timer once nobody is ready any more.
func (c *couriers) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil && len(c.ready) == 0 {
		c.timer.Stop()
		c.timer = nil
	}
}

// look gives up couriers that a hook has kept, and has others go on at once for all who wait, since their hooks may be
// no better. It sends one more if there is more to do than those who are there get done.
func (c *couriers) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = nil
	before := len(c.walking)
	c.walking = slices.DeleteFunc(c.walking, func(k *courier) bool { return k.calls == k.seen })
	switch {
	case len(c.ready) == 0:
		return
	case len(c.walking) < before:
		for range c.ready {
			c.send()
		}
	case c.behind:
		c.send()
	}
	c.attend()
}
