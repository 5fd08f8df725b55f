package hooks

import (
	"context"
	"testing"
	"testing/synctest"
)

// TestEmitWithAnOldTable stands for an Emit that looked up its observers just before they were closed.
func TestEmitWithAnOldTable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg Registry
		var seen int
		h := Observe("o", func(context.Context, *Context) error {
			seen++
			return nil
		}, EventCustom)
		if _, err := reg.Register(h, Options{}); err != nil {
			t.Fatal(err)
		}
		old := reg.table.Load()
		if err := reg.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		reg.table.Store(old)
		reg.Emit(Context{Event: EventCustom})
		synctest.Wait()
		if seen != 0 {
			t.Error("an event was delivered after Close")
		}
	})
}

// TestPrepareWithAnOldTable stands for a request that looked up its mutators just before one was
// unregistered.
func TestPrepareWithAnOldTable(t *testing.T) {
	t.Parallel()
	var reg Registry
	h := Mutate("m", func(_ context.Context, r *PreparedRequest) error {
		r.Model = "changed"
		return nil
	})
	unregister, err := reg.Register(h, Options{FailClosed: true})
	if err != nil {
		t.Fatal(err)
	}
	old := reg.table.Load()
	unregister()
	reg.table.Store(old)
	r := NewPreparedRequest(nil)
	if err := reg.Prepare(t.Context(), r); err != nil || r.Model != "" {
		t.Errorf("Prepare = %v, Model %q; want the hook gone without a trace", err, r.Model)
	}
}
