package retryafter

import (
	"net/http"
	"testing"
	"time"
)

func TestFrom(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	tests := []struct {
		after, ms string
		want      time.Duration
		ok        bool
	}{
		{},
		{after: "7", want: 7 * time.Second, ok: true},
		{after: " 0.25 ", want: 250 * time.Millisecond, ok: true},
		{after: "0", ok: true},
		{after: "-1"},
		{after: "NaN"},
		{after: "soon"},
		{after: "Inf", want: Most, ok: true},
		{after: "1e300", want: Most, ok: true},
		{after: "Mon, 23 Nov 2026 09:01:00 GMT", want: time.Minute, ok: true},
		{after: "Mon, 23 Nov 2026 08:59:00 GMT"},
		{after: "Mon, 23 Nov 2099 09:00:00 GMT", want: Most, ok: true},
		{after: "60", ms: "1500", want: 1500 * time.Millisecond, ok: true},
		{after: "60", ms: "0", want: time.Minute, ok: true},
		{after: "60", ms: "x", want: time.Minute, ok: true},
		{ms: "1e300", want: Most, ok: true},
	}
	for _, tt := range tests {
		h := http.Header{}
		h.Set("Retry-After", tt.after)
		h.Set("Retry-After-Ms", tt.ms)
		if d, ok := From(h, now); d != tt.want || ok != tt.ok {
			t.Errorf("From(%q, %q) = %v, %t; want %v, %t", tt.after, tt.ms, d, ok, tt.want, tt.ok)
		}
	}
}
