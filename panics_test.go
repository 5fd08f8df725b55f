package ccproxy_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
)

type panicking struct{}

func (panicking) Models(context.Context) ([]ccproxy.Model, error) { panic("models") }

func (panicking) Do(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) { panic("do") }

// wild is a plugin whose provider and routes panic at different moments.
func wild() ccproxy.Factory {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("when") {
		case "begun":
			w.WriteHeader(http.StatusOK)
		case "written":
			_, _ = io.WriteString(w, "half")
		case "hijacker":
			if _, ok := w.(http.Hijacker); !ok {
				panic("no hijacker")
			}
			return
		}
		panic("route")
	})
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "wild", Kind: ccproxy.KindProvider,
		Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.AnthropicMessages},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return panicking{}, nil },
		}},
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/wildlife", Endpoints: []ccproxy.Endpoint{{Pattern: "/{when}"}},
			New: func(*ccproxy.PluginContext) (http.Handler, error) { return handler, nil },
		}},
	}, nil)
}

// A panic before anything was sent is a real 500; after that, the answer is broken off and never looks whole.
func TestPanicsOverTheWire(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(running(t, ccproxy.Settings{}, []ccproxy.Factory{wild()}))
	t.Cleanup(srv.Close)
	tests := []struct {
		path, body string
		want       string // in the 500's body; empty: the answer must break off
	}{
		{"/wild/v1/messages", `{"model":"m"}`, `{"type":"error","error":{"type":"api_error"`},
		{"/wild/v1/models", "", `"error"`},
		{"/wildlife/early", "", `{"error":{"type":`},
		{"/wildlife/begun", "", ""},
		{"/wildlife/written", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			method := http.MethodGet
			if tt.body != "" {
				method = http.MethodPost
			}
			req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				if tt.want != "" {
					t.Fatalf("no answer: %v", err)
				}
				return
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if tt.want == "" {
				if err == nil {
					t.Errorf("%d %q looks whole", resp.StatusCode, got)
				}
				return
			}
			if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(string(got), tt.want) || err != nil {
				t.Errorf("%d %q, %v, want 500 with %s", resp.StatusCode, got, err, tt.want)
			}
		})
	}
}

// Libraries for WebSockets look for an http.Hijacker.
func TestWriterHijacks(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(running(t, ccproxy.Settings{}, []ccproxy.Factory{wild()}))
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/wildlife/hijacker", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d, want 200", resp.StatusCode)
	}
}

// reckless is a provider that fails in its own ways, by the model that it is asked for.
type reckless struct{}

func (reckless) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }

func (reckless) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	switch call.Model {
	case "body":
		return &ccproxy.Answer{Body: io.NopCloser(panickingReader{})}, nil
	case "events":
		return &ccproxy.Answer{Events: func(func(adapters.Event, error) bool) { panic("events") }}, nil
	case "status":
		return &ccproxy.Answer{Status: 1000, Body: io.NopCloser(strings.NewReader(`{"a":1}`))}, nil
	case "late events":
		return &ccproxy.Answer{Events: func(yield func(adapters.Event, error) bool) {
			yield(adapters.Event{Type: "message_start", Data: []byte(`{"type":"message_start"}`)}, nil)
			panic("late events")
		}}, nil
	}
	panic(call.Model)
}

type panickingReader struct{}

func (panickingReader) Read([]byte) (int, error) { panic("body") }

func recklessFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "reckless", Kind: ccproxy.KindProvider,
		Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{
				adapters.AnthropicMessages, adapters.OpenAIChatCompletions, adapters.OpenAIResponses,
			},
			New: func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return reckless{}, nil },
		}},
	}, nil)
}

// received is a whole answer.
func received(t *testing.T, resp *http.Response) *httptest.ResponseRecorder {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("the answer breaks off after %q: %v", body, err)
	}
	rec := httptest.NewRecorder()
	maps.Copy(rec.Header(), resp.Header)
	rec.WriteHeader(resp.StatusCode)
	_, _ = rec.Write(body)
	return rec
}

// ways are the clients of a proxy: over HTTP/1, over HTTP/2, and in the same process.
func ways(t *testing.T, p *ccproxy.Proxy) map[string]*http.Client {
	t.Helper()
	return map[string]*http.Client{
		"HTTP/1":     newHost(t, p, false).client,
		"HTTP/2":     newHost(t, p, true).client,
		"in process": {Transport: p.Transport()},
	}
}

// A provider that panics before the client was sent anything is a 500 in the client's own dialect, and hooks see a
// failure with that status.
func TestPanicsInTheDialect(t *testing.T) {
	t.Parallel()
	dialects := []struct {
		path, typ string
		shape     dialect
	}{
		{"/reckless/v1/messages", "api_error", anthropicDialect},
		{"/reckless/v1/chat/completions", "server_error", openAIDialect},
		{"/reckless/v1/responses", "server_error", openAIDialect},
	}
	r := newRig(t, rigSetup{plugins: []ccproxy.Factory{recklessFactory()}})
	for way, client := range ways(t, r.proxy) {
		for _, model := range []string{"do", "body", "events", "status"} {
			if model == "status" && way == "in process" {
				continue // there is no net/http that refuses it
			}
			for _, d := range dialects {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://proxy"+d.path,
					strings.NewReader(`{"model":"`+model+`"}`))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Errorf("%s, %s, %s: %v", way, model, d.path, err)
					r.failed(t)
					continue
				}
				wantError(t, received(t, resp), d.shape, http.StatusInternalServerError, d.typ, "internal error")
				if end := r.failed(t); end.Status != http.StatusInternalServerError || end.Err == "" || end.ClientGone {
					t.Errorf("%s, %s, %s: request.failed = %+v", way, model, d.path, end)
				}
			}
		}
	}
}

// A stream whose provider panics ends with an error in the client's dialect, and hooks see that it has ended.
func TestPanicInTheStream(t *testing.T) {
	t.Parallel()
	ends := make(chan *hooks.ProviderStreamEnd, 8)
	r := newRig(t, rigSetup{
		plugins: []ccproxy.Factory{recklessFactory()},
		hooks: []hooks.Hook{hooks.Observe("stream ends", func(_ context.Context, hc *hooks.Context) error {
			end, _ := hc.Payload.(*hooks.ProviderStreamEnd)
			ends <- end
			return nil
		}, hooks.EventProviderStreamEnd)},
	})
	terminal := map[string]string{
		"/reckless/v1/messages":         `event: error` + "\n",
		"/reckless/v1/chat/completions": `data: {"error":`,
		"/reckless/v1/responses":        `"type":"response.failed"`,
	}
	for way, client := range ways(t, r.proxy) {
		for path, want := range terminal {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://proxy"+path,
				strings.NewReader(`{"model":"late events","stream":true}`))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got := received(t, resp)
			if n := strings.Count(got.Body.String(), want); got.Code != http.StatusOK || n != 1 {
				t.Errorf("%s, %s: %d %q has %d terminal events", way, path, got.Code, got.Body, n)
			}
			if end := r.failed(t); end.Err == "" || end.ErrorType == "" {
				t.Errorf("%s, %s: request.failed = %+v", way, path, end)
			}
			if end := <-ends; end.Complete || end.Err == "" {
				t.Errorf("%s, %s: provider.stream.end = %+v", way, path, end)
			}
		}
	}
}

// What a client has of an answer whose handler panics is never taken for all of it.
func TestPanicInTheAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{plugins: []ccproxy.Factory{wild()}})
	for way, client := range ways(t, r.proxy) {
		for _, path := range []string{"/wildlife/begun", "/wildlife/written"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://proxy"+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := client.Do(req); err == nil {
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err == nil {
					t.Errorf("%s, %s: %d %q looks whole", way, path, resp.StatusCode, got)
				}
			}
			r.failed(t)
		}
	}
}

// What described an answer that a panic has ended does not describe the error in its place.
func TestPanicAfterHeaders(t *testing.T) {
	t.Parallel()
	m := ccproxy.Manifest{Name: "zipper", Routes: []ccproxy.RouteSpec{{
		Prefix: "/zip", Endpoints: []ccproxy.Endpoint{{Method: "GET", Pattern: "/x"}},
		New: func(*ccproxy.PluginContext) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				w.Header().Set("Cache-Control", "public, max-age=86400")
				w.Header().Set("ETag", `"of the report"`)
				panic("before the first byte")
			}), nil
		},
	}}}
	r := newRig(t, rigSetup{plugins: []ccproxy.Factory{plain(m)}})
	rec := r.do(t, http.MethodGet, "/zip/x", nil, nil)
	if rec.Code != 500 {
		t.Fatal(rec.Code, rec.Body)
	}
	for _, name := range []string{"Content-Encoding", "Cache-Control", "Etag"} {
		if v := rec.Header().Get(name); v != "" {
			t.Errorf("the error %s is sent with %s: %s", rec.Body, name, v)
		}
	}
}
