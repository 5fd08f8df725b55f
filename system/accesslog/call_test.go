package accesslog

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// lines feeds a plugin with events of one request, a second apart, and returns the lines of calls.
func lines(t *testing.T, f Format, events ...hooks.Payload) []string {
	t.Helper()
	var out strings.Builder
	p := &plugin{provider: &sink{format: f, out: &out}, cfg: DefaultConfig()}
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, e := range events {
		hc := &hooks.Context{Event: e.Event(), Time: at, RequestID: "r1", Provider: "claude", Payload: e}
		if err := p.observe(context.Background(), hc); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Second)
	}
	if n := len(p.calls.open); n != 0 {
		t.Errorf("%d calls are still kept", n)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func prepared(attempt int) *hooks.ProviderRequestPrepared {
	return &hooks.ProviderRequestPrepared{
		Method: "POST", URL: "https://api.example.com/v1/messages?beta=true", Model: "m", Attempt: attempt,
	}
}

// TestCalls has a request that needs three calls: one that is refused, one of which no end is told, and a stream.
func TestCalls(t *testing.T) {
	t.Parallel()
	usage := &hooks.Usage{InputTokens: 7, OutputTokens: 8, CacheReadInputTokens: 9, CacheCreationInputTokens: 10}
	events := []hooks.Payload{
		prepared(1), &hooks.ProviderResponseReceived{Status: 429},
		&hooks.ProviderError{Status: 429, Type: "rate_limit_error", Attempt: 1, Retrying: true},
		prepared(2), prepared(3), &hooks.ProviderResponseReceived{Status: 200},
		&hooks.ProviderStreamEnd{Bytes: 321, Usage: usage, Complete: true},
		&hooks.RequestCompleted{Status: 200, Usage: usage},
	}
	want := map[Format][]string{
		FormatStructured: {
			`{"timestamp":"2000-01-01T00:00:00Z","request_id":"r1","provider":"claude","method":"POST",` +
				`"url":"https://api.example.com/v1/messages?beta=true","status_code":429,"duration_ms":2000,"model":"m",` +
				`"attempt":1,"error":"rate_limit_error"}`,
			`{"timestamp":"2000-01-01T00:00:03Z","request_id":"r1","provider":"claude","method":"POST",` +
				`"url":"https://api.example.com/v1/messages?beta=true","duration_ms":1000,"model":"m","attempt":2}`,
			`{"timestamp":"2000-01-01T00:00:04Z","request_id":"r1","provider":"claude","method":"POST",` +
				`"url":"https://api.example.com/v1/messages?beta=true","status_code":200,"duration_ms":3000,` +
				`"tokens_input":7,"tokens_output":8,"cache_read_tokens":9,"cache_write_tokens":10,"model":"m","attempt":3}`,
		},
		FormatCommon: {
			`api.example.com - - [01/Jan/2000:00:00:00 +0000] "POST /v1/messages?beta=true HTTP/1.1" 429 -`,
			`api.example.com - - [01/Jan/2000:00:00:03 +0000] "POST /v1/messages?beta=true HTTP/1.1" - -`,
			`api.example.com - - [01/Jan/2000:00:00:04 +0000] "POST /v1/messages?beta=true HTTP/1.1" 200 321`,
		},
	}
	for f, w := range want {
		if diff := cmp.Diff(w, lines(t, f, events...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
	}
	combined := lines(t, FormatCombined, events...)[2]
	if want := want[FormatCommon][2] + ` "-" "-"`; combined != want {
		t.Errorf("combined = %s, want %s", combined, want)
	}
}

// TestCallsOfAccounts has a request whose provider has tried three accounts by itself: one that has no credentials, so that
// nobody was called, one that was refused, and one that was not.
func TestCallsOfAccounts(t *testing.T) {
	t.Parallel()
	refused := &hooks.ProviderError{Status: 429, Err: "refused", Attempt: 1, Retrying: true}
	for name, last := range map[string][]hooks.Payload{
		"answered": {
			&hooks.ProviderResponseReceived{Status: 200, Attempt: 2}, &hooks.RequestCompleted{Status: 200, Attempts: 2},
		},
		"canceled":     {&hooks.RequestFailed{Status: 499, ClientGone: true, Err: "gone", Attempts: 2}},
		"nobody asked": {&hooks.RequestFailed{Status: 499, ClientGone: true, Err: "gone", Attempts: 1}},
	} {
		events := append([]hooks.Payload{prepared(1), &hooks.ProviderError{Err: "no credentials", Retrying: true}, refused}, last...)
		type line struct {
			Status  int    `json:"status_code"`
			Attempt int    `json:"attempt"`
			Error   string `json:"error"`
		}
		var got []line
		for _, text := range lines(t, FormatStructured, events...) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatalf("%s: %q: %v", name, text, err)
			}
			got = append(got, l)
		}
		want := map[string][]line{
			"answered":     {{429, 1, "refused"}, {200, 2, ""}},
			"canceled":     {{429, 1, "refused"}, {0, 2, "gone"}},
			"nobody asked": {{429, 1, "refused"}},
		}[name]
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestCallFails has a call that is not answered, and one whose client leaves.
func TestCallFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		events []hooks.Payload
		err    string
	}{
		{"no answer", []hooks.Payload{
			&hooks.ProviderError{Err: "connection refused"}, &hooks.RequestFailed{Status: 502, Err: "bad gateway"},
		}, "connection refused"},
		{"client gone", []hooks.Payload{&hooks.RequestFailed{Status: 499, Err: "client went away"}}, "client went away"},
	} {
		got := lines(t, FormatStructured, append([]hooks.Payload{prepared(1)}, tt.events...)...)
		var line struct {
			Status int    `json:"status_code"`
			Error  string `json:"error"`
		}
		if err := json.Unmarshal([]byte(got[0]), &line); err != nil || len(got) != 1 {
			t.Fatalf("%s: lines %q, %v", tt.name, got, err)
		}
		if line.Error != tt.err || line.Status != 0 {
			t.Errorf("%s: line says %+v, want no status and %q", tt.name, line, tt.err)
		}
	}
}

// TestCallsAreBounded begins calls whose end is never told.
func TestCallsAreBounded(t *testing.T) {
	t.Parallel()
	var cs calls
	for i := range maxCalls + 10 {
		cs.observe(&hooks.Context{RequestID: string(rune('a'+i%26)) + time.Duration(i).String(), Payload: prepared(1)})
	}
	if len(cs.open) != maxCalls || cs.skipped.Load() != 10 {
		t.Errorf("%d calls are kept and %d skipped, want %d and 10", len(cs.open), cs.skipped.Load(), maxCalls)
	}
	p := &plugin{provider: &sink{}}
	p.calls.skipped.Store(10)
	if h := p.HealthCheck(t.Context()); h.Details["calls_without_line"] != int64(10) {
		t.Errorf("health = %+v, want 10 calls without a line", h)
	}
}

// TestEventsWithoutPayload is what a careless plugin may emit.
func TestEventsWithoutPayload(t *testing.T) {
	t.Parallel()
	var cs calls
	for _, p := range []hooks.Payload{
		(*hooks.ProviderRequestPrepared)(nil), (*hooks.ProviderResponseReceived)(nil), (*hooks.ProviderError)(nil),
		(*hooks.ProviderStreamEnd)(nil), (*hooks.RequestCompleted)(nil), (*hooks.RequestFailed)(nil), nil,
	} {
		cs.observe(&hooks.Context{RequestID: "r", Payload: prepared(1)})
		cs.observe(&hooks.Context{RequestID: "r", Payload: p})
	}
}
