package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test's own binary one of the measured processes where it is started as one.
func TestMain(m *testing.M) {
	if spec := os.Getenv(specVariable); spec != "" {
		exit(serveChild(context.Background(), spec, os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

// Every row runs, at the scale of a moment. Times are not judged then: the machine of a test has other work.
//
//nolint:paralleltest // each row would disturb the others
func TestRows(t *testing.T) {
	if testing.Short() {
		t.Skip("each row starts processes")
	}
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			if r.name == "S15" || r.name == "S17" {
				t.Skip("these are tests of the root package")
			}
			s := scales()["short"]
			s.lenient = true
			var out strings.Builder
			if !r.print(t.Context(), s, &out) {
				t.Error(out.String())
			}
			if !strings.HasPrefix(out.String(), r.name+" ") || !strings.HasSuffix(out.String(), "pass\n") {
				t.Errorf("printed %q", &out)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want int
		fail bool
	}{
		{"", len(rows()), false},
		{"S9", 1, false},
		{"s11,S4", 2, false},
		{"S99", 0, true},
	}
	for _, tt := range tests {
		got, err := choose(tt.name)
		if len(got) != tt.want || (err != nil) != tt.fail {
			t.Errorf("%q: %d rows, %v", tt.name, len(got), err)
		}
	}
}

// A row that fails says so and makes the program fail.
func TestFailingRow(t *testing.T) {
	t.Parallel()
	r := row{"S0", "nothing", func(scale) string { return "all" }, func(_ context.Context, _ scale, f *finding) error {
		f.figuref("%d of %d", 1, 2)
		f.failf("one is missing")
		return nil
	}}
	var out strings.Builder
	if r.print(t.Context(), scale{}, &out) {
		t.Error("it passed")
	}
	for _, want := range []string{"S0 ", "nothing", "target: all", "measured: 1 of 2", "FAIL\n", "one is missing\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in %q", want, &out)
		}
	}
	if err := run(t.Context(), []string{"-row", "S99"}, &out); err == nil {
		t.Error("a row that does not exist was run")
	}
}

// What a client counts of a stream is what was wrong with it.
func TestReadCounted(t *testing.T) {
	t.Parallel()
	event := func(name string) string { return `data: {"delta":{"text":"#` + name + `@1;"}}` + "\n\n" }
	const end = "event: message_stop\ndata: {}\n\n"
	all := event("7.0") + event("7.1") + event("7.2")
	tests := []struct {
		name, text                        string
		lost, doubled, reordered, foreign int
		broken                            bool
	}{
		{name: "whole", text: all + end},
		{name: "lost", text: event("7.0") + event("7.2") + end, lost: 1},
		{name: "doubled", text: all + event("7.1") + end, doubled: 1},
		{name: "out of order", text: event("7.1") + event("7.0") + event("7.2") + end, reordered: 1},
		{name: "of another", text: all + event("8.1") + end, foreign: 1},
		{name: "half a number", text: all + event("7.") + end, foreign: 1},
		{name: "no end", text: all, broken: true},
		{name: "said again", text: all + `data: {"text":"#7.0@1;#7.1@1;"}` + "\n\n" + end},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := readCounted(answerOf(tt.text), dialects()[0], order{id: 7, number: 3})
			if got.lost != tt.lost || got.doubled != tt.doubled || got.reordered != tt.reordered ||
				got.foreign != tt.foreign || (got.err != nil) != tt.broken {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func answerOf(text string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(text))}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	want := order{kind: kindCount, id: 3, number: 5, pause: 20e6}
	if got, err := parseOrder(want.model()); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := parseOrder("claude-fake-1"); err == nil {
		t.Error("any model is an order")
	}
}
