package adapters_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

const (
	left  adapters.Format = "test.left"
	right adapters.Format = "test.right"
)

// pairOf is the adapter of two plain dialects.
func pairOf(t *testing.T) adapters.FormatAdapter {
	t.Helper()
	var reg adapters.Registry
	for _, f := range []adapters.Format{left, right} {
		if err := reg.RegisterCodec(plain{f}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := reg.Lookup(adapters.FormatPair{From: left, To: right})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func conversionOf(t *testing.T) adapters.Conversion {
	t.Helper()
	c, ok := pairOf(t).(adapters.Conversion)
	if !ok {
		t.Fatal("the adapter of two codecs is no Conversion")
	}
	return c
}

func TestRegisterCodec(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	for _, f := range []adapters.Format{left, right, "test.third"} {
		if err := reg.RegisterCodec(plain{f}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, pair := range reg.Pairs() {
		got = append(got, pair.String())
	}
	want := []string{
		"test.left->test.right", "test.left->test.third", "test.right->test.left",
		"test.right->test.third", "test.third->test.left", "test.third->test.right",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Pairs mismatch (-want +got):\n%s", diff)
	}
	for _, bad := range []adapters.Codec{nil, (*plain)(nil), plain{}, plain{left}} {
		if err := reg.RegisterCodec(bad); !errors.Is(err, adapters.ErrInvalid) {
			t.Errorf("RegisterCodec(%v) = %v, want ErrInvalid", bad, err)
		}
	}
	if c, ok := reg.Codec(right); !ok || c.Format() != right {
		t.Errorf("Codec(%s) = %v, %t", right, c, ok)
	}
	if _, ok := reg.Codec("test.other"); ok {
		t.Error("Codec finds a format that nobody registered")
	}
}

func TestPluginGoesBeforeCodecs(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	own := adapters.Funcs{Name: "own"}
	pair := adapters.FormatPair{From: left, To: right}
	unregister, err := reg.Register(adapters.Registration{Pair: pair, Adapter: own, Plugin: "custom"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []adapters.Format{left, right} {
		if err := reg.RegisterCodec(plain{f}); err != nil {
			t.Fatal(err)
		}
	}
	if got := reg.Owner(pair); got != "custom" {
		t.Errorf("owner = %q, want the plugin", got)
	}
	unregister()
	if a, err := reg.Lookup(pair); err != nil || reg.Owner(pair) != "" {
		t.Errorf("Lookup = %v, %v, want the core's adapter when the plugin is gone", a, err)
	}
}

func TestPairOnMaps(t *testing.T) {
	t.Parallel()
	a := pairOf(t)
	got, err := a.ConvertRequest(t.Context(), map[string]any{"model": "m", "talk": []any{"<a> & b"}, "live": true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"model": "m", "talk": []any{"<a> & b"}, "live": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request mismatch (-want +got):\n%s", diff)
	}
	if got, err = a.ConvertResponse(t.Context(), map[string]any{"by": "m", "text": "x"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"by": "m", "text": "x"}, got); diff != "" {
		t.Errorf("answer mismatch (-want +got):\n%s", diff)
	}
	if got, err = a.ConvertError(t.Context(), map[string]any{"wrong": "x"}); err != nil || got["wrong"] != "x" {
		t.Errorf("ConvertError = %v, %v", got, err)
	}
	_, err = a.ConvertRequest(t.Context(), map[string]any{"talk": []any{1}})
	var stage *adapters.StageError
	if !errors.As(err, &stage) || stage.Stage != adapters.KindRequest || !errors.Is(err, adapters.ErrInvalidInput) {
		t.Errorf("error = %v, want a StageError of the request around ErrInvalidInput", err)
	}
	if _, err := a.ConvertResponse(t.Context(), nil); !errors.Is(err, adapters.ErrInvalidInput) {
		t.Errorf("error = %v, want ErrInvalidInput", err)
	}
}

func TestLossyRequest(t *testing.T) {
	t.Parallel()
	body := []byte(`{"model":"m","seed":1,"talk":["a"],"color":"red"}`)
	out, req, lost, err := conversionOf(t).ConvertRequestLossy(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out), `{"model":"m","talk":["a"],"live":false}`; got != want {
		t.Errorf("body = %s, want %s", got, want)
	}
	if req == nil || req.Model != "m" {
		t.Errorf("request = %+v", req)
	}
	var paths []string
	for _, l := range lost {
		paths = append(paths, l.Path)
	}
	if diff := cmp.Diff([]string{"seed", "color"}, paths); diff != "" {
		t.Errorf("lost mismatch (-want +got):\n%s", diff)
	}
}

func TestConvertErrorFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"told", 429, `{"wrong":"slow down"}`, `{"wrong":"slow down","kind":"rate_limit_error"}`},
		{"page", 503, `<html>`, `{"wrong":"the provider answered 503 Service Unavailable","kind":"overloaded_error"}`},
		{"nothing", 999, ``, `{"wrong":"the provider answered with an error","kind":"api_error"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out, e := conversionOf(t).ConvertErrorFor(test.status, []byte(test.body))
			if string(out) != test.want || e.Status != test.status {
				t.Errorf("ConvertErrorFor = %s, status %d, want %s", out, e.Status, test.want)
			}
		})
	}
}

// stream is a stream of events written "type data", which ends with err if there is one.
func stream(err error, lines ...string) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		for _, line := range lines {
			typ, data, _ := strings.Cut(line, " ")
			if !yield(adapters.Event{Type: typ, Data: []byte(data)}, nil) {
				return
			}
		}
		if err != nil {
			yield(adapters.Event{}, err)
		}
	}
}

func TestConvertStreamFor(t *testing.T) {
	t.Parallel()
	const begin, text, end = `begin {"by":"m"}`, `text {"t":"a"}`, `end {}`
	const broke = `wrong {"wrong":"the provider's stream broke off"}`
	reset := errors.New("connection reset")
	for _, test := range []struct {
		name string
		in   adapters.Stream
		want []string
		err  string
	}{
		{"whole", stream(nil, begin, text, end), []string{begin, text, end}, ""},
		{"cut", stream(nil, begin, text), []string{begin, text, broke}, ""},
		{"broken", stream(reset, begin, text), []string{begin, text, broke}, ""},
		{
			"broken with a reason",
			stream(&adapters.StreamError{Failure: canonical.Error{Message: canonical.Token(`"too large"`)}}, begin),
			[]string{begin, `wrong {"wrong":"too large"}`},
			"",
		},
		{"broken before anything", stream(reset), nil, "connection reset"},
		{"nothing at all", stream(nil), nil, "unexpected EOF"},
		{"error", stream(nil, begin, `wrong {"wrong":"x"}`, text), []string{begin, `wrong {"wrong":"x"}`}, ""},
		{"error first", stream(nil, `wrong {"wrong":"x"}`, end), nil, "x"},
		{"unknown event", stream(nil, begin, `other {}`, text, end), []string{begin, broke}, ""},
		{"after the end", stream(reset, begin, end, text), []string{begin, end}, ""},
		{"two ends", stream(nil, begin, end, end, `wrong {"wrong":"x"}`), []string{begin, end}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			var failure error
			for ev, err := range conversionOf(t).ConvertStreamFor(t.Context(), test.in, nil, nil) {
				if failure = err; err == nil {
					got = append(got, ev.Type+" "+string(ev.Data))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events mismatch (-want +got):\n%s", diff)
			}
			if (failure == nil) != (test.err == "") || failure != nil && !strings.Contains(failure.Error(), test.err) {
				t.Errorf("error = %v, want %q", failure, test.err)
			}
		})
	}
}

func TestStreamErrorCarriesTheFailure(t *testing.T) {
	t.Parallel()
	for _, err := range conversionOf(t).ConvertStreamFor(t.Context(), stream(nil, `wrong {"wrong":"busy"}`), nil, nil) {
		var told *adapters.StreamError
		if !errors.As(err, &told) || told.Failure.Type != "overloaded_error" {
			t.Fatalf("error = %#v, want the upstream's own", err)
		}
		if info := told.Info(); info.Status != 529 || info.Message != "busy" {
			t.Errorf("Info = %+v, want status 529", info)
		}
	}
}

// A consumer that stops is not called again, and the upstream is not read any further.
func TestConvertStreamForStops(t *testing.T) {
	t.Parallel()
	pulled := 0
	in := func(yield func(adapters.Event, error) bool) {
		for ev := range stream(nil, `begin {"by":"m"}`, `text {"t":"a"}`, `text {"t":"b"}`, `end {}`) {
			pulled++
			if !yield(ev, nil) {
				return
			}
		}
	}
	var got int
	for range conversionOf(t).ConvertStreamFor(t.Context(), in, nil, nil) {
		if got++; got == 2 {
			break
		}
	}
	if got != 2 || pulled != 2 {
		t.Errorf("%d events of %d pulled, want 2 of 2", got, pulled)
	}
}

func TestPairOnStreamsOfMaps(t *testing.T) {
	t.Parallel()
	in := func(yield func(map[string]any, error) bool) {
		_ = yield(map[string]any{"type": "begin", "by": "m"}, nil) &&
			yield(map[string]any{"type": "text", "t": "a"}, nil) && yield(map[string]any{"type": "end"}, nil)
	}
	var got []map[string]any
	for m, err := range pairOf(t).ConvertStream(t.Context(), in) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	want := []map[string]any{{"by": "m"}, {"t": "a"}, {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values mismatch (-want +got):\n%s", diff)
	}
}
