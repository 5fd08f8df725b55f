package budgets

import (
	"sync/atomic"
	"time"
)

// period is a day or a month.
type period struct {
	name       string // such as "2026-11-22" or "2026-11"
	begin, end time.Time
}

// periodAt finds the period of a budget that a moment is in.
func periodAt(kind string, at time.Time, zone *time.Location) period {
	at = at.In(zone)
	y, m, d := at.Date()
	if kind == "month" {
		begin := time.Date(y, m, 1, 0, 0, 0, 0, zone)
		return period{at.Format("2006-01"), begin, time.Date(y, m+1, 1, 0, 0, 0, 0, zone)}
	}
	begin := time.Date(y, m, d, 0, 0, 0, 0, zone)
	return period{at.Format(time.DateOnly), begin, time.Date(y, m, d+1, 0, 0, 0, 0, zone)}
}

// current remembers the day and the month that are under way. The zero value knows none.
type current struct{ day, month atomic.Pointer[period] }

// at is periodAt, for moments that are nearly always in the same period as the last.
func (c *current) at(kind string, at time.Time, zone *time.Location) period {
	last := &c.day
	if kind == "month" {
		last = &c.month
	}
	if p := last.Load(); p != nil && !at.Before(p.begin) && at.Before(p.end) {
		return *p
	}
	p := periodAt(kind, at, zone)
	last.Store(&p)
	return p
}
