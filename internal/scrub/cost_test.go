package scrub_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/internal/scrub"
)

// TestCostIsLinear holds that no text takes longer than its length explains.
func TestCostIsLinear(t *testing.T) {
	t.Parallel()
	s := scrub.New()
	for _, unit := range []string{
		`"`, `\"`, `"a":`, `{"a":"`, `"\"`, `\\\"`, `"a" `, `sk-`, `eyJ.`, `"x\"y":"z\"w",`, "\\u0022", ` `, `bearer `,
		`"{\"a\":\"{\\\"b\\\":\\\"c\\\"}\"}",`,
	} {
		least := func(n int) time.Duration {
			text := []byte(strings.Repeat(unit, n/len(unit)))
			best := time.Hour
			for range 2 {
				begun := time.Now()
				s.Body(text, scrub.Known("a-secret-of-the-request"))
				best = min(best, time.Since(begun))
			}
			return best
		}
		const size = 1 << 10
		short, long := least(size), least(16*size)
		if long > 50*short+100*time.Millisecond {
			t.Errorf("%q: %v for 1 KiB, %v for 16 KiB", unit, short, long)
		}
	}
}
