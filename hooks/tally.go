package hooks

import "time"

// tally is what an observer and a mutator have in common: counters, the fuse, and who waits for them to be
// idle. It is guarded by its owner's mutex.
type tally struct {
	delivered, dropped, failed int64
	lastError                  string
	loggedAt                   time.Time // of the last failure that was logged
	fuse                       fuse
	waiters                    []chan struct{}
}

// succeed counts a call that ended well.
func (t *tally) succeed(p pass) {
	t.fuse.report(p, false, time.Now)
	t.delivered++
}

// record counts a finished call.
func (t *tally) record(p pass, out outcome) report {
	if out.err == nil {
		t.succeed(p)
		return report{}
	}
	r := report{out: out, blew: t.fuse.report(p, true, time.Now)}
	t.failed++
	t.lastError = out.text
	now := time.Now()
	r.silent = now.Sub(t.loggedAt) < failurePause
	if !r.silent {
		t.loggedAt = now
	}
	return r
}

// await returns a channel that wake closes.
func (t *tally) await() <-chan struct{} {
	c := make(chan struct{})
	t.waiters = append(t.waiters, c)
	return c
}

func (t *tally) wake() {
	for _, c := range t.waiters {
		close(c)
	}
	t.waiters = nil
}

// addTo adds the counters to the stats of the hook.
func (t *tally) addTo(s *Stats) {
	s.Delivered += t.delivered
	s.Dropped += t.dropped
	s.Failed += t.failed
	s.Fused = s.Fused || t.fuse.blown()
	if t.lastError != "" {
		s.LastError = t.lastError
	}
}
