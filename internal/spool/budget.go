package spool

import "sync/atomic"

// Budget bounds memory that many share. The zero value has none.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a Budget of n bytes.
func NewBudget(n int64) *Budget {
	b := &Budget{}
	b.left.Store(n)
	return b
}

// Take reserves n bytes. It reports whether they were left.
func (b *Budget) Take(n int) bool {
	if b.left.Add(-int64(n)) >= 0 {
		return true
	}
	b.left.Add(int64(n))
	return false
}

// Return gives back what was taken.
func (b *Budget) Return(n int) { b.left.Add(int64(n)) }

// Left is how much may be taken.
func (b *Budget) Left() int64 { return b.left.Load() }
