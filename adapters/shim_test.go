package adapters_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
)

type shimIn struct {
	Model string          `json:"model"`
	Seed  any             `json:"seed,omitempty"`
	Raw   json.RawMessage `json:"raw,omitempty"`
}

func (in *shimIn) Validate() error {
	if in.Model == "forbidden" {
		return errors.New("model is forbidden")
	}
	return nil
}

type shimOut struct {
	Name string          `json:"name"`
	Seed any             `json:"seed,omitempty"`
	Raw  json.RawMessage `json:"raw,omitempty"`
}

var errOwn = errors.New("own error")

func rename(_ context.Context, in *shimIn) (*shimOut, error) {
	switch in.Model {
	case "fail":
		return nil, errOwn
	case "nothing":
		return nil, nil
	}
	return &shimOut{Name: in.Model, Seed: in.Seed, Raw: in.Raw}, nil
}

func TestShimConverts(t *testing.T) {
	t.Parallel()
	shim := adapters.NewShim("x",
		adapters.Request(rename), adapters.Response(rename), adapters.ErrorStage(rename))
	for name, convert := range map[string]adapters.ConvertFunc{
		"request": shim.ConvertRequest, "response": shim.ConvertResponse, "error": shim.ConvertError,
	} {
		got, err := convert(t.Context(), map[string]any{
			"model": "m", "seed": json.Number("9007199254740993"), "unknown": true,
			"raw": map[string]any{"html": "<b>", "n": 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"name": "m", "seed": json.Number("9007199254740993"),
			"raw": map[string]any{"html": "<b>", "n": json.Number("1")},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s mismatch (-want +got):\n%s", name, diff)
		}
	}
}

func TestShimLeavesRawTextAlone(t *testing.T) {
	t.Parallel()
	var seen string
	shim := adapters.NewShim("x", adapters.Request(func(_ context.Context, in *shimIn) (*shimOut, error) {
		seen = string(in.Raw)
		return &shimOut{}, nil
	}))
	if _, err := shim.ConvertRequest(t.Context(), map[string]any{"raw": "<b> & ü"}); err != nil {
		t.Fatal(err)
	}
	if want := `"<b> & ü"`; seen != want {
		t.Errorf("the function saw %s, want %s", seen, want)
	}
}

func TestShimKeepsEverythingInMaps(t *testing.T) {
	t.Parallel()
	shim := adapters.NewShim("x", adapters.Request(
		func(_ context.Context, in *map[string]any) (*map[string]any, error) { return in, nil }))
	got, err := shim.ConvertRequest(t.Context(), map[string]any{"unknown": "kept"})
	if err != nil || !cmp.Equal(map[string]any{"unknown": "kept"}, got) {
		t.Errorf("ConvertRequest = %v, %v", got, err)
	}
	if got, err = shim.ConvertRequest(t.Context(), nil); err != nil || got == nil || len(got) != 0 {
		t.Errorf("ConvertRequest(nil) = %v, %v, want an empty object", got, err)
	}
}

func TestShimErrors(t *testing.T) {
	t.Parallel()
	list := func(context.Context, *shimIn) (*[]int, error) { return &[]int{1}, nil }
	null := func(context.Context, *shimIn) (*json.RawMessage, error) {
		r := json.RawMessage("null")
		return &r, nil
	}
	unencodable := func(context.Context, *shimIn) (*map[string]any, error) {
		return &map[string]any{"f": func() {}}, nil
	}
	tests := []struct {
		name  string
		stage adapters.Stage
		in    map[string]any
		want  error
		text  string // the whole text where it is ours alone
	}{
		{"wrong type", adapters.Request(rename), map[string]any{"model": 5}, adapters.ErrInvalidInput, ""},
		{
			"not valid", adapters.Request(rename),
			map[string]any{"model": "forbidden"},
			adapters.ErrInvalidInput,
			"request of adapter x: invalid input: model is forbidden",
		},
		{"no JSON", adapters.Request(rename), map[string]any{"c": make(chan int)}, adapters.ErrInvalidInput, ""},
		{
			"own", adapters.Request(rename),
			map[string]any{"model": "fail"},
			errOwn,
			"request of adapter x: own error",
		},
		{
			"no result", adapters.Request(rename),
			map[string]any{"model": "nothing"},
			adapters.ErrInvalidOutput,
			"request of adapter x: invalid output: no value",
		},
		{"array", adapters.Request(list), nil, adapters.ErrInvalidOutput, ""},
		{"null", adapters.Request(null), nil, adapters.ErrInvalidOutput, ""},
		{"unencodable", adapters.Request(unencodable), nil, adapters.ErrInvalidOutput, ""},
		{
			"no stage", adapters.Response(rename), nil, adapters.ErrUnsupportedStage,
			"request of adapter x: stage not supported",
		},
		{"nil function", adapters.Request[shimIn, shimOut](nil), nil, adapters.ErrUnsupportedStage, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := adapters.NewShim("x", tt.stage).ConvertRequest(t.Context(), tt.in)
			place, ok := errors.AsType[*adapters.StageError](err)
			if !errors.Is(err, tt.want) || !ok || place.Adapter != "x" || place.Stage != adapters.KindRequest {
				t.Fatalf("ConvertRequest = %v, %v; want %v in request of x", got, err, tt.want)
			}
			if tt.text != "" && err.Error() != tt.text {
				t.Errorf("error = %q, want %q", err, tt.text)
			}
		})
	}
}

func TestShimNamesAndUnwrap(t *testing.T) {
	t.Parallel()
	shim := adapters.NewShim("x", adapters.Request(rename), adapters.StreamStage(renameAll))
	if shim.Name() != "shim_x" || shim.String() != "Shim(x)" {
		t.Errorf("names are %q and %q", shim.Name(), shim)
	}
	fn, ok := shim.Unwrap(adapters.KindRequest).(func(context.Context, *shimIn) (*shimOut, error))
	if !ok {
		t.Fatalf("Unwrap gives %T", shim.Unwrap(adapters.KindRequest))
	}
	if out, err := fn(t.Context(), &shimIn{Model: "direct"}); err != nil || out.Name != "direct" {
		t.Errorf("the unwrapped function gives %v, %v", out, err)
	}
	if got := shim.Unwrap(adapters.KindResponse); got != nil {
		t.Errorf("Unwrap of a missing stage = %v, want nil", got)
	}
}

// renameAll passes errors on and ends, as a typed stream function should.
func renameAll(ctx context.Context, in iter.Seq2[*shimIn, error]) iter.Seq2[*shimOut, error] {
	return func(yield func(*shimOut, error) bool) {
		for v, err := range in {
			if err != nil {
				yield(nil, err)
				return
			}
			out, err := rename(ctx, v)
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// swallow ends quietly when its input fails.
func swallow(ctx context.Context, in iter.Seq2[*shimIn, error]) iter.Seq2[*shimOut, error] {
	return func(yield func(*shimOut, error) bool) {
		for v, err := range renameAll(ctx, in) {
			if err != nil || !yield(v, nil) {
				return
			}
		}
	}
}

// collect drains a stream into the names it gave and the error it ended with.
func collect(stream iter.Seq2[map[string]any, error]) (names []string, errs []error) {
	for v, err := range stream {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		name, _ := v["name"].(string)
		names = append(names, name)
	}
	return names, errs
}

func then(in iter.Seq2[map[string]any, error], err error) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		for v := range in {
			if !yield(v, nil) {
				return
			}
		}
		if yield(nil, err) {
			yield(map[string]any{"model": "after the error"}, nil)
		}
	}
}

func model(name any) map[string]any { return map[string]any{"model": name} }

func TestShimStream(t *testing.T) {
	t.Parallel()
	errUpstream := errors.New("upstream reset")
	type function = func(context.Context, iter.Seq2[*shimIn, error]) iter.Seq2[*shimOut, error]
	tests := []struct {
		name  string
		fn    function
		in    iter.Seq2[map[string]any, error]
		want  []string
		err   error
		text  string
		place bool // the error names the adapter
	}{
		{"whole", renameAll, values(model("a"), model("b")), []string{"a", "b"}, nil, "", false},
		{"empty", renameAll, values(), nil, nil, "", false},
		{
			"upstream error", renameAll, then(values(model("a")), errUpstream),
			[]string{"a"},
			errUpstream, "upstream reset", false,
		},
		{
			"swallowed error", swallow, then(values(model("a")), errUpstream),
			[]string{"a"},
			errUpstream, "upstream reset", false,
		},
		{
			"bad value", renameAll, values(model("a"), model(5), model("b")),
			[]string{"a"},
			adapters.ErrInvalidInput, "", true,
		},
		{"swallowed bad value", swallow, values(model(5), model("b")), nil, adapters.ErrInvalidInput, "", true},
		{
			"own error", renameAll, values(model("a"), model("fail"), model("b")),
			[]string{"a"},
			errOwn, "stream of adapter x: own error", true,
		},
		{"no result", renameAll, values(model("nothing"), model("b")), nil, adapters.ErrInvalidOutput, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shim := adapters.NewShim("x", adapters.StreamStage(tt.fn))
			names, errs := collect(shim.ConvertStream(t.Context(), tt.in))
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("stream mismatch (-want +got):\n%s", diff)
			}
			if tt.err == nil {
				if len(errs) != 0 {
					t.Errorf("errors = %v", errs)
				}
				return
			}
			if len(errs) != 1 || !errors.Is(errs[0], tt.err) {
				t.Fatalf("errors = %v, want one that is %v", errs, tt.err)
			}
			if _, ok := errors.AsType[*adapters.StageError](errs[0]); ok != tt.place {
				t.Errorf("error %q names the adapter: %t, want %t", errs[0], ok, tt.place)
			}
			if tt.text != "" && errs[0].Error() != tt.text {
				t.Errorf("error = %q, want %q", errs[0], tt.text)
			}
		})
	}
}

func TestShimStreamIsLazy(t *testing.T) {
	t.Parallel()
	pulled, ended := 0, false
	in := func(yield func(map[string]any, error) bool) {
		defer func() { ended = true }()
		for {
			pulled++
			if !yield(model("m"), nil) {
				return
			}
		}
	}
	stream := adapters.NewShim("x", adapters.StreamStage(renameAll)).ConvertStream(t.Context(), in)
	if pulled != 0 {
		t.Fatalf("pulled %d values before anyone asked", pulled)
	}
	taken := 0
	for range stream {
		if taken++; taken == 3 {
			break
		}
	}
	if pulled != 3 || !ended {
		t.Errorf("pulled %d values for 3, input ended: %t", pulled, ended)
	}
}

func TestShimWithoutStream(t *testing.T) {
	t.Parallel()
	_, errs := collect(adapters.NewShim("x").ConvertStream(t.Context(), values(model("a"))))
	if len(errs) != 1 || !errors.Is(errs[0], adapters.ErrUnsupportedStage) {
		t.Errorf("errors = %v, want ErrUnsupportedStage", errs)
	}
}
