package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// patience bounds waits that end much sooner where a store keeps its contract.
const patience = 30 * time.Second

func lockerOf(t *testing.T, s oauth.Store) oauth.Locker {
	t.Helper()
	locker, ok := s.(oauth.Locker)
	if !ok {
		t.Skip("not an oauth.Locker")
	}
	return locker
}

func mustLock(t *testing.T, l oauth.Locker, id string) (unlock func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	unlock, err := l.Lock(ctx, id)
	if err != nil {
		t.Fatalf("Lock(%q) = %v", id, err)
	}
	return unlock
}

// wantHeld wants Lock to wait until its context ends.
func wantHeld(t *testing.T, l oauth.Locker, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if unlock, err := l.Lock(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of what is held = %v, want it to wait until its context ends", err)
		if err == nil {
			unlock()
		}
	}
}

func testLock(t *testing.T, x Suite, s oauth.Store) {
	locker := lockerOf(t, s)
	unlock := mustLock(t, locker, x.id())
	if x.ID == "" {
		mustLock(t, locker, "other")()
	}
	mustSave(t, s, x.id(), sample()) // the lock guards refreshes, not saves
	wantStored(t, s, x.id(), sample())
	wantHeld(t, locker, x.id())
	unlock()
	mustLock(t, locker, x.id())()
	if err := s.Delete(t.Context(), x.id()); err != nil { // a lock is nothing that is stored
		t.Fatal(err)
	}
	wantMissing(t, s, x.id())
}

func testLockExcludes(t *testing.T, x Suite, s oauth.Store) {
	locker := lockerOf(t, s)
	const goroutines, rounds = 8, 5
	var holders, most atomic.Int32
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				unlock, err := locker.Lock(ctx, x.id())
				cancel()
				if err != nil {
					t.Errorf("Lock = %v", err)
					return
				}
				most.Store(max(most.Load(), holders.Add(1)))
				_, _ = s.Load(t.Context(), x.id())
				holders.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n != 1 {
		t.Errorf("%d held the lock at the same time", n)
	}
}

func testReopenLock(t *testing.T, x Suite, s oauth.Store) {
	locker := lockerOf(t, s)
	other := lockerOf(t, x.Reopen(t, s))
	unlock := mustLock(t, locker, x.id())
	wantHeld(t, other, x.id())
	unlock()
	unlock = mustLock(t, other, x.id())
	wantHeld(t, locker, x.id())
	unlock()
}

func testProcessLock(t *testing.T, x Suite, s oauth.Store) {
	locker := lockerOf(t, s)
	child := startChild(t, x.Place(s), x.id())
	wantHeld(t, locker, x.id())
	wantStored(t, s, x.id(), minimal(childToken))
	child.finish(t)
	unlock := mustLock(t, locker, x.id())
	defer unlock()
	mustSave(t, s, x.id(), minimal("of the parent"))
	wantStored(t, s, x.id(), minimal("of the parent"))
}

// testProcessKilled wants the lock of a process that died to be free, now or when its lease ends.
func testProcessKilled(t *testing.T, x Suite, s oauth.Store) {
	locker := lockerOf(t, s)
	child := startChild(t, x.Place(s), x.id())
	wantHeld(t, locker, x.id())
	child.kill(t)
	mustLock(t, locker, x.id())()
}
