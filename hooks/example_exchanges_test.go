package hooks_test

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// A log of what goes over the wire, of clients and upstreams alike: an exchange ends with a response or an error, which
// has the ID of its request.
func ExampleObserve_exchanges() {
	open := map[string]string{} // by ID; calls of one hook never overlap
	log := hooks.Observe("wire_log", func(_ context.Context, hc *hooks.Context) error {
		switch p := hc.Payload.(type) {
		case *hooks.HTTPRequest:
			open[p.ID] = p.Method + " " + p.URL
		case *hooks.HTTPResponse:
			fmt.Println(open[p.ID], p.Status, p.Header.Value("Content-Type"), p.Duration)
			delete(open, p.ID)
		case *hooks.HTTPError:
			fmt.Println(open[p.ID], "failed:", p.Err, p.Duration)
			delete(open, p.ID)
		}
		return nil
	}, hooks.EventHTTPRequest, hooks.EventHTTPResponse, hooks.EventHTTPError)
	var reg hooks.Registry
	if _, err := reg.Register(log, hooks.Options{Plugin: "wire_log"}); err != nil {
		fmt.Println(err)
		return
	}

	// The proxy emits these; no part of an address that may be a secret gets there.
	address := hooks.SafeURL(&url.URL{
		Scheme: "https", Host: "api.example.com", Path: "/v1/messages", RawQuery: "beta=true&api_key=canary",
	})
	for _, p := range []hooks.Payload{
		&hooks.HTTPRequest{ID: "1", Method: "POST", URL: address},
		&hooks.HTTPRequest{ID: "2", Method: "GET", URL: "https://api.example.com/v1/models"},
		&hooks.HTTPError{ID: "2", Err: "connection refused", Duration: 3 * time.Millisecond},
		&hooks.HTTPResponse{
			ID: "1", Status: 200, Duration: 80 * time.Millisecond,
			Header: hooks.SnapshotHeader(map[string][]string{"Content-Type": {"application/json"}}),
		},
	} {
		reg.Emit(hooks.Context{Payload: p})
	}
	_ = reg.Close(context.Background())
	fmt.Println("open:", len(open))
	// Output:
	// GET https://api.example.com/v1/models failed: connection refused 3ms
	// POST https://api.example.com/v1/messages?beta=true&api_key=[REDACTED] 200 application/json 80ms
	// open: 0
}

// A gauge of streams: each start has exactly one end, however the stream went.
func ExampleObserve_streams() {
	running, models := map[string]int{}, map[string]string{} // by model, and by request
	gauge := hooks.Observe("streams", func(_ context.Context, hc *hooks.Context) error {
		switch p := hc.Payload.(type) {
		case *hooks.ProviderStreamStart:
			models[hc.RequestID] = p.Model
			running[p.Model]++
			fmt.Println(hc.RequestID, p.Model, "begins:", running[p.Model], "running")
		case *hooks.ProviderStreamEnd:
			model := models[hc.RequestID]
			delete(models, hc.RequestID)
			running[model]--
			fmt.Println(hc.RequestID, model, "ends after", p.Chunks, "events:", running[model], "running")
		}
		return nil
	}, hooks.EventProviderStreamStart, hooks.EventProviderStreamEnd)
	var reg hooks.Registry
	if _, err := reg.Register(gauge, hooks.Options{Plugin: "streams"}); err != nil {
		fmt.Println(err)
		return
	}

	reg.Emit(hooks.Context{RequestID: "r1", Payload: &hooks.ProviderStreamStart{Model: "large"}}) // as the proxy does
	reg.Emit(hooks.Context{RequestID: "r2", Payload: &hooks.ProviderStreamStart{Model: "large"}})
	reg.Emit(hooks.Context{RequestID: "r1", Payload: &hooks.ProviderStreamEnd{Chunks: 12}})
	_ = reg.Close(context.Background())
	// Output:
	// r1 large begins: 1 running
	// r2 large begins: 2 running
	// r1 large ends after 12 events: 1 running
}
