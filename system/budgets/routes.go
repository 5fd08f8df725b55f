package budgets

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// maxShown is how many callers of one budget /budgets shows.
const maxShown = 1000

// use is a budget as /budgets shows it. Money is in US dollars, as text of all digits.
type use struct {
	Name   string   `json:"name"`
	Caller string   `json:"caller"`
	Shared bool     `json:"shared,omitempty"`
	Models []string `json:"models,omitempty"`
	Period string   `json:"period"`
	Begins string   `json:"begins"`
	Resets string   `json:"resets"`
	State  string   `json:"state"` // ok, soft or used_up

	Cost          string `json:"cost_usd"`
	EstimatedCost string `json:"estimated_cost_usd"`
	CostLimit     string `json:"cost_limit_usd,omitempty"`
	SoftCostLimit string `json:"soft_cost_limit_usd,omitempty"`

	Tokens          int64 `json:"tokens"`
	EstimatedTokens int64 `json:"estimated_tokens"`
	TokenLimit      int64 `json:"token_limit,omitempty"`
	SoftTokenLimit  int64 `json:"soft_token_limit,omitempty"`

	ReservedCost   string `json:"reserved_cost_usd"`
	ReservedTokens int64  `json:"reserved_tokens"`
	Requests       int64  `json:"requests"`
	Unpriced       int64  `json:"unpriced_requests"`
}

// ServeHTTP implements [http.Handler]: it shows the budgets of the caller, and those of everybody to admins and
// where nobody says who calls.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, known := ccproxy.CallerFrom(r.Context())
	all := !known || slices.Contains(l.cfg.Admins, caller.ID)
	list, cut := []use{}, false
	for _, b := range l.budgets {
		if !all && !b.holdsFor(caller.ID) {
			continue
		}
		own := l.claim(b, caller.ID, time.Now())
		entries, err := l.entries(r, own, all)
		if err != nil {
			l.logger.WarnContext(r.Context(), "budgets cannot be listed", "error", err)
			write(w, http.StatusServiceUnavailable, map[string]any{"error": map[string]string{
				"type": "service_unavailable_error", "message": "the budgets cannot be looked up at the moment",
			}})
			return
		}
		cut = cut || len(entries) == maxShown
		for _, e := range entries {
			list = append(list, l.use(own, e))
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, http.StatusOK, map[string]any{"budgets": list, "truncated": cut})
}

// entries are those of a budget that somebody sees.
func (l *ledger) entries(r *http.Request, own claim, all bool) ([]Entry, error) {
	if all {
		entries, err := l.store.List(r.Context(), own.key.Budget, own.key.Period, maxShown)
		if len(entries) > 0 || err != nil || !own.budget.Shared {
			return entries, err
		}
	}
	spent, err := l.store.Spent(r.Context(), []Key{own.key})
	if err != nil {
		return nil, err
	}
	return []Entry{{own.key, spent[0]}}, nil
}

func (l *ledger) use(c claim, e Entry) use {
	l.mu.Lock()
	reserved := l.reserved[e.Key].spent()
	e.Spent = e.Spent.Plus(l.unsaved[e.Key])
	l.mu.Unlock()
	b, s := c.budget, e.Spent
	u := use{
		Name: b.Name, Caller: e.Caller, Shared: b.Shared, Models: b.Models, Period: e.Period,
		Begins: c.period.begin.Format(time.RFC3339), Resets: c.period.end.Format(time.RFC3339), State: "ok",
		Cost: formatUSD(s.Cost), EstimatedCost: formatUSD(s.EstimatedCost), CostLimit: bound(b.hard.Cost),
		SoftCostLimit: bound(b.soft.Cost), Tokens: s.Tokens, EstimatedTokens: s.EstimatedTokens,
		TokenLimit: b.Limit.Tokens, SoftTokenLimit: b.Limit.SoftTokens, ReservedCost: formatUSD(reserved.cost()),
		ReservedTokens: reserved.tokens(), Requests: s.Requests, Unpriced: s.Unpriced,
	}
	switch {
	case s.cost() >= b.hard.Cost || s.tokens() >= b.hard.Tokens:
		u.State = "used_up"
	case s.cost() >= b.soft.Cost || s.tokens() >= b.soft.Tokens:
		u.State = "soft"
	}
	return u
}

func bound(n int64) string {
	if n == unlimited {
		return ""
	}
	return formatUSD(n)
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) //nolint:errchkjson // a client that is gone needs no answer
}
