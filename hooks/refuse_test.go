package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/ccproxy-go/ccproxy/hooks"
)

var errOverBudget = errors.New("over budget")

// TestRefuse holds that a decision of a mutator is no failure: it ends the request in either mode, and never fuses the hook.
func TestRefuse(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprint("closed ", closed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var reg hooks.Registry
				var refused bool
				register(t, &reg, hooks.Mutate("budget", func(_ context.Context, r *hooks.PreparedRequest) error {
					r.Header.Set("X-Late", "1")
					if !refused {
						return hooks.Refuse(nil)
					}
					return hooks.Refuse(errOverBudget)
				}), hooks.Options{Plugin: "p", FailClosed: closed})
				refused = true
				for range 20 {
					r := newRequest()
					err := reg.Prepare(t.Context(), r)
					m, ok := errors.AsType[*hooks.MutatorError](err)
					if !ok || !errors.Is(err, errOverBudget) || m.Plugin != "p" || m.Hook != "budget" {
						t.Fatalf("Prepare: %v", err)
					}
					if r.Header.Get("X-Late") != "" {
						t.Error("a request that was refused was changed")
					}
				}
				if s := stat(t, &reg, "budget"); s.Failed != 0 || s.Fused || s.Delivered != 20 {
					t.Errorf("stats %+v", s)
				}
				refused = false
				if err := reg.Prepare(t.Context(), newRequest()); err != nil {
					t.Errorf("Prepare of another request: %v", err)
				}
			})
		})
	}
}

func ExampleRefuse() {
	var reg hooks.Registry
	_, err := reg.Register(hooks.Mutate("quota", func(_ context.Context, r *hooks.PreparedRequest) error {
		if r.Model == "expensive" {
			return hooks.Refuse(errOverBudget)
		}
		return nil
	}), hooks.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	req := hooks.NewPreparedRequest([]byte("{}"))
	req.Model = "expensive"
	fmt.Println(reg.Prepare(context.Background(), req))
	// Output: hooks: mutator quota: over budget
}
