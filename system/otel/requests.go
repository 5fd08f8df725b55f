package otel

import (
	"sync"
	"time"
)

// maxRequests bounds the requests that wait for events. What comes on top has its span, but without what events tell.
const maxRequests = 16_384

// requests are those under way, by their exchanges. The zero value has none.
type requests struct {
	mu      sync.Mutex
	open    map[uint64]*request
	skipped int64
}

// add takes a request in, and reports whether there was room for it.
func (rs *requests) add(r *request) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if len(rs.open) >= maxRequests {
		rs.skipped++
		return false
	}
	if rs.open == nil {
		rs.open = make(map[uint64]*request)
	}
	rs.open[r.exchange] = r
	return true
}

func (rs *requests) find(exchange uint64) *request {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.open[exchange]
}

func (rs *requests) remove(exchange uint64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.open, exchange)
}

// sweep ends the requests that were answered before a time, and of which no event has told that they have ended.
func (rs *requests) sweep(before time.Time) {
	var late []*request
	rs.mu.Lock()
	for exchange, r := range rs.open {
		if r.answeredBefore(before) {
			late = append(late, r)
			delete(rs.open, exchange)
		}
	}
	rs.mu.Unlock()
	for _, r := range late {
		r.end(nil)
	}
}

func (rs *requests) counts() (open int, skipped int64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.open), rs.skipped
}
