package budgets

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// EventSoftLimit is the name of the custom event that tells of a budget that has reached its soft limit, once in a
// period. Its data is a [Notice].
const EventSoftLimit = Name + ".soft_limit"

// Notice tells of a budget that has reached its soft limit.
type Notice struct {
	// Key is the budget, and whose it is.
	Key Key
	// Spent is what was spent when it was noticed.
	Spent Spent
	// Resets is when the budget begins anew.
	Resets time.Time
}

// warn notes a budget beyond its soft limit, and tells of it once.
func (l *ledger) warn(c *claim, spent Spent) {
	if spent.cost() < c.budget.soft.Cost && spent.tokens() < c.budget.soft.Tokens {
		return
	}
	l.mu.Lock()
	known := l.warned[c.key] || len(l.warned) >= DefaultMaxKeys
	if !known {
		l.warned[c.key] = true
	}
	l.mu.Unlock()
	if !known {
		l.notify(Notice{c.key, spent, c.period.end})
	}
}

// warnings are the names of the budgets of a caller that are beyond their soft limit.
func (l *ledger) warnings(caller string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.warned) == 0 {
		return nil
	}
	var out []string
	now := time.Now()
	for _, b := range l.budgets {
		if b.holdsFor(caller) && l.warned[l.claim(b, caller, now).key] {
			out = append(out, headerText(b.Name))
		}
	}
	return slices.Clip(out)
}

// middleware puts the warnings into the header of answers.
func (l *ledger) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := ccproxy.CallerFrom(r.Context())
		if names := l.warnings(caller.ID); names != nil {
			w.Header().Set(HeaderWarning, strings.Join(names, ", "))
		}
		next.ServeHTTP(w, r)
	})
}
