package hooks_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

type contextKey struct{}

// derivations are what a hook makes of its context before it waits for the end.
func derivations() map[string]func(context.Context) (context.Context, context.CancelFunc) {
	return map[string]func(context.Context) (context.Context, context.CancelFunc){
		"itself":     func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
		"WithCancel": context.WithCancel,
		"WithTimeout, later": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		},
		"WithValue and WithCancel": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithCancel(context.WithValue(ctx, contextKey{}, 1))
		},
		"AfterFunc": func(ctx context.Context) (context.Context, context.CancelFunc) {
			after, end := context.WithCancelCause(context.Background())
			stop := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
			return after, func() { stop() }
		},
	}
}

// ending is how a context ended, by its hook's account.
type ending struct {
	After      time.Duration
	Err, Cause string
}

// TestContextOfACallEnds has a hook wait in every way for every end its context can have.
func TestContextOfACallEnds(t *testing.T) {
	t.Parallel()
	ends := map[string]struct {
		timeout time.Duration
		want    ending
	}{
		"timeout": {3 * time.Second, ending{3 * time.Second, "context deadline exceeded", "hook timed out"}},
		"close":   {time.Minute, ending{5 * time.Second, "context canceled", "context canceled"}},
	}
	for name, derive := range derivations() {
		for end, tt := range ends {
			t.Run(name+"/"+end, func(t *testing.T) {
				t.Parallel()
				want := tt.want
				if name == "AfterFunc" {
					want.Err = "context canceled" // of a context that only repeats the cause
				}
				synctest.Test(t, func(t *testing.T) {
					var reg hooks.Registry
					var got ending
					began := time.Now()
					register(t, &reg, hooks.Observe("o", func(ctx context.Context, _ *hooks.Context) error {
						ctx, cancel := derive(ctx)
						defer cancel()
						if err := ctx.Err(); err != nil {
							t.Errorf("Err = %v before the end", err)
						}
						<-ctx.Done()
						got = ending{time.Since(began), ctx.Err().Error(), context.Cause(ctx).Error()}
						return nil
					}, hooks.EventRequestStarted), hooks.Options{Timeout: tt.timeout})
					started(&reg, "r")
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					defer cancel()
					if err := reg.Close(ctx); err != nil {
						t.Errorf("Close = %v", err)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("end (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

// TestContextOfACallIsPolled has a hook ask for nothing but Err.
func TestContextOfACallIsPolled(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		timeout time.Duration
		want    ending
	}{
		{"timeout", 3 * time.Second, ending{3 * time.Second, "context deadline exceeded", "hook timed out"}},
		{"close", time.Minute, ending{5 * time.Second, "context canceled", "context canceled"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var reg hooks.Registry
				var got ending
				began := time.Now()
				register(t, &reg, hooks.Observe("o", func(ctx context.Context, _ *hooks.Context) error {
					for ctx.Err() == nil {
						time.Sleep(time.Millisecond)
					}
					got = ending{time.Since(began), ctx.Err().Error(), context.Cause(ctx).Error()}
					<-ctx.Done()
					return nil
				}, hooks.EventRequestStarted), hooks.Options{Timeout: tt.timeout})
				started(&reg, "r")
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if err := reg.Close(ctx); err != nil {
					t.Errorf("Close = %v", err)
				}
				if got.After == tt.want.After+time.Millisecond { // Close and the hook wake at the same moment
					got.After = tt.want.After
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("end (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestContextOutlivesItsCall looks at contexts that a hook has kept, one of them already waited for and one
// not, and at what was derived from them before and after the call returned.
func TestContextOutlivesItsCall(t *testing.T) {
	t.Parallel()
	for name, took := range map[string]time.Duration{"in time": 0, "late": 12 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var reg hooks.Registry
				var kept []context.Context
				var once sync.Once
				cancelNothing := func() {}
				register(t, &reg, hooks.Observe("o", func(ctx context.Context, _ *hooks.Context) error {
					kept = append(kept, ctx)
					once.Do(func() {
						child, cancel := context.WithCancel(ctx)
						kept, cancelNothing = append(kept, child), cancel
					})
					time.Sleep(took)
					return nil
				}, hooks.EventRequestStarted), hooks.Options{})
				started(&reg, "asked for")
				started(&reg, "untouched")
				if err := reg.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				defer cancelNothing()
				wantErr, wantCause := context.Canceled, context.Canceled
				if took > 0 {
					wantErr, wantCause = context.DeadlineExceeded, hooks.ErrHookTimeout
				}
				late, cancel := context.WithCancel(kept[2])
				defer cancel()
				time.Sleep(time.Hour) // how it ended must not depend on when it is asked
				for i, ctx := range append(kept, late) {
					<-ctx.Done()
					if !errors.Is(ctx.Err(), wantErr) || !errors.Is(context.Cause(ctx), wantCause) {
						t.Errorf("context %d: Err = %v, Cause = %v, want %v and %v",
							i, ctx.Err(), context.Cause(ctx), wantErr, wantCause)
					}
				}
			})
		})
	}
}

// TestErrOfACallStays closes the registry after a hook has seen its deadline pass, and before it waits.
func TestErrOfACallStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		var first, second, cause error
		register(t, &reg, hooks.Observe("o", func(ctx context.Context, _ *hooks.Context) error {
			time.Sleep(2 * time.Second)
			first = ctx.Err()
			time.Sleep(8 * time.Second)
			<-ctx.Done()
			second, cause = ctx.Err(), context.Cause(ctx)
			return nil
		}, hooks.EventRequestStarted), hooks.Options{Timeout: time.Second})
		started(&reg, "r")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := reg.Close(ctx); err == nil {
			t.Error("Close did not notice the hook")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !errors.Is(first, context.DeadlineExceeded) || !errors.Is(second, first) ||
			!errors.Is(cause, hooks.ErrHookTimeout) {
			t.Errorf("Err = %v, later %v, cause %v", first, second, cause)
		}
	})
}

func TestContextOfACallDeadlineAndValue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		want := time.Now().Add(7 * time.Second)
		register(t, &reg, hooks.Observe("o", func(ctx context.Context, _ *hooks.Context) error {
			if got, ok := ctx.Deadline(); !ok || !got.Equal(want) {
				t.Errorf("Deadline = %v, %v, want %v", got, ok, want)
			}
			if v := ctx.Value(contextKey{}); v != nil {
				t.Errorf("Value = %v", v)
			}
			child, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			<-child.Done()
			if cause := context.Cause(child); !errors.Is(cause, context.DeadlineExceeded) || ctx.Err() != nil {
				t.Errorf("a child's own end: cause %v, parent %v", cause, ctx.Err())
			}
			return nil
		}, hooks.EventRequestStarted), hooks.Options{Timeout: 7 * time.Second})
		started(&reg, "r")
		if err := reg.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := stat(t, &reg, "o"); s.Delivered != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestContextOfACallIsSharedByGoroutines is one for the race detector.
func TestContextOfACallIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	var all sync.WaitGroup
	register(t, &reg, hooks.Observe("o", func(ctx context.Context, _ *hooks.Context) error {
		for i := range 8 {
			all.Go(func() {
				if i%2 == 0 {
					_ = ctx.Err()
				}
				child, cancel := context.WithCancel(ctx)
				defer cancel()
				<-child.Done()
				if context.Cause(ctx) == nil || ctx.Err() == nil {
					t.Error("a child ended before its parent")
				}
			})
		}
		return nil
	}, hooks.EventRequestStarted), hooks.Options{})
	for range 200 {
		started(&reg, "r")
	}
	if err := reg.Close(t.Context()); err != nil {
		t.Error(err)
	}
	all.Wait()
}
