package budgets

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

const (
	maxHolds   = 1 << 16
	sweepEvery = time.Minute
	// staleAfter is how long a reservation waits for the end of its request. The event may have been lost, and
	// then it counts as if the reservation was right.
	staleAfter = 24 * time.Hour
	maxUnsaved = 10_000
)

// prices is what the plugin needs of the service pricing.
type prices interface {
	Cost(u *hooks.Usage, models ...string) (picodollars int64, err error)
	OutputLimit(model string) (tokens int64, ok bool)
}

// ledger counts what is reserved and what was spent. Its methods are called concurrently.
//
// A request reserves first and asks the store then; at its end it is added to the store first and gives its
// reservation back then. So it is counted at every moment, for one of them twice, and never not at all.
type ledger struct {
	cfg     *Config
	budgets []*budget
	zone    *time.Location
	current current // in zone
	store   Store
	prices  prices // nil without pricing
	logger  *slog.Logger
	notify  func(Notice)

	mu       sync.Mutex
	holds    map[uint64]*hold // by exchanges
	reserved map[Key]reserved // sums of holds
	unsaved  map[Key]Spent    // what the store did not take
	saving   bool             // somebody brings that to the store
	warned   map[Key]bool     // budgets beyond their soft limit
	swept    time.Time
}

// claims are the budgets that hold for a request, and what they are counted under.
type claims struct {
	each []claim
	keys []Key
}

// has reports whether there is a budget of a kind.
func (c claims) has(kind func(*budget) bool) bool {
	return slices.ContainsFunc(c.each, func(c claim) bool { return kind(c.budget) })
}

// claim is one of them.
type claim struct {
	budget *budget
	period period
	key    Key
}

// claims finds the budgets that hold for a request that begins at a moment.
func (l *ledger) claims(caller string, models modelNames, at time.Time) claims {
	var out claims
	for i, b := range l.budgets {
		if !b.concerns(caller, models) {
			continue
		}
		if out.each == nil {
			most := len(l.budgets) - i
			out.each, out.keys = make([]claim, 0, most), make([]Key, 0, most)
		}
		c := l.claim(b, caller, at)
		out.each, out.keys = append(out.each, c), append(out.keys, c.key)
	}
	return out
}

func (l *ledger) claim(b *budget, caller string, at time.Time) claim {
	if b.Shared {
		caller = "*"
	}
	p := l.current.at(b.Period, at, l.zone)
	return claim{b, p, Key{Budget: b.Name, Caller: caller, Period: p.name}}
}

// begin reserves for a request, or says why it may not begin.
func (l *ledger) begin(ctx context.Context, d *demand, claims claims) error {
	now := time.Now()
	h := &hold{exchange: d.exchange, began: now, claims: claims}
	h.spent = Spent{EstimatedTokens: tokensOf(&d.usage)}
	if cost, err := l.cost(&d.usage, d.models); err == nil {
		h.spent.EstimatedCost = cost
	} else if i := slices.IndexFunc(claims.each, func(c claim) bool { return c.budget.costs() }); i >= 0 {
		if l.cfg.UnknownPrice == UnknownBlock {
			l.withdraw(d.exchange)
			return refuseUnpriced(claims.each[i].budget.Name, err)
		}
	}
	l.sweep(ctx, now)
	var few [4]before // budgets that hold for one request
	known, ok := l.reserve(h, few[:0])
	if !ok {
		return refuseBusy()
	}
	spent, err := l.store.Spent(ctx, claims.keys)
	if err != nil {
		if l.cfg.FailOpen {
			l.logger.WarnContext(ctx, "budgets cannot be looked up, the request goes on", "error", err)
			return nil
		}
		l.release(h)
		return refuseUnknown(err)
	}
	if err := l.judge(h, known, spent); err != nil {
		l.release(h)
		return err
	}
	return nil
}

// judge compares with the bounds. spent is what the store has, which may already have what was unsaved before.
func (l *ledger) judge(h *hold, known []before, spent []Spent) error {
	var worst *claim
	for i := range h.claims.each {
		c := &h.claims.each[i]
		done := spent[i].Plus(known[i].unsaved)
		l.warn(c, done)
		all := done.Plus(known[i].reserved)
		over := all.cost() > c.budget.hard.Cost || all.tokens() > c.budget.hard.Tokens ||
			done.cost() >= c.budget.hard.Cost || done.tokens() >= c.budget.hard.Tokens
		if over && (worst == nil || c.period.end.After(worst.period.end)) {
			worst = c
		}
	}
	if worst == nil {
		return nil
	}
	return refuseOver(worst, l.cfg.Status)
}

// end counts what a request has used.
func (l *ledger) end(ctx context.Context, o *outcome, began time.Time) {
	claims, guess := claims{}, Spent{}
	models := namesOf(o.request.Provider, o.model, o.request.Model)
	if h := l.holdOf(o.exchange); h != nil {
		claims, guess = h.claims, h.spent
		defer l.release(h)
	} else if o.usage != nil && o.op != "count_tokens" {
		claims = l.claims(o.request.CallerID, models, began)
	}
	if len(claims.each) == 0 {
		return
	}
	if s := l.spentBy(o, models, guess); s != (Spent{}) {
		l.add(ctx, claims, s)
	}
}

// spentBy is what a request counts; guess is what it had reserved.
func (l *ledger) spentBy(o *outcome, models modelNames, guess Spent) Spent {
	if o.usage == nil {
		if !o.answered {
			return Spent{}
		}
		guess.Requests = 1
		return guess
	}
	s := Spent{Requests: 1, Tokens: tokensOf(o.usage)}
	var err error
	if s.Cost, err = l.cost(o.usage, models); err != nil {
		s.Cost, s.EstimatedCost, s.Unpriced = 0, guess.EstimatedCost, 1
	}
	if u := o.unreported(); u != nil {
		s.EstimatedTokens = tokensOf(u) - s.Tokens
		if whole, err := l.cost(u, models); err == nil {
			s.EstimatedCost = max(whole-s.Cost, 0)
		}
	}
	return s
}

// add brings what was spent to the store, along with what it has not taken before.
func (l *ledger) add(ctx context.Context, claims claims, s Spent) {
	l.save(ctx)
	if err := l.store.Add(ctx, claims.keys, s); err != nil {
		l.keep(claims.keys, s, err)
		return
	}
	if !claims.has((*budget).warns) {
		return
	}
	spent, err := l.store.Spent(ctx, claims.keys)
	if err != nil {
		return // the next request asks again
	}
	for i := range claims.each {
		l.warn(&claims.each[i], spent[i])
	}
}

// keep holds on to what the store has not taken: it goes on counting here.
func (l *ledger) keep(keys []Key, s Spent, err error) {
	l.mu.Lock()
	first, lost := len(l.unsaved) == 0, false
	for _, k := range keys {
		if _, known := l.unsaved[k]; !known && len(l.unsaved) >= maxUnsaved {
			lost = true
			continue
		}
		l.unsaved[k] = l.unsaved[k].Plus(s)
	}
	l.mu.Unlock()
	if first || lost {
		l.logger.Error("what was spent cannot be stored", "error", err, "lost", lost)
	}
}

// save tries again to store what was kept. That goes on counting here until it is stored, so that for a moment it may
// count twice. One at a time saves.
func (l *ledger) save(ctx context.Context) {
	l.mu.Lock()
	if l.saving || len(l.unsaved) == 0 {
		l.mu.Unlock()
		return
	}
	l.saving = true
	kept := maps.Clone(l.unsaved)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.saving = false
		l.mu.Unlock()
	}()
	for k, s := range kept {
		if l.store.Add(ctx, []Key{k}, s) != nil {
			return
		}
		l.stored(k, s)
	}
}

// stored lets go of what the store has taken.
func (l *ledger) stored(k Key, s Spent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rest := l.unsaved[k].minus(s); rest != (Spent{}) {
		l.unsaved[k] = rest
	} else {
		delete(l.unsaved, k)
	}
}

// cost asks for the other names only where the usage's own has no price.
func (l *ledger) cost(u *hooks.Usage, models modelNames) (int64, error) {
	if l.prices == nil {
		return 0, errNoPrices
	}
	if cost, err := l.prices.Cost(u); err == nil {
		return cost, nil
	}
	return l.prices.Cost(u, models.all()...)
}

// sweep counts reservations whose requests have ended long ago, as far as anybody knows.
func (l *ledger) sweep(ctx context.Context, now time.Time) {
	l.mu.Lock()
	if now.Sub(l.swept) < sweepEvery {
		l.mu.Unlock()
		return
	}
	l.swept = now
	var stale []*hold
	for _, h := range l.holds {
		if now.Sub(h.began) > staleAfter {
			stale = append(stale, h)
		}
	}
	for k := range l.warned {
		if past(k.Period, now, l.zone) {
			delete(l.warned, k)
		}
	}
	l.mu.Unlock()
	for _, h := range stale {
		s := h.spent
		s.Requests = 1
		l.add(ctx, h.claims, s)
		l.release(h)
	}
}

// past reports whether a period is over.
func past(name string, now time.Time, zone *time.Location) bool {
	kind := "day"
	if len(name) == len("2006-01") {
		kind = "month"
	}
	return name < periodAt(kind, now, zone).name
}
