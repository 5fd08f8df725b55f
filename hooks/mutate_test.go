package hooks_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

type prepareFunc = func(context.Context, *hooks.PreparedRequest) error

// appendTo returns a mutator that leaves its mark in body, header, URL and model.
func appendTo(mark string) prepareFunc {
	return func(_ context.Context, r *hooks.PreparedRequest) error {
		v, err := r.Body()
		if err != nil {
			return err
		}
		m, _ := v.(map[string]any)
		s, _ := m["marks"].(string)
		m["marks"] = s + mark
		r.SetBody(m)
		r.Header.Add("Marks", mark)
		r.URL += mark
		r.Model += mark
		return nil
	}
}

func newRequest() *hooks.PreparedRequest {
	r := hooks.NewPreparedRequest([]byte(`{"marks":"","html":"<&>"}`))
	r.RequestID, r.Provider, r.Method, r.URL, r.Model = "r1", "p", "POST", "/", "m"
	r.Header = http.Header{"Marks": {"0"}}
	return r
}

func TestPrepareRunsInOrder(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	register(t, &reg, hooks.Mutate("3", appendTo("3")), hooks.Options{})
	register(t, &reg, hooks.Mutate("4", appendTo("4")), hooks.Options{})
	register(t, &reg, hooks.Mutate("2", appendTo("2")), hooks.Options{Priority: 400})
	register(t, &reg, hooks.Mutate("1", appendTo("1")), hooks.Options{Priority: 100})
	r := newRequest()
	if err := reg.Prepare(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	body, changed, err := r.Result()
	if string(body) != `{"html":"<&>","marks":"1234"}` || !changed || err != nil {
		t.Errorf("Result = %s, %v, %v", body, changed, err)
	}
	if r.URL != "/1234" || r.Model != "m1234" {
		t.Errorf("URL %q, Model %q", r.URL, r.Model)
	}
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4"}, r.Header.Values("Marks")); diff != "" {
		t.Errorf("Marks (-want +got):\n%s", diff)
	}
}

func TestPrepareStartsFromWhatTheCallerSet(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	register(t, &reg, hooks.Mutate("1", appendTo("1")), hooks.Options{})
	r := newRequest()
	r.SetBody(map[string]any{"marks": "0"})
	if err := reg.Prepare(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if body, _, _ := r.Result(); string(body) != `{"marks":"01"}` {
		t.Errorf("Result = %s", body)
	}
	r.SetBody(make(chan int))
	if err := reg.Prepare(t.Context(), r); err == nil {
		t.Error("Prepare of a body that is not JSON succeeded")
	}
}

func TestPrepareWithoutMutators(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	r := hooks.NewPreparedRequest([]byte("x"))
	if err := reg.Prepare(t.Context(), r); err != nil || reg.Mutators() {
		t.Errorf("Prepare = %v, Mutators = %v", err, reg.Mutators())
	}
}

// failures are the ways in which a mutator can go wrong after it has already changed its copy.
func failures() map[string]struct {
	end  func(ctx context.Context) error
	want error
} {
	own := errors.New("own error")
	return map[string]struct {
		end  func(ctx context.Context) error
		want error
	}{
		"error":      {func(context.Context) error { return own }, nil},
		"panic":      {func(context.Context) error { panic(canary) }, hooks.ErrHookPanic},
		"panic(nil)": {func(context.Context) error { panic(nil) }, hooks.ErrHookPanic}, //nolint:govet // on purpose
		"exit":       {func(context.Context) error { runtime.Goexit(); return nil }, hooks.ErrHookExit},
		"blocks": {func(context.Context) error {
			time.Sleep(10 * time.Second)
			return nil
		}, hooks.ErrHookTimeout},
		"heeds its context": {func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, hooks.ErrHookTimeout},
	}
}

func TestPrepareContainsFailures(t *testing.T) {
	t.Parallel()
	for name, f := range failures() {
		for _, closed := range []bool{false, true} {
			mode := map[bool]string{false: "open", true: "closed"}[closed]
			t.Run(name+", fail "+mode, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var reg hooks.Registry
					register(t, &reg, hooks.Mutate("1", appendTo("1")), hooks.Options{Priority: 1})
					register(t, &reg, hooks.Mutate("bad", func(ctx context.Context, r *hooks.PreparedRequest) error {
						_ = appendTo("x")(ctx, r)
						return f.end(ctx)
					}), hooks.Options{Plugin: "p", FailClosed: closed})
					register(t, &reg, hooks.Mutate("2", appendTo("2")), hooks.Options{Priority: 900})
					r := newRequest()
					began := time.Now()
					err := reg.Prepare(t.Context(), r)
					if d := time.Since(began); d > 2*time.Second {
						t.Errorf("took %v", d)
					}
					checkFailure(t, r, err, closed, f.want)
					if s := stat(t, &reg, "bad"); s.Failed != 1 || strings.Contains(s.LastError, canary) {
						t.Errorf("stats %+v", s)
					}
					time.Sleep(time.Minute) // for the one that blocks
				})
			})
		}
	}
}

func checkFailure(t *testing.T, r *hooks.PreparedRequest, err error, closed bool, want error) {
	t.Helper()
	if !closed {
		if r.Model != "m12" || err != nil {
			t.Errorf("Prepare = %v, Model %q; want the bad one passed over", err, r.Model)
		}
		return
	}
	e, ok := errors.AsType[*hooks.MutatorError](err)
	if !ok || e.Plugin != "p" || e.Hook != "bad" {
		t.Fatalf("Prepare = %v, want a MutatorError of p/bad", err)
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("Prepare = %v, want %v", err, want)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("error tells the panic's value: %v", err)
	}
}

func TestPrepareRefusesABodyThatIsNotJSON(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	register(t, &reg, hooks.Mutate("bad", func(_ context.Context, r *hooks.PreparedRequest) error {
		r.SetBody(make(chan int))
		return nil
	}), hooks.Options{})
	r := newRequest()
	if err := reg.Prepare(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, changed, err := r.Result(); changed || err != nil || stat(t, &reg, "bad").Failed != 1 {
		t.Errorf("changed %v, %v; stats %+v", changed, err, stat(t, &reg, "bad"))
	}
}

// TestPrepareSharesNothing has a mutator go on writing to all it was given after its call is over, for the
// race detector.
func TestPrepareSharesNothing(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	over, finished := make(chan struct{}), make(chan struct{})
	register(t, &reg, hooks.Mutate("retains", func(_ context.Context, r *hooks.PreparedRequest) error {
		body := map[string]any{"a": "1"}
		r.SetBody(body)
		go func() {
			defer close(finished)
			<-over
			body["a"] = "late"
			r.Header.Set("Marks", "late")
			r.SetRawBody([]byte("late"))
			r.Model = "late"
		}()
		return nil
	}), hooks.Options{})
	r := newRequest()
	if err := reg.Prepare(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	close(over)
	body, _, _ := r.Result()
	r.Header.Set("Authorization", "Bearer")
	<-finished
	if string(body) != `{"a":"1"}` || r.Header.Get("Marks") != "0" || r.Model != "m" {
		t.Errorf("body %s, header %v, model %s", body, r.Header, r.Model)
	}
}

func TestPrepareIgnoresWhatOnlyInforms(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	register(t, &reg, hooks.Mutate("m", func(_ context.Context, r *hooks.PreparedRequest) error {
		r.RequestID, r.Provider, r.Stream, r.Header = "x", "x", true, nil
		return nil
	}), hooks.Options{})
	r := newRequest()
	if err := reg.Prepare(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "a header that was removed can still be written to")
	if r.RequestID != "r1" || r.Provider != "p" || r.Stream || len(r.Header) != 1 {
		t.Errorf("request = %+v", r)
	}
}

func TestPrepareEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		register(t, &reg, hooks.Mutate("slow", func(context.Context, *hooks.PreparedRequest) error {
			time.Sleep(time.Hour)
			return nil
		}), hooks.Options{FailClosed: true})
		for range 4 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			err := reg.Prepare(ctx, newRequest())
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("Prepare = %v after %v", err, time.Since(began))
			}
		}
		if s := stat(t, &reg, "slow"); s.Failed != 0 || s.Fused || s.Abandoned != 4 {
			t.Errorf("stats %+v: the requests' end is not the hook's failure", s)
		}
		if err := reg.Prepare(t.Context(), newRequest()); !errors.Is(err, hooks.ErrHookBusy) {
			t.Errorf("fifth call: %v, want ErrHookBusy", err)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if s := stat(t, &reg, "slow"); s.Abandoned != 0 || s.Pending != 0 {
			t.Errorf("stats %+v after all have returned", s)
		}
		if err := reg.Prepare(t.Context(), newRequest()); !errors.Is(err, hooks.ErrHookTimeout) {
			t.Errorf("then: %v, want it called again", err)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestMutatorFuse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		fails := true
		register(t, &reg, hooks.Mutate("m", func(context.Context, *hooks.PreparedRequest) error {
			if fails {
				return errors.New("no")
			}
			return nil
		}), hooks.Options{FailClosed: true})
		for range 5 {
			if err := reg.Prepare(t.Context(), newRequest()); errors.Is(err, hooks.ErrFused) {
				t.Errorf("fused too early: %v", err)
			}
		}
		if err := reg.Prepare(t.Context(), newRequest()); !errors.Is(err, hooks.ErrFused) {
			t.Errorf("sixth call: %v, want ErrFused", err)
		}
		time.Sleep(time.Minute)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := reg.Prepare(ended, newRequest()); !errors.Is(err, context.Canceled) {
			t.Errorf("ended request: %v", err)
		}
		fails = false
		if err := reg.Prepare(t.Context(), newRequest()); err != nil || stat(t, &reg, "m").Fused {
			t.Errorf("trial: %v, %+v", err, stat(t, &reg, "m"))
		}
	})
}

// TestCanceledTrialLeavesAnother ends the request whose call was to decide about a fused mutator.
func TestCanceledTrialLeavesAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg hooks.Registry
		act := func(context.Context) error { return errors.New("no") }
		register(t, &reg, hooks.Mutate("m", func(ctx context.Context, _ *hooks.PreparedRequest) error {
			return act(ctx)
		}), hooks.Options{FailClosed: true})
		for range 5 {
			_ = reg.Prepare(t.Context(), newRequest())
		}
		time.Sleep(time.Minute)
		act = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = reg.Prepare(ctx, newRequest())
		synctest.Wait()
		act = func(context.Context) error { return nil }
		if err := reg.Prepare(t.Context(), newRequest()); err != nil {
			t.Errorf("next call: %v, want it to be the trial", err)
		}
	})
}

// both observes and mutates.
type both struct{ seen chan hooks.Event }

func (b both) Name() string          { return "both" }
func (b both) Events() []hooks.Event { return []hooks.Event{hooks.EventRequestStarted} }
func (b both) Handle(_ context.Context, hc *hooks.Context) error {
	b.seen <- hc.Event
	return nil
}

func (b both) Prepare(ctx context.Context, r *hooks.PreparedRequest) error {
	return appendTo("b")(ctx, r)
}

func TestHookThatObservesAndMutates(t *testing.T) {
	t.Parallel()
	var reg hooks.Registry
	b := both{make(chan hooks.Event, 1)}
	register(t, &reg, b, hooks.Options{})
	r := newRequest()
	if err := reg.Prepare(t.Context(), r); err != nil || r.Model != "mb" {
		t.Errorf("Prepare = %v, Model %q", err, r.Model)
	}
	started(&reg, "r")
	if got := <-b.seen; got != hooks.EventRequestStarted {
		t.Errorf("observed %q", got)
	}
	_ = reg.Flush(t.Context())
	if s := stat(t, &reg, "both"); !s.Mutator || s.Delivered != 2 {
		t.Errorf("stats %+v", s)
	}
}
