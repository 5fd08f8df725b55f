package budgets

import "time"

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
