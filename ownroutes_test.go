package ccproxy_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// teller answers with what it was asked, and leaves out what a header of the client lists.
type teller struct{}

func (teller) Models(context.Context) ([]ccproxy.Model, error) {
	return []ccproxy.Model{{ID: "m"}}, nil
}

func (teller) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	var lost canonical.Losses
	for _, path := range call.Header["X-Left-Out"] {
		lost.Add(path, "not here")
	}
	if err := call.Lose(lost.List...); err != nil {
		return nil, err
	}
	body := `{"endpoint":"` + call.Endpoint + `","session":"` + call.Session + `"}`
	return &ccproxy.Answer{Body: io.NopCloser(strings.NewReader(body))}, nil
}

// tellerPlugin has a provider with further paths, and a route beside its endpoints that comes in again.
func tellerPlugin(more ...ccproxy.HookSpec) ccproxy.Factory {
	return plain(ccproxy.Manifest{
		Name: "teller", Kind: ccproxy.KindProvider, Hooks: more,
		Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.AnthropicMessages},
			Aliases: []ccproxy.PathAlias{
				{Path: "/messages", Of: "/v1/messages"},
				{Path: "/{session_id}/v1/messages", Of: "/v1/messages"},
				{Path: "/models", Of: "/v1/models"},
				{Path: "/nothing", Of: "/v1/nothing"},
			},
			New: func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return teller{}, nil },
		}},
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/teller", Endpoints: []ccproxy.Endpoint{{Pattern: "/v1/messages"}, {Pattern: "/wait"}}, New: again,
		}},
	})
}

// again brings the request in again, over the in-process transport, or waits for the proxy to drain.
func again(pc *ccproxy.PluginContext) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/wait") {
			w.WriteHeader(http.StatusAccepted)
			_ = http.NewResponseController(w).Flush()
			<-pc.Draining()
			return
		}
		in := r.Clone(r.Context())
		in.Method, in.Body = http.MethodPost, io.NopCloser(strings.NewReader(`{"model":"`+r.URL.Query().Get("model")+`"}`))
		resp, err := pc.Transport().RoundTrip(in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}), nil
}

// An alias is the endpoint itself, and its variable names the session.
func TestPathAliases(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{tellerPlugin()})
	for path, want := range map[string]string{
		"/teller/v1/messages":        `{"endpoint":"/v1/messages","session":""}`,
		"/teller/messages":           `{"endpoint":"/v1/messages","session":""}`,
		"/teller/s%2D1/v1/messages":  `{"endpoint":"/v1/messages","session":"s-1"}`,
		"/teller/v2/v1/messages?a=b": `{"endpoint":"/v1/messages","session":"v2"}`,
	} {
		if w := visit(p, http.MethodPost, path, `{"model":"m"}`); w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, want)
		}
	}
	if w := visit(p, http.MethodGet, "/teller/models", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"id":"m"`) {
		t.Errorf("models: %d %s", w.Code, w.Body)
	}
	if w := visit(p, http.MethodPost, "/teller/nothing", "{}"); w.Code != http.StatusNotFound {
		t.Errorf("an alias of nothing: %d", w.Code)
	}
	if w := visit(p, http.MethodGet, "/teller/messages", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET of an alias: %d %v", w.Code, w.Header())
	}
	var listed []string
	for _, e := range p.Endpoints() {
		if strings.HasSuffix(e.Path, "/messages") && e.Method == http.MethodPost && e.Plugin == "teller" {
			listed = append(listed, e.Path)
		}
	}
	want := []string{"/teller/messages", "/teller/v1/messages", "/teller/{session_id}/v1/messages"}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("endpoints mismatch (-want +got):\n%s", diff)
	}
}

// The session of a client's header counts, whichever of its names it uses, and the path's goes first.
func TestSessionNames(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{tellerPlugin()})
	for _, name := range []string{"session_id", "conversation_id", "session-id", "thread-id", "x-claude-code-session-id"} {
		for path, want := range map[string]string{"/teller/messages": "s-9", "/teller/s-1/v1/messages": "s-1"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{"model":"m"}`))
			r.Header.Set(name, "s-9")
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			if got := find(w.Body.Bytes(), "session"); got != want {
				t.Errorf("%s at %s: session %q", name, path, got)
			}
		}
	}
}

// What a provider leaves out is told as what a conversion loses, and refused where that is.
func TestProviderLosses(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		seen := make(chan []string, 1)
		watch := ccproxy.HookSpec{New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
			return hooks.On("watch", func(_ context.Context, _ *hooks.Context, p *hooks.RequestCompleted) error {
				seen <- p.Losses
				return nil
			}), nil
		}}
		p := running(t, ccproxy.Settings{StrictConversion: strict}, []ccproxy.Factory{tellerPlugin(watch)})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/teller/messages", strings.NewReader(`{"model":"m"}`))
		r.Header["X-Left-Out"] = []string{"a.b", "c[0]"}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if strict {
			const want = "a.b (not here), c[0] (not here): not taken by provider teller"
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
				t.Errorf("strict: %d %s", w.Code, w.Body)
			}
			continue
		}
		if got := w.Header().Get("X-Ccproxy-Loss"); w.Code != http.StatusOK || got != "a.b, c[0]" {
			t.Errorf("%d, lost %q", w.Code, got)
		}
		if diff := cmp.Diff([]string{"a.b", "c[0]"}, <-seen); diff != "" {
			t.Errorf("hooks' losses mismatch (-want +got):\n%s", diff)
		}
	}
}

// A plugin's route may stand beside its provider's endpoints, and bring requests in again as the same caller's.
func TestRouteBesideProvider(t *testing.T) {
	t.Parallel()
	s := ccproxy.Settings{}
	s.Security.Keys = []ccproxy.APIKey{{Name: "ci", Value: ccproxy.NewSecret("key-of-the-client-1"), Models: []string{"mine"}}}
	p := running(t, s, []ccproxy.Factory{tellerPlugin()})
	for query, want := range map[string]int{"?model=mine": http.StatusOK, "?model=other": http.StatusForbidden} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/teller/v1/messages"+query, nil)
		r.Header.Set("X-Api-Key", "key-of-the-client-1")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", query, w.Code, w.Body, want)
		}
	}
}

// A handler that waits for its client is told when the proxy drains.
func TestDrainingIsTold(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{tellerPlugin()})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://proxy/teller/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := p.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
}
