// Package retryafter reads how long an upstream wants to be left alone (RFC 9110, 10.2.3).
package retryafter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Most is the longest span that From returns.
const Most = 365 * 24 * time.Hour

// From reads Retry-After-Ms, which some upstreams send besides, or Retry-After: seconds, fractions included, or a date.
// It is not ok where neither says anything, and for what has passed already. Zero seconds are ok: the upstream wants to
// be asked again at once.
func From(h http.Header, now time.Time) (d time.Duration, ok bool) {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return span(ms, time.Millisecond), true
	}
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return span(seconds, time.Second), seconds >= 0
	}
	if at, err := http.ParseTime(text); err == nil {
		d = min(at.Sub(now), Most)
		return max(d, 0), d > 0
	}
	return 0, false
}

// span is a number of units, as far as it makes sense to tell them apart.
func span(n float64, unit time.Duration) time.Duration {
	switch {
	case n >= float64(Most/unit):
		return Most
	case n > 0:
		return time.Duration(n * float64(unit))
	default: // not a number, too
		return 0
	}
}
