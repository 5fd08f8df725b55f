package adapters_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// tracer appends its name to the "path" of every value it converts.
func tracer(name string) adapters.Funcs {
	mark := func(stage string) adapters.ConvertFunc {
		return func(_ context.Context, in map[string]any) (map[string]any, error) {
			path, _ := in["path"].(string)
			return map[string]any{"path": path + " " + stage + ":" + name}, nil
		}
	}
	return adapters.Funcs{
		Name: name, Request: mark("request"), Response: mark("response"), Error: mark("error"),
		Stream: func(ctx context.Context, in iter.Seq2[map[string]any, error]) iter.Seq2[map[string]any, error] {
			return func(yield func(map[string]any, error) bool) {
				for v, err := range in {
					if err == nil {
						v, err = mark("stream")(ctx, v)
					}
					if !yield(v, err) {
						return
					}
				}
			}
		},
	}
}

func values(vs ...map[string]any) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		for _, v := range vs {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func TestChainPairs(t *testing.T) {
	t.Parallel()
	c := adapters.Chain{"a", "b", "c"}
	want := []adapters.FormatPair{{From: "a", To: "b"}, {From: "b", To: "c"}}
	if diff := cmp.Diff(want, c.Forward()); diff != "" {
		t.Errorf("Forward mismatch (-want +got):\n%s", diff)
	}
	want = []adapters.FormatPair{{From: "c", To: "b"}, {From: "b", To: "a"}}
	if diff := cmp.Diff(want, c.Backward()); diff != "" {
		t.Errorf("Backward mismatch (-want +got):\n%s", diff)
	}
	if got := (adapters.Chain{"a"}).Backward(); len(got) != 0 {
		t.Errorf("Backward of one format = %v", got)
	}
}

func TestComposedDirections(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	for _, p := range []adapters.FormatPair{
		{From: "a", To: "b"}, {From: "b", To: "c"}, {From: "c", To: "b"}, {From: "b", To: "a"},
	} {
		register(t, &reg, adapters.Registration{Pair: p, Adapter: tracer(p.String())})
	}
	c, err := reg.Compose(adapters.Chain{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	got := map[string]any{}
	for name, convert := range map[string]adapters.ConvertFunc{
		"request": c.ConvertRequest, "response": c.ConvertResponse, "error": c.ConvertError,
	} {
		v, err := convert(ctx, map[string]any{"path": ""})
		if err != nil {
			t.Fatal(err)
		}
		got[name] = v["path"]
	}
	for v, err := range c.ConvertStream(ctx, values(map[string]any{})) {
		if err != nil {
			t.Fatal(err)
		}
		got["stream"] = v["path"]
	}
	want := map[string]any{
		"request":  " request:a->b request:b->c",
		"response": " response:c->b response:b->a",
		"error":    " error:c->b error:b->a",
		"stream":   " stream:c->b stream:b->a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conversions mismatch (-want +got):\n%s", diff)
	}
}

func TestComposeMissingWayBack(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	register(t, &reg, adapters.Registration{Pair: pairAC, Adapter: tracer("x")})
	_, err := reg.Compose(adapters.Chain{pairAC.From, pairAC.To})
	if place, ok := errors.AsType[*adapters.PairError](err); !ok || place.Pair != pairCA {
		t.Errorf("Compose = %v, want a PairError for %v", err, pairCA)
	}
}

func TestComposeOneFormatChangesNothing(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	c, err := reg.Compose(adapters.Chain{"a"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"k": "v"}
	got, err := c.ConvertRequest(t.Context(), map[string]any{"k": "v"})
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("ConvertRequest = %v, %v", got, err)
	}
}

func TestFuncsMissingStages(t *testing.T) {
	t.Parallel()
	f := adapters.Funcs{Name: "half"}
	calls := map[adapters.StageKind]func() error{
		adapters.KindRequest:  func() error { _, err := f.ConvertRequest(t.Context(), nil); return err },
		adapters.KindResponse: func() error { _, err := f.ConvertResponse(t.Context(), nil); return err },
		adapters.KindError:    func() error { _, err := f.ConvertError(t.Context(), nil); return err },
		adapters.KindStream: func() (last error) {
			for _, err := range f.ConvertStream(t.Context(), values()) {
				last = err
			}
			return last
		},
	}
	for stage, call := range calls {
		err := call()
		if !errors.Is(err, adapters.ErrUnsupportedStage) {
			t.Errorf("%s = %v, want ErrUnsupportedStage", stage, err)
			continue
		}
		if want := string(stage) + " of adapter half: stage not supported"; err.Error() != want {
			t.Errorf("error = %q, want %q", err, want)
		}
	}
}

func TestFuncsNilResult(t *testing.T) {
	t.Parallel()
	f := adapters.Funcs{Name: "n", Request: func(context.Context, map[string]any) (map[string]any, error) {
		return nil, nil
	}}
	if _, err := f.ConvertRequest(t.Context(), nil); !errors.Is(err, adapters.ErrInvalidOutput) {
		t.Errorf("ConvertRequest = %v, want ErrInvalidOutput", err)
	}
}
