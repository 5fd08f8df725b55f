package otel

import (
	"sync"
	"time"
)

// maxRequests bounds the requests that wait for events. What comes on top has its span, but without what events tell.
const maxRequests = 16_384

// requests are those under way, by their ids. The zero value has none.
type requests struct {
	mu      sync.Mutex
	open    map[string]*request
	skipped int64
}

// add takes a request in. An id that is under way already, since clients may choose theirs, makes both anonymous: no
// event tells which of the two it is about.
func (rs *requests) add(id string, r *request) {
	rs.mu.Lock()
	if rs.open == nil {
		rs.open = make(map[string]*request)
	}
	first := rs.open[id]
	known := first == nil && len(rs.open) < maxRequests
	if known {
		rs.open[id] = r
	} else {
		rs.skipped++
	}
	rs.mu.Unlock()
	if first != nil {
		first.disown()
	}
	if !known {
		r.disown()
	}
}

func (rs *requests) find(id string) *request {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.open[id]
}

// remove takes a request out, if it is the one of that id.
func (rs *requests) remove(id string, r *request) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.open[id] == r {
		delete(rs.open, id)
	}
}

// sweep ends the requests that were answered before a time, and of which no event has told that they have ended.
func (rs *requests) sweep(before time.Time) {
	var late []*request
	rs.mu.Lock()
	for id, r := range rs.open {
		if r.answeredBefore(before) {
			late = append(late, r)
			delete(rs.open, id)
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
