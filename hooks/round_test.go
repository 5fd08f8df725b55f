package hooks_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// TestMutatorsAfterOneThatIsLost shows that whatever becomes of one mutator, the others have their turn, in order and
// each for as long as its own timeout.
func TestMutatorsAfterOneThatIsLost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		lost func(context.Context, *hooks.PreparedRequest) error
		took time.Duration
	}{
		{"hangs", func(ctx context.Context, _ *hooks.PreparedRequest) error {
			time.Sleep(time.Hour)
			return ctx.Err()
		}, 3 * time.Second},
		{"heeds its context", func(ctx context.Context, r *hooks.PreparedRequest) error {
			<-ctx.Done()
			r.URL = "late"
			return ctx.Err()
		}, 3 * time.Second},
		{"exits", func(context.Context, *hooks.PreparedRequest) error {
			runtime.Goexit()
			return nil
		}, 0},
		{"panics", func(context.Context, *hooks.PreparedRequest) error { panic("no") }, 0},
		{"fails", func(context.Context, *hooks.PreparedRequest) error { return errors.New("no") }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var reg hooks.Registry
				sign := func(name string, after time.Duration) hooks.Hook {
					return hooks.Mutate(name, func(_ context.Context, r *hooks.PreparedRequest) error {
						time.Sleep(after)
						r.URL += name
						return nil
					})
				}
				// The first ends shortly before its timeout, so that the second begins when a timer is about to fire.
				register(t, &reg, sign("a", 1900*time.Millisecond), hooks.Options{Timeout: 2 * time.Second})
				register(t, &reg, hooks.Mutate("lost", tt.lost), hooks.Options{Timeout: 3 * time.Second})
				register(t, &reg, sign("b", 0), hooks.Options{})
				register(t, &reg, sign("c", 90*time.Millisecond), hooks.Options{Timeout: 100 * time.Millisecond})
				register(t, &reg, sign("d", 110*time.Millisecond), hooks.Options{Timeout: 100 * time.Millisecond})
				register(t, &reg, sign("e", 0), hooks.Options{})
				r := newRequest()
				r.URL = ""
				began := time.Now()
				if err := reg.Prepare(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				if r.URL != "abce" {
					t.Errorf("mutators have left %q", r.URL)
				}
				if took := time.Since(began) - 2090*time.Millisecond; took != tt.took {
					t.Errorf("the others have waited for %v, want %v", took, tt.took)
				}
				if s := stat(t, &reg, "lost"); s.Failed != 1 || s.LastError == "" {
					t.Errorf("%+v", s)
				}
				time.Sleep(2 * time.Hour) // whoever is late comes back
				if s := stat(t, &reg, "lost"); s.Pending != 0 || s.Abandoned != 0 || r.URL != "abce" {
					t.Errorf("afterwards: %+v, %q", s, r.URL)
				}
			})
		})
	}
}
