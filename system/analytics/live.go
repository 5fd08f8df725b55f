package analytics

import (
	"errors"
	"sync"
)

// broker hands records to those who watch them come. The zero value has none.
type broker struct {
	subscribers, buffer int // limits

	mu     sync.Mutex
	open   map[*subscriber]struct{}
	closed bool
	slow   int64
}

// subscriber is somebody who watches.
type subscriber struct {
	filter  Filter
	records chan Record // closed when there will be no more
	slow    bool        // why it was closed; written before
}

var (
	errSubscribers = errors.New("too many clients watch already")
	errStopped     = errors.New("the proxy is shutting down")
)

func (b *broker) subscribe(f Filter) (*subscriber, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, errStopped
	case len(b.open) >= b.subscribers:
		return nil, errSubscribers
	case b.open == nil:
		b.open = make(map[*subscriber]struct{})
	}
	s := &subscriber{filter: f, records: make(chan Record, b.buffer)}
	b.open[s] = struct{}{}
	return s, nil
}

// unsubscribe ends a subscription, unless it has ended.
func (b *broker) unsubscribe(s *subscriber) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end(s)
}

// end closes a subscription. The caller holds the mutex.
func (b *broker) end(s *subscriber) {
	if _, ok := b.open[s]; ok {
		delete(b.open, s)
		close(s.records)
	}
}

// publish hands a record to all whose filter it fits, and ends the subscriptions of those who have no room for it.
func (b *broker) publish(r *Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.open {
		if !s.filter.Match(r) {
			continue
		}
		select {
		case s.records <- *r:
		default:
			b.slow++
			s.slow = true
			b.end(s)
		}
	}
}

// close ends all subscriptions; there are no more.
func (b *broker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for s := range b.open {
		b.end(s)
	}
}

// state returns how many watch, and how many were let go because they were too slow.
func (b *broker) state() (watching int, slow int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open), b.slow
}
