package budgets

import "time"

// hold is what one request has reserved.
type hold struct {
	exchange uint64 // the request's
	began    time.Time
	claims   claims
	spent    Spent // estimated
}

// before is what is known of a key before the store is asked.
type before struct {
	reserved Spent // by earlier requests and this one
	unsaved  Spent
}

// reserve notes a hold, and appends what there is under its keys to all. A request that tries again gives back what it
// had.
func (l *ledger) reserve(h *hold, all []before) ([]before, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(l.holds[h.exchange])
	if len(l.holds) >= maxHolds {
		return nil, false
	}
	l.holds[h.exchange] = h
	for _, k := range h.claims.keys {
		sum := l.reserved[k].plus(h.spent)
		l.reserved[k] = sum
		b := before{reserved: sum.spent()}
		if len(l.unsaved) > 0 {
			b.unsaved = l.unsaved[k]
		}
		all = append(all, b)
	}
	return all, true
}

// holdOf returns what a request has reserved, nil for nothing.
func (l *ledger) holdOf(exchange uint64) *hold {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holds[exchange]
}

// withdraw gives back what an earlier attempt of a request has reserved.
func (l *ledger) withdraw(exchange uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(l.holds[exchange])
}

// release gives back what was reserved, unless that has been done.
func (l *ledger) release(h *hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(h)
}

// drop is release for who holds the mutex.
func (l *ledger) drop(h *hold) {
	if h == nil || l.holds[h.exchange] != h {
		return
	}
	delete(l.holds, h.exchange)
	for _, k := range h.claims.keys {
		if rest := l.reserved[k].minus(h.spent); rest != (reserved{}) {
			l.reserved[k] = rest
		} else {
			delete(l.reserved, k)
		}
	}
}
