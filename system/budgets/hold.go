package budgets

import (
	"iter"
	"time"
)

// hold is what one request has reserved.
type hold struct {
	id, caller string
	models     modelNames
	began      time.Time
	claims     claims
	spent      Spent // estimated
	earlier    *hold // of a request with the same id
}

// all yields the hold and those before it. A nil hold is none.
func (h *hold) all() iter.Seq[*hold] {
	return func(yield func(*hold) bool) {
		for ; h != nil; h = h.earlier {
			if !yield(h) {
				return
			}
		}
	}
}

// forget takes an earlier hold out, and reports whether it was there.
func (h *hold) forget(gone *hold) bool {
	for later := range h.all() {
		if later.earlier == gone {
			later.earlier = gone.earlier
			return true
		}
	}
	return false
}

// before is what is known of a key before the store is asked.
type before struct {
	reserved Spent // by earlier requests and this one
	unsaved  Spent
}

// reserve notes a hold, and appends what there is under its keys to all. One that tries again gives back what it had.
func (l *ledger) reserve(h *hold, retry bool, all []before) ([]before, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if retry {
		l.drop(l.find(h.id, h.caller, h.models, false))
	}
	if l.count >= maxHolds {
		return nil, false
	}
	l.count++
	h.earlier, l.holds[h.id] = l.holds[h.id], h
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

// withdraw gives back what an earlier attempt of a request has reserved.
func (l *ledger) withdraw(d *demand) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(l.find(d.id, d.caller, d.models, false))
}

// find returns a hold of a request, nil if there is none. Clients choose ids: several requests may have the same, and
// one for the same models is as good as the request's own. One that was refused leaves its hold empty behind, for the
// event of its end to find that and not another request's. The caller holds the mutex.
func (l *ledger) find(id, caller string, models modelNames, refused bool) *hold {
	var found *hold
	best := -1
	for h := range l.holds[id].all() {
		if h.caller != caller {
			continue
		}
		fit := 0
		if (h.claims.each == nil) == refused {
			fit += 2
		}
		if h.models == models {
			fit++
		}
		if fit > best {
			found, best = h, fit
		}
	}
	return found
}

// empty gives back what a hold has reserved, and keeps it.
func (l *ledger) empty(h *hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveBack(h)
	h.claims, h.spent = claims{}, Spent{}
}

// drop forgets a hold. The caller holds the mutex.
func (l *ledger) drop(h *hold) {
	if h == nil {
		return
	}
	switch latest := l.holds[h.id]; {
	case latest == nil:
		return
	case latest != h:
		if !latest.forget(h) {
			return
		}
	case h.earlier == nil:
		delete(l.holds, h.id)
	default:
		l.holds[h.id] = h.earlier
	}
	l.count--
	l.giveBack(h)
}

// giveBack takes a hold out of the sums. The caller holds the mutex.
func (l *ledger) giveBack(h *hold) {
	for _, k := range h.claims.keys {
		if rest := l.reserved[k].minus(h.spent); rest != (reserved{}) {
			l.reserved[k] = rest
		} else {
			delete(l.reserved, k)
		}
	}
}

func (l *ledger) release(h *hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(h)
}
