package adapters_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
)

var (
	pairAC = adapters.FormatPair{From: adapters.AnthropicMessages, To: adapters.OpenAIChatCompletions}
	pairCA = pairAC.Reverse()
	pairAR = adapters.FormatPair{From: adapters.AnthropicMessages, To: adapters.OpenAIResponses}
)

// nameOf tells which adapter was found; the tests register Funcs only.
func nameOf(t *testing.T, reg *adapters.Registry, pair adapters.FormatPair) string {
	t.Helper()
	a, err := reg.Lookup(pair)
	if err != nil {
		t.Fatal(err)
	}
	return a.(adapters.Funcs).Name
}

func register(t *testing.T, reg *adapters.Registry, r adapters.Registration) func() {
	t.Helper()
	unregister, err := reg.Register(r)
	if err != nil {
		t.Fatal(err)
	}
	return unregister
}

func TestRegisterPrecedence(t *testing.T) {
	t.Parallel()
	type entry struct {
		name, plugin string
		priority     int
	}
	tests := []struct {
		name    string
		entries []entry
		want    string
	}{
		{"lower priority", []entry{{"a", "p1", 50}, {"b", "p2", 40}}, "b"},
		{"default is 100", []entry{{"a", "p1", 101}, {"b", "p2", 0}, {"c", "p3", 100}}, "b"},
		{"core wins by priority", []entry{{"a", "p1", 50}, {"b", "", 40}}, "b"},
		{"plugin before core", []entry{{"a", "", 0}, {"b", "zz", 0}}, "b"},
		{"plugin name", []entry{{"a", "beta", 0}, {"b", "alpha", 0}}, "b"},
		{"same plugin, first stays", []entry{{"a", "p", 0}, {"b", "p", 0}}, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg adapters.Registry
			for _, e := range tt.entries {
				register(t, &reg, adapters.Registration{
					Pair: pairAC, Adapter: adapters.Funcs{Name: e.name}, Priority: e.priority, Plugin: e.plugin,
				})
			}
			if got := nameOf(t, &reg, pairAC); got != tt.want {
				t.Errorf("adapter in charge = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRegisterInvalid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		reg  adapters.Registration
	}{
		{"no adapter", adapters.Registration{Pair: pairAC}},
		{"no from", adapters.Registration{Pair: adapters.FormatPair{To: "x"}, Adapter: adapters.Funcs{}}},
		{"no to", adapters.Registration{Pair: adapters.FormatPair{From: "x"}, Adapter: adapters.Funcs{}}},
		{"equal", adapters.Registration{Pair: adapters.FormatPair{From: "x", To: "x"}, Adapter: adapters.Funcs{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg adapters.Registry
			if _, err := reg.Register(tt.reg); !errors.Is(err, adapters.ErrInvalid) {
				t.Errorf("Register = %v, want ErrInvalid", err)
			}
			if got := reg.Pairs(); len(got) != 0 {
				t.Errorf("registered all the same: %v", got)
			}
		})
	}
}

func TestUnregisterPutsNextInCharge(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	register(t, &reg, adapters.Registration{Pair: pairAC, Adapter: adapters.Funcs{Name: "core"}})
	unregister := register(t, &reg,
		adapters.Registration{Pair: pairAC, Adapter: adapters.Funcs{Name: "mine"}, Plugin: "p"})
	if got := reg.Owner(pairAC); got != "p" {
		t.Errorf("Owner = %q, want p", got)
	}
	unregister()
	unregister()
	if got := nameOf(t, &reg, pairAC); got != "core" {
		t.Errorf("adapter in charge = %q, want core", got)
	}
	if got := reg.Owner(pairAC); got != "" {
		t.Errorf("Owner = %q, want the core", got)
	}
}

func TestUnregisterLastForgetsPair(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	unregister := register(t, &reg, adapters.Registration{Pair: pairAC, Adapter: adapters.Funcs{}})
	unregister()
	if reg.Has(pairAC) || len(reg.Pairs()) != 0 || len(reg.Registrations()) != 0 {
		t.Errorf("pair is still there: %v", reg.Registrations())
	}
}

func TestLookupListsPairs(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	_, err := reg.Lookup(pairAC)
	if err == nil || !strings.Contains(err.Error(), "none registered") {
		t.Errorf("Lookup in an empty registry = %v", err)
	}
	for _, p := range []adapters.FormatPair{pairCA, pairAR, {From: "b", To: "a"}} {
		register(t, &reg, adapters.Registration{Pair: p, Adapter: adapters.Funcs{}})
	}
	_, err = reg.Lookup(pairAC)
	if !errors.Is(err, adapters.ErrNoAdapter) {
		t.Fatalf("Lookup = %v, want ErrNoAdapter", err)
	}
	want := "no format adapter for anthropic.messages->openai.chat_completions (available: " +
		"anthropic.messages->openai.responses, b->a, openai.chat_completions->anthropic.messages)"
	if err.Error() != want {
		t.Errorf("error = %q\nwant    %q", err, want)
	}
	place, ok := errors.AsType[*adapters.PairError](err)
	if !ok || place.Pair != pairAC {
		t.Errorf("error does not tell the pair: %#v", err)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	register(t, &reg, adapters.Registration{Pair: pairAC, Adapter: adapters.Funcs{}})
	got := reg.Missing([]adapters.FormatPair{pairCA, pairAC, pairAR})
	if diff := cmp.Diff([]adapters.FormatPair{pairCA, pairAR}, got); diff != "" {
		t.Errorf("Missing mismatch (-want +got):\n%s", diff)
	}
}

func TestRegistrationsInOrder(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	for _, r := range []adapters.Registration{
		{Pair: pairCA, Plugin: "p", Description: "d"},
		{Pair: pairAC},
		{Pair: pairAC, Plugin: "q", Priority: 7},
	} {
		r.Adapter = adapters.Funcs{}
		register(t, &reg, r)
	}
	var got []string
	for _, r := range reg.Registrations() {
		got = append(got, r.Pair.String()+" "+r.Plugin+" "+r.Description)
	}
	want := []string{
		"anthropic.messages->openai.chat_completions q ",
		"anthropic.messages->openai.chat_completions  ",
		"openai.chat_completions->anthropic.messages p d",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Registrations mismatch (-want +got):\n%s", diff)
	}
}

func TestConflictIsLogged(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	var reg adapters.Registry
	reg.SetLogger(slog.New(slog.NewTextHandler(&b, nil)))
	register(t, &reg, adapters.Registration{Pair: pairAC, Adapter: adapters.Funcs{}})
	if b.Len() != 0 {
		t.Errorf("a first adapter is no conflict: %s", b.String())
	}
	register(t, &reg, adapters.Registration{
		Pair: pairAC, Adapter: adapters.Funcs{}, Plugin: "mine", Priority: 40,
	})
	for _, want := range []string{
		"pair=anthropic.messages->openai.chat_completions", "used=mine", "used_priority=40",
		"set_aside=core", "set_aside_priority=100",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("log lacks %q: %s", want, b.String())
		}
	}
	b.Reset()
	register(t, &reg, adapters.Registration{Pair: pairAC, Adapter: adapters.Funcs{}, Plugin: "late"})
	if got := b.String(); !strings.Contains(got, "used=mine") || !strings.Contains(got, "set_aside=late") {
		t.Errorf("log of a losing registration: %s", got)
	}
}

func TestRegistryConcurrently(t *testing.T) {
	t.Parallel()
	var reg adapters.Registry
	register(t, &reg, adapters.Registration{Pair: pairAC, Adapter: adapters.Funcs{Name: "core"}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				unregister, err := reg.Register(
					adapters.Registration{Pair: pairAC, Adapter: adapters.Funcs{}, Plugin: "p"})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := reg.Lookup(pairAC); err != nil {
					t.Error(err)
				}
				reg.Registrations()
				unregister()
			}
		})
	}
	wg.Wait()
	if got := nameOf(t, &reg, pairAC); got != "core" {
		t.Errorf("adapter in charge = %q, want core", got)
	}
}
