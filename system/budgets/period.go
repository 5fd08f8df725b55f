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
		return period{at.Format("2006-01"), dayBegin(y, m, 1, zone), dayBegin(y, m+1, 1, zone)}
	}
	return period{at.Format(time.DateOnly), dayBegin(y, m, d, zone), dayBegin(y, m, d+1, zone)}
}

// dayBegin is the first moment of a day: midnight, or where clocks are put forward then, whatever they are put to.
func dayBegin(y int, m time.Month, d int, zone *time.Location) time.Time {
	begin, noon := time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d, 12, 0, 0, 0, zone)
	if begin.Day() != noon.Day() {
		_, begin = begin.ZoneBounds()
	}
	return begin
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
