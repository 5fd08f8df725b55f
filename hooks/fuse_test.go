package hooks

import (
	"testing"
	"time"
)

// TestFuseIgnoresLateResults has calls end that were let through before the fuse blew.
func TestFuseIgnoresLateResults(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	now := func() time.Time { return at }
	var f fuse
	late := f.ask(now)
	for range fuseFailures {
		f.report(f.ask(now), true, now)
	}
	f.report(late, false, now)
	if p := f.ask(now); p != refused {
		t.Errorf("a late success closed the fuse: %v", p)
	}
	at = at.Add(fusePause)
	p := f.ask(now)
	if again := f.ask(now); p != trial || again != refused {
		t.Errorf("after the pause %v, then %v; want one trial", p, again)
	}
	if f.report(late, true, now) {
		t.Error("a late failure blew the fuse again")
	}
	f.report(p, false, now)
	if p = f.ask(now); p != regular {
		t.Errorf("after the trial: %v", p)
	}
}
