package hooks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

type valueKey struct{}

// TestPrepareContext shows how the context of a mutator ends, whether it looks at it, waits for it, or hangs another one
// on it.
func TestPrepareContext(t *testing.T) {
	t.Parallel()
	looks := map[string]func(ctx context.Context) <-chan struct{}{
		"waits": func(ctx context.Context) <-chan struct{} { return ctx.Done() },
		"derives": func(ctx context.Context) <-chan struct{} {
			child, cancel := context.WithCancel(ctx)
			context.AfterFunc(ctx, cancel)
			return child.Done()
		},
	}
	tests := []struct {
		name  string
		end   func(reg *hooks.Registry, cancel context.CancelFunc)
		after time.Duration
		err   error
		cause error
	}{
		{"its timeout", func(*hooks.Registry, context.CancelFunc) {}, 2 * time.Second, context.DeadlineExceeded, hooks.ErrHookTimeout},
		{"the request", func(_ *hooks.Registry, cancel context.CancelFunc) { cancel() }, time.Second, context.Canceled, context.Canceled},
	}
	for _, tt := range tests {
		for how, look := range looks {
			t.Run(tt.name+" "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var reg hooks.Registry
					ended := make(chan struct{})
					register(t, &reg, hooks.Mutate("m", func(ctx context.Context, _ *hooks.PreparedRequest) error {
						defer close(ended)
						if at, ok := ctx.Deadline(); !ok || time.Until(at) != 2*time.Second || ctx.Value(valueKey{}) != "v" || ctx.Err() != nil {
							t.Errorf("deadline %v, value %v, error %v", at, ctx.Value(valueKey{}), ctx.Err())
						}
						began := time.Now()
						<-look(ctx)
						cause := context.Cause(ctx)
						if time.Since(began) != tt.after || !errors.Is(ctx.Err(), tt.err) || !errors.Is(cause, tt.cause) {
							t.Errorf("ended after %v with %v, cause %v", time.Since(began), ctx.Err(), cause)
						}
						if ctx.Value(valueKey{}) != "v" {
							t.Error("the request's values are gone")
						}
						return ctx.Err()
					}), hooks.Options{Timeout: 2 * time.Second})
					ctx, cancel := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "v"))
					defer cancel()
					time.AfterFunc(time.Second, func() { tt.end(&reg, cancel) })
					_ = reg.Prepare(ctx, hooks.NewPreparedRequest(nil))
					<-ended
				})
			})
		}
	}
}

// TestPrepareContextAfterwards holds that a context which a mutator has kept is over when the mutator is back.
func TestPrepareContextAfterwards(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	var kept context.Context
	register(t, &reg, hooks.Mutate("m", func(ctx context.Context, _ *hooks.PreparedRequest) error {
		kept = ctx //nolint:fatcontext // it is what the test is about
		return nil
	}), hooks.Options{})
	if err := reg.Prepare(t.Context(), hooks.NewPreparedRequest(nil)); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(kept.Err(), context.Canceled) {
		t.Errorf("Err() = %v", kept.Err())
	}
	<-kept.Done()
}
