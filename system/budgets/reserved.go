package budgets

import (
	"math"
	"math/bits"
)

// reserved is what requests under way have reserved together. It is exact: what is given back is what was taken,
// however much that is.
type reserved struct{ cost, tokens wide }

func (r reserved) plus(s Spent) reserved {
	return reserved{r.cost.plus(s.EstimatedCost), r.tokens.plus(s.EstimatedTokens)}
}

func (r reserved) minus(s Spent) reserved {
	return reserved{r.cost.minus(s.EstimatedCost), r.tokens.minus(s.EstimatedTokens)}
}

// spent is what counts against bounds, the largest number for more.
func (r reserved) spent() Spent {
	return Spent{EstimatedCost: r.cost.clamped(), EstimatedTokens: r.tokens.clamped()}
}

// wide is a sum of numbers that are not negative.
type wide struct{ high, low uint64 }

func (w wide) plus(n int64) wide {
	low, carry := bits.Add64(w.low, uint64(max(n, 0)), 0)
	return wide{w.high + carry, low}
}

func (w wide) minus(n int64) wide {
	low, borrow := bits.Sub64(w.low, uint64(max(n, 0)), 0)
	return wide{w.high - borrow, low}
}

func (w wide) clamped() int64 {
	if w.high > 0 || w.low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(w.low)
}
