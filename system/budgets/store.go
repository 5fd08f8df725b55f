package budgets

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
)

// Key is what a [Store] counts under. It holds no secret.
type Key struct {
	// Budget is the name of a [Limit].
	Budget string `json:"budget"`
	// Caller is the id of the caller, "" for those without one, "*" in a shared budget.
	Caller string `json:"caller"`
	// Period is a day or a month, such as "2026-11-22" or "2026-11".
	Period string `json:"period"`
}

// Spent is what was spent. The zero value is nothing. Sums end at the largest number.
type Spent struct {
	// Cost is in picodollars, millionths of a millionth of a US dollar, as far as upstreams have told the usage.
	Cost int64 `json:"picodollars"`
	// Tokens are those that upstreams have told: input, output, and what was read from and written to caches.
	Tokens int64 `json:"tokens"`
	// EstimatedCost and EstimatedTokens are for what was answered without a word on usage.
	EstimatedCost   int64 `json:"estimated_picodollars,omitempty"`
	EstimatedTokens int64 `json:"estimated_tokens,omitempty"`
	// Requests are how many, Unpriced how many of them were for models without a price.
	Requests int64 `json:"requests"`
	Unpriced int64 `json:"unpriced,omitempty"`
}

// Plus returns the sum.
func (s Spent) Plus(o Spent) Spent {
	return Spent{
		Cost: sum(s.Cost, o.Cost), EstimatedCost: sum(s.EstimatedCost, o.EstimatedCost),
		Tokens: sum(s.Tokens, o.Tokens), EstimatedTokens: sum(s.EstimatedTokens, o.EstimatedTokens),
		Requests: sum(s.Requests, o.Requests), Unpriced: sum(s.Unpriced, o.Unpriced),
	}
}

func (s Spent) minus(o Spent) Spent {
	return Spent{
		Cost: s.Cost - o.Cost, Tokens: s.Tokens - o.Tokens, EstimatedCost: s.EstimatedCost - o.EstimatedCost,
		EstimatedTokens: s.EstimatedTokens - o.EstimatedTokens, Requests: s.Requests - o.Requests,
		Unpriced: s.Unpriced - o.Unpriced,
	}
}

// cost and tokens are what counts against bounds.
func (s Spent) cost() int64   { return sum(s.Cost, s.EstimatedCost) }
func (s Spent) tokens() int64 { return sum(s.Tokens, s.EstimatedTokens) }

// sum adds two numbers that are not negative.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Entry is what was spent under a key.
type Entry struct {
	Key

	// Spent is the sum.
	Spent Spent `json:"spent"`
}

// Store keeps what was spent. Its methods are called concurrently, Spent on the path of requests: it should be
// quick, and heed its context. Several processes may share one; what they have reserved for requests that run they
// do not share. Keys of past periods may be forgotten, a few days after the period has ended.
type Store interface {
	// Spent returns what was added under keys, in their order, zero for those that nothing was added to.
	Spent(ctx context.Context, keys []Key) ([]Spent, error)
	// Add adds s under each of the keys. With an error nothing was added.
	Add(ctx context.Context, keys []Key, s Spent) error
	// List returns up to n entries of a budget and a period, in the order of callers.
	List(ctx context.Context, budget, period string, n int) ([]Entry, error)
}

// ErrFull is returned by [Memory.Add] for one key too many.
var ErrFull = errors.New("too many budgets are in use")

// DefaultMaxKeys is how many keys a [Memory] keeps.
const DefaultMaxKeys = 100_000

// Memory is a [Store] in memory. The zero value is ready. It keeps the periods that are under way and those
// before.
type Memory struct {
	// MaxKeys is how many keys there may be. Zero means [DefaultMaxKeys]. It must not change once the store is
	// used.
	MaxKeys int

	mu      sync.Mutex
	spent   map[Key]Spent
	current map[int]string // the latest period, by the length of its name
}

var _ Store = (*Memory)(nil)

// Spent implements [Store].
func (m *Memory) Spent(_ context.Context, keys []Key) ([]Spent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Spent, len(keys))
	for i, k := range keys {
		out[i] = m.spent[k]
	}
	return out, nil
}

// Add implements [Store]. Beyond MaxKeys the error is [ErrFull].
func (m *Memory) Add(_ context.Context, keys []Key, s Spent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fresh := 0
	for _, k := range keys {
		m.turn(k.Period)
		if _, ok := m.spent[k]; !ok {
			fresh++
		}
	}
	if len(m.spent)+fresh > cmp.Or(m.MaxKeys, DefaultMaxKeys) {
		return ErrFull
	}
	if m.spent == nil {
		m.spent = make(map[Key]Spent)
	}
	for _, k := range keys {
		m.spent[k] = m.spent[k].Plus(s)
	}
	return nil
}

// turn forgets what is older than the period before a new one. The caller holds the mutex.
func (m *Memory) turn(name string) {
	before := m.current[len(name)]
	if name <= before {
		return
	}
	for k := range m.spent {
		if len(k.Period) == len(name) && k.Period < before {
			delete(m.spent, k)
		}
	}
	if m.current == nil {
		m.current = make(map[int]string)
	}
	m.current[len(name)] = name
}

// replace has the sums of entries take the place of all others, but for those of periods before the last two.
func (m *Memory) replace(entries []Entry) {
	type periods struct{ latest, before string }
	known := make(map[int]periods) // by the length of their names
	spent := make(map[Key]Spent, len(entries))
	for _, e := range entries {
		spent[e.Key] = spent[e.Key].Plus(e.Spent)
		switch p := known[len(e.Period)]; {
		case e.Period > p.latest:
			known[len(e.Period)] = periods{e.Period, p.latest}
		case e.Period < p.latest && e.Period > p.before:
			known[len(e.Period)] = periods{p.latest, e.Period}
		}
	}
	maps.DeleteFunc(spent, func(k Key, _ Spent) bool { return k.Period < known[len(k.Period)].before })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spent, m.current = spent, make(map[int]string, len(known))
	for n, p := range known {
		m.current[n] = p.latest
	}
}

// List implements [Store].
func (m *Memory) List(_ context.Context, budget, period string, n int) ([]Entry, error) {
	all := m.entries(func(k Key) bool { return k.Budget == budget && k.Period == period })
	return all[:min(max(n, 0), len(all))], nil
}

// entries returns those that are wanted, in order.
func (m *Memory) entries(wanted func(Key) bool) []Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Entry
	for k, s := range m.spent {
		if wanted(k) {
			all = append(all, Entry{k, s})
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Budget, b.Budget), cmp.Compare(a.Period, b.Period), cmp.Compare(a.Caller, b.Caller))
	})
	return all
}
