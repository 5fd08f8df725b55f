package ccproxy

import (
	"context"
	"hash/fnv"
	"slices"
)

// The values of [Fallback.Balance].
const (
	balanceInflight = "least_inflight"
	balanceSticky   = "sticky"
)

// plan finds out who may be asked, and who of them first.
func (t *relay) plan(ctx context.Context) {
	f := t.fallback(t.call)
	if f == nil {
		return
	}
	t.planned = true
	t.rest = t.targets(f, t.call)
	if f.balance != "" {
		t.balance(ctx, f.balance)
	}
	t.sign()
}

// balance puts another than the chosen one first, if it is another's turn.
func (t *relay) balance(ctx context.Context, how string) {
	all := slices.Concat([]target{{t.name, t.call.chosen}}, t.rest)
	first := 0
	switch {
	case how == balanceInflight:
		first = t.leastBusy(all)
	case t.call.Session != "":
		first = stickTo(t.call.Session, all)
	}
	if first == 0 {
		return
	}
	p := t.others[all[first].provider]
	call, err := p.recall(ctx, t, all[first].model)
	if err != nil {
		return // it stays a fallback, and is passed over then
	}
	t.rest = slices.Delete(all, first, first+1)
	n := &next{pipeline: p, call: call}
	t.switchTo(n)
	t.ex.turnTo(n)
}

// leastBusy is the first of those whose providers have the fewest calls under way, and an open breaker least of all.
func (t *relay) leastBusy(all []target) int {
	best, least := 0, int64(0)
	for i, to := range all {
		m := t.others[to.provider].memory
		n := m.inflight.Load()
		if m.breaker.state() == breakerOpen {
			n += 1 << 32
		}
		if i == 0 || n < least {
			best, least = i, n
		}
	}
	return best
}

// stickTo is the same one of some targets for all calls of a session: that with the highest hash together with it, so
// that a target that is added or removed moves no session of the others.
func stickTo(session string, all []target) int {
	best, highest := 0, uint64(0)
	for i, to := range all {
		if h := weight(session, to); h > highest {
			best, highest = i, h
		}
	}
	return best
}

// weight is the same in all processes.
func weight(session string, to target) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(session + "\x00" + to.String())) // it takes everything
	x := h.Sum64()
	x ^= x >> 33 // the last bytes alone would hardly reach the highest bits
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}
