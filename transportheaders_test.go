package ccproxy_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// What a client of the same process sends under a name in lower case is what a server would have made of it.
func TestTransportHeaderNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	for _, name := range []string{"Anthropic-Beta", "anthropic-beta"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x"+messagesPath, strings.NewReader(wholeBody))
		req.Header = http.Header{name: {"context-1m-2025-08-07"}, "content-type": {"application/json"}}
		resp, err := r.proxy.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if got := r.last(t).Header.Get("Anthropic-Beta"); !strings.Contains(got, "context-1m") {
			t.Errorf("%s: the upstream got %q", name, got)
		}
	}
}

// …and a credential under such a name is one, too.
func TestTransportCredentials(t *testing.T) {
	t.Parallel()
	var got http.Header
	p := headerSeer{func(h http.Header) { got = h }}
	proxy := running(t, ccproxy.Settings{}, []ccproxy.Factory{plain(ccproxy.Manifest{Name: "seer", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
		Formats: []adapters.Format{adapters.AnthropicMessages},
		New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return p, nil },
	}}})})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/seer/v1/messages", strings.NewReader(wholeBody))
	req.Header = http.Header{"x-api-key": {"sk-client-secret"}, "cookie": {"session=1"}, "X-Api-Key": {"sk-client-secret"}}
	resp, err := proxy.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Log(got)
	for name, values := range got {
		if strings.Contains(strings.Join(values, ""), "secret") || strings.Contains(values[0], "session") {
			t.Errorf("the provider is given %s: %v", name, values)
		}
	}
}

// A client of the same process that closes a stream at its last event has had all of it.
func TestTransportClosesAtTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	r.upstream.Enqueue(providertest.Stream(providertest.Bytes(spareStream + ": bye\n\n")))
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x"+messagesPath, strings.NewReader(streamBody))
	resp, err := r.proxy.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, len(spareStream))); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if end, ok := (<-r.ends).(*hooks.RequestFailed); ok {
		t.Errorf("failed with %d: %s", end.Status, end.Err)
	}
}

type headerSeer struct{ see func(http.Header) }

func (s headerSeer) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }
func (s headerSeer) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	s.see(call.Header)
	return &ccproxy.Answer{Body: io.NopCloser(strings.NewReader(spareWhole))}, nil
}
