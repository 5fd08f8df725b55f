package limit

import "time"

// Meter is the arithmetic of one budget, for those who write a [Limiter]: an amount per [Window] that may be spent at
// once and comes back evenly. What a limiter keeps of a budget is a single duration, the debt: how long it takes until
// the whole amount is there again, if nothing more is spent.
type Meter int64

// Cost is the debt that spending n makes. It is never more than [Window] and [MaxDebt] together.
func (m Meter) Cost(n int64) time.Duration {
	if m <= 0 || n <= 0 {
		return 0
	}
	// In floating point, since the product may be larger than an int64; it is exact enough for a minute.
	cost := float64(Window) / float64(m) * float64(n)
	return time.Duration(min(cost, float64(Window+MaxDebt)))
}

// Spend is the debt after n more were spent, whether they were left or not.
func (m Meter) Spend(debt time.Duration, n int64) time.Duration {
	return min(debt+m.Cost(n), Window+MaxDebt)
}

// Wait is how long it takes until n can be spent without going over the amount, zero if they can now.
func (m Meter) Wait(debt time.Duration, n int64) time.Duration {
	if m <= 0 {
		return 0
	}
	return max(debt+m.Cost(n)-Window, 0)
}

// Budget is what a debt leaves of the amount.
func (m Meter) Budget(debt time.Duration) Budget {
	if m <= 0 {
		return Budget{}
	}
	left := float64(max(Window-debt, 0)) / float64(Window) * float64(m)
	// A nanosecond more or less must not make one less of what is whole.
	return Budget{Limit: int64(m), Remaining: min(int64(left+1e-6), int64(m)), Reset: debt}
}

// Decide makes the decision of a policy: running is how many requests of the key run, requests and tokens are the
// debts of its budgets before it.
func Decide(p Policy, running int, requests, tokens time.Duration) Decision {
	perRequest, perToken := Meter(p.RequestsPerMinute), Meter(p.TokensPerMinute)
	var d Decision
	if p.Concurrency > 0 && running >= p.Concurrency {
		d.Refused = Concurrency
	}
	if wait := perRequest.Wait(requests, 1); wait > 0 {
		d.Refused, d.RetryAfter = Requests, wait
	}
	if wait := perToken.Wait(tokens, 1); wait > d.RetryAfter {
		d.Refused, d.RetryAfter = Tokens, wait
	}
	if d.Refused == "" {
		requests = perRequest.Spend(requests, 1)
	}
	d.Requests, d.Tokens = perRequest.Budget(requests), perToken.Budget(tokens)
	return d
}
