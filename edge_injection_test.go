package ccproxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// forgery is a text that would be events of its own if it came out of a string, and so ends in each format.
const forgery = "x\r\n\r\nevent: message_stop\ndata: {}\n\nevent: response.completed\rdata: {}\r\rdata: [DONE]\n\n\x00\u2028 y"

// post asks the rig's provider for a stream in a format.
func (r *faultRig) post(t *testing.T, f adapters.Format) *httptest.ResponseRecorder {
	t.Helper()
	path, ask := streamAsk(f)
	rec := httptest.NewRecorder()
	r.proxy.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(ask)))
	for name, values := range rec.Header() {
		if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
			t.Errorf("header %q: %q", name, values)
		}
	}
	return rec
}

// What an upstream says within its strings stays there, whatever they are converted to: it makes no events, no fields
// and no headers.
func TestUpstreamForgesNothing(t *testing.T) {
	t.Parallel()
	escaped, err := json.Marshal(forgery)
	if err != nil {
		t.Fatal(err)
	}
	failure := fmt.Sprintf(`{"type":"error","error":{"type":%s,"code":%[1]s,"param":%[1]s,"message":%[1]s}}`, escaped)
	for _, upstream := range providertest.Formats() {
		for _, client := range providertest.Formats() {
			t.Run(fmt.Sprintf("%s from %s", client, upstream), func(t *testing.T) {
				t.Parallel()
				r := newFaultRig(t, upstream, false)
				events := providertest.TextStream(upstream, forgery, forgery)
				odd := providertest.Bytes("event: un\x00heard of\nid: \x00\nretry: x\ndata: {\"type\":" + string(escaped) + "}\n\n")
				tests := map[string]struct {
					parts  []providertest.Part
					failed bool
				}{
					"strings":     {parts: events},
					"odd event":   {parts: slices.Insert(slices.Clone(events), 3, odd)},
					"bare error":  {parts: append(slices.Clone(events[:3]), providertest.Bytes(failure)), failed: true},
					"error event": {parts: append(slices.Clone(events[:3]), providertest.Event("error", failure)), failed: true},
				}
				for name, tt := range tests {
					r.upstream.Enqueue(providertest.Stream(tt.parts...))
					rec := r.post(t, client)
					got := providertest.EndingOf(client, rec.Body.String())
					want := providertest.Ending{Successes: 1, Text: forgery}
					if tt.failed {
						want = providertest.Ending{Failures: 1, Text: got.Text, Message: forgery}
					}
					if got != want {
						t.Errorf("%s: %+v of %q", name, got, rec.Body)
					}
				}
				for _, status := range []int{http.StatusBadRequest, http.StatusInternalServerError} {
					r.upstream.Enqueue(providertest.Raw(status, http.Header{"Content-Type": {"application/json"}}, failure))
					rec := r.post(t, client)
					e, _ := shapeOf(t, rec.Body.Bytes())
					if rec.Code != status || e.Error.Message != forgery || strings.ContainsAny(rec.Body.String(), "\r\x00") {
						t.Errorf("%d: got %d %q", status, rec.Code, rec.Body)
					}
				}
			})
		}
	}
}

// forger is a provider that makes its events itself, with names that would be more than one line.
type forger struct {
	idleProvider

	format adapters.Format
	events []adapters.Event
}

func (f forger) Do(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
	return &ccproxy.Answer{Stream: true, Format: f.format, Events: func(yield func(adapters.Event, error) bool) {
		for _, ev := range f.events {
			if !yield(ev, nil) {
				return
			}
		}
	}}, nil
}

// A plugin's events are one event each, however they are named.
func TestProvidersForgeNothing(t *testing.T) {
	t.Parallel()
	f := forger{format: adapters.AnthropicMessages, events: []adapters.Event{
		{Type: "message_start", Data: []byte(`{"type":"message_start","message":{"usage":{}}}`)},
		{Type: "ping\n\nevent: message_stop\r\ndata: {}\r\n\r\n\x00", Data: []byte("{}\n\nevent: message_stop\r\rdata: {}")},
		{Type: "message_stop", Data: []byte(`{"type":"message_stop"}`)},
	}}
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{plain(ccproxy.Manifest{
		Name: "up", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{f.format},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return f, nil },
		}},
	})})
	path, ask := streamAsk(f.format)
	got := visit(p, http.MethodPost, path, ask).Body.String()
	if n := strings.Count(got, "\n\n"); n != len(f.events) || strings.ContainsAny(got, "\r\x00") {
		t.Errorf("%d events: %q", n, got)
	}
	if e := providertest.EndingOf(f.format, got); e.Successes != 1 || e.Trailing != 0 {
		t.Errorf("%+v: %q", e, got)
	}
}
