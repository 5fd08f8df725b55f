package budgets

import (
	"testing"
	"time"
)

// TestPeriodsHaveNoGaps holds that each moment is within its own period, also where clocks change at midnight.
func TestPeriodsHaveNoGaps(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "America/Havana"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		var c current
		wrong := 0
		for at := time.Date(2026, 1, 1, 0, 10, 0, 0, zone); at.Year() < 2027; at = at.Add(20 * time.Minute) {
			for kind, form := range map[string]string{"day": time.DateOnly, "month": "2006-01"} {
				c.at(kind, at.Add(2*time.Hour), zone) // requests that end late are counted when they began
				p := c.at(kind, at, zone)
				if p.name == at.Format(form) && !at.Before(p.begin) && at.Before(p.end) {
					continue
				}
				if wrong++; wrong < 5 {
					t.Errorf("%s: %s is in %s, which goes from %s to %s", name, at, p.name, p.begin, p.end)
				}
			}
		}
	}
}
