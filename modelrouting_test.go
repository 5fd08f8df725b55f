package ccproxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// shelf is a provider with a list of models, which answers with what it was asked for.
type shelf struct {
	name    string
	formats []adapters.Format // defaults to Anthropic's
	rules   []ccproxy.ModelRule
	cards   []ccproxy.Model
	list    func(context.Context) ([]ccproxy.Model, error)

	mu    sync.Mutex
	calls []ccproxy.Call
	lists int
}

// models is a list of these.
func models(ids ...string) func(context.Context) ([]ccproxy.Model, error) {
	var list []ccproxy.Model
	for _, id := range ids {
		list = append(list, ccproxy.Model{ID: id})
	}
	return func(context.Context) ([]ccproxy.Model, error) { return list, nil }
}

func (s *shelf) Models(ctx context.Context) ([]ccproxy.Model, error) {
	s.mu.Lock()
	s.lists++
	s.mu.Unlock()
	if s.list == nil {
		return nil, nil
	}
	return s.list(ctx)
}

func (s *shelf) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	s.mu.Lock()
	s.calls = append(s.calls, *call)
	s.mu.Unlock()
	body := `{"type":"message","model":"` + call.Model + `","content":[],"usage":{}}`
	if call.Format != adapters.AnthropicMessages {
		body = `{"object":"chat.completion","model":"` + call.Model + `","choices":[{"index":0,"message":` +
			`{"role":"assistant","content":"x"},"finish_reason":"stop"}]}`
	}
	return &ccproxy.Answer{
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func (s *shelf) factory() ccproxy.Factory {
	formats := s.formats
	if formats == nil {
		formats = []adapters.Format{adapters.AnthropicMessages}
	}
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: strings.ReplaceAll(s.name, "/", "_"), Kind: ccproxy.KindProvider,
		Providers: []ccproxy.ProviderSpec{{
			Name: s.name, Formats: formats, ModelRules: s.rules, Models: s.cards,
			New: func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return s, nil },
		}},
	}, nil)
}

// took are "provider model" of the calls since the last time.
func took(shelves ...*shelf) []string {
	var out []string
	for _, s := range shelves {
		s.mu.Lock()
		for _, c := range s.calls {
			out = append(out, s.name+" "+c.Model)
		}
		s.calls = nil
		s.mu.Unlock()
	}
	return out
}

func factoriesOf(shelves ...*shelf) []ccproxy.Factory {
	var out []ccproxy.Factory
	for _, s := range shelves {
		out = append(out, s.factory())
	}
	return out
}

func asks(model string) string {
	name, _ := json.Marshal(model)
	return `{"model":` + string(name) + `,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`
}

const chat = adapters.OpenAIChatCompletions

// The model of a request says whose it is, where its path does not.
//
//nolint:paralleltest,tparallel // the cases share the providers
func TestRoutingByModel(t *testing.T) {
	t.Parallel()
	claude := &shelf{
		name: "claude", list: models("claude-1", "both", "mapped"),
		rules: []ccproxy.ModelRule{{Match: "gpt-", Kind: "prefix", Target: "claude-1"}},
	}
	sdk := &shelf{name: "claude/sdk", list: models("own")}
	open := &shelf{name: "open", formats: []adapters.Format{chat}, list: models("gpt-4", "both", "claude/odd", "org/model")}
	down := &shelf{name: "down", list: func(context.Context) ([]ccproxy.Model, error) { return nil, errPlanned }}
	all := []*shelf{claude, sdk, open, down}
	p := running(t, ccproxy.Settings{ModelMappings: map[string][]ccproxy.ModelRule{
		"open": {{Match: "mapped", Target: "gpt-4"}, {Match: "twice", Target: "gpt-4"}, {Match: "alias", Target: "hidden"}},
		"down": {{Match: "twice", Target: "x"}},
	}}, factoriesOf(all...))
	tests := []struct {
		model  string
		took   string // "provider model", or what the error names
		status int
	}{
		{"claude-1", "claude claude-1", 200},
		{"gpt-4", "open gpt-4", 200},
		{"claude/claude-1", "claude claude-1", 200},
		{"open/both", "open both", 200},
		{"claude/both", "claude both", 200},
		{"claude/unlisted", "claude unlisted", 200},
		{"claude/sdk/x", "claude/sdk x", 200},
		{"claude/sdk", "claude sdk", 200},
		{"own", "claude/sdk own", 200},
		{"org/model", "open org/model", 200},
		{"claude/odd", "claude odd", 200},
		{"open/claude/odd", "open claude/odd", 200},
		{"open/open/x", "open open/x", 200},
		{"mapped", "open gpt-4", 200},
		{"claude/mapped", "claude mapped", 200},
		{"open/alias", "open hidden", 200},
		{"down/any", "down any", 200},
		{"gpt-5", "claude claude-1", 200}, // a rule of the provider's own, since nobody lists it
		{"both", "claude and open", 400},
		{"twice", "down and open", 400},
		{"none", "claude/none", 404},
		{"open/", "claude, claude/sdk, down, open", 404},
		{"Claude/x", "model_mappings", 404},
		{"", "model: is required", 400},
	}
	for _, test := range tests {
		t.Run(test.model, func(t *testing.T) {
			rec := visit(p, http.MethodPost, "/v1/messages", asks(test.model))
			got := took(all...)
			if test.status == http.StatusOK {
				if diff := cmp.Diff([]string{test.took}, got); diff != "" || rec.Code != test.status {
					t.Errorf("%d %s\n%s", rec.Code, rec.Body, diff)
				}
				if !strings.Contains(rec.Body.String(), `"model":"`+test.model+`"`) {
					t.Errorf("the client does not see its name of the model: %s", rec.Body)
				}
				return
			}
			typ := map[int]string{400: "invalid_request_error", 404: "not_found_error"}[test.status]
			wantError(t, rec, anthropicDialect, test.status, typ, test.took)
			if len(got) > 0 {
				t.Errorf("%v were called", got)
			}
		})
	}
	rec := visit(p, http.MethodPost, "/v1/chat/completions", asks("none"))
	wantError(t, rec, openAIDialect, http.StatusNotFound, "invalid_request_error", "claude/none")
	if e, _ := shapeOf(t, rec.Body.Bytes()); e.Error.Code == nil || *e.Error.Code != "model_not_found" {
		t.Errorf("code of %s", rec.Body)
	}
	rec = visit(p, http.MethodPost, "/v1/chat/completions", asks("both"))
	wantError(t, rec, openAIDialect, http.StatusBadRequest, "invalid_request_error", `"claude/both"`)
}

// What goes upstream is the client's own body but for the name.
func TestBodyOfARoutedCall(t *testing.T) {
	t.Parallel()
	one, two := &shelf{name: "one", list: models("m")}, &shelf{name: "two"}
	p := running(t, ccproxy.Settings{}, factoriesOf(one, two))
	const rest = ` , "messages": [{"role":"user","content":"\u0041 <b>"}] }`
	for sent, want := range map[string]string{`{ "model" : "m"`: `{ "model" : "m"`, `{ "model":"one/n"`: `{ "model":"n"`} {
		visit(p, http.MethodPost, "/v1/messages?beta=true", sent+rest)
		call := one.calls[0]
		if string(call.Body) != want+rest || call.Endpoint != "/v1/messages" || call.Query != "beta=true" || call.Provider != "one" {
			t.Errorf("%s became %s of %+v", sent, call.Body, call)
		}
		took(one)
	}
}

// The only provider gets every model, and is asked for no list.
func TestOnlyProvider(t *testing.T) {
	t.Parallel()
	only := &shelf{name: "only", list: models("listed")}
	p := running(t, ccproxy.Settings{}, factoriesOf(only))
	for _, model := range []string{"listed", "unlisted", "org/name", "only/x"} {
		if rec := visit(p, http.MethodPost, "/v1/messages", asks(model)); rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", model, rec.Code, rec.Body)
		}
	}
	if rec := visit(p, http.MethodPost, "/v1/messages", `{"messages":[]}`); rec.Code != http.StatusOK {
		t.Errorf("no model: %d %s, want the provider's answer", rec.Code, rec.Body)
	}
	if diff := cmp.Diff([]string{"only listed", "only unlisted", "only org/name", "only x", "only "}, took(only)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if only.lists != 0 {
		t.Errorf("its models were asked for %d times", only.lists)
	}
}

// An endpoint is there if a provider offers it, and knows only those that do.
func TestRoutingKnowsWhoOffersWhat(t *testing.T) {
	t.Parallel()
	claude, open := &shelf{name: "claude", list: models("both")}, &shelf{name: "open", formats: []adapters.Format{chat}, list: models("both", "embed")}
	p := running(t, ccproxy.Settings{}, factoriesOf(claude, open))
	const path = "/v1/embeddings"
	for model, want := range map[string]string{"both": "open both", "embed": "open embed", "open/x": "open x"} {
		rec := visit(p, http.MethodPost, path, `{"model":"`+model+`","input":"x"}`)
		if diff := cmp.Diff([]string{want}, took(claude, open)); diff != "" || rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s\n%s", model, rec.Code, rec.Body, diff)
		}
	}
	rec := visit(p, http.MethodPost, path, `{"model":"claude/x","input":"x"}`)
	wantError(t, rec, openAIDialect, http.StatusNotFound, "invalid_request_error", "claude does not offer")
	rec = visit(p, http.MethodGet, path, "")
	wantError(t, rec, openAIDialect, http.StatusMethodNotAllowed, "invalid_request_error", "POST")

	alone := running(t, ccproxy.Settings{}, factoriesOf(&shelf{name: "claude"}))
	if rec := visit(alone, http.MethodPost, path, `{"model":"x"}`); rec.Code != http.StatusNotFound {
		t.Errorf("embeddings that nobody offers: %d %s", rec.Code, rec.Body)
	}
	none := running(t, ccproxy.Settings{}, nil)
	for _, path := range []string{"/v1/models", "/v1/messages"} {
		if rec := visit(none, http.MethodGet, path, ""); rec.Code != http.StatusNotFound {
			t.Errorf("%s without a provider: %d %s", path, rec.Code, rec.Body)
		}
	}
}

// Hooks are told of the provider that was found.
func TestHooksOfARoutedCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{plugins: factoriesOf(&shelf{name: "other", list: models("m")})})
	if rec := r.do(t, http.MethodPost, "/v1/messages", nil, strings.NewReader(asks("claude/x"))); rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if end := r.completed(t); end.Provider != "claude" || end.Endpoint != "/v1/messages" || end.Model != "claude/x" {
		t.Errorf("request.completed = %+v", end)
	}
	if got := r.last(t); !strings.Contains(string(got.Body), `"model":"x"`) {
		t.Errorf("upstream got %s", got.Body)
	}
	rec := r.do(t, http.MethodPost, "/v1/chat/completions", nil, strings.NewReader(asks("nobody")))
	if end := r.failed(t); end.Provider != "" || end.Status != rec.Code || end.ClientFormat != string(chat) {
		t.Errorf("request.failed = %+v", end)
	}
}

// A list of models holds for the name that the client sent and for the one that the provider gets.
//
//nolint:paralleltest,tparallel // the cases share the providers
func TestAllowListsOfRoutedCalls(t *testing.T) {
	t.Parallel()
	one, two := &shelf{name: "one", list: models("m", "both")}, &shelf{name: "two", list: models("both", "org/m")}
	p := running(t, ccproxy.Settings{ModelMappings: map[string][]ccproxy.ModelRule{
		"two": {{Match: "alias", Target: "secret"}},
	}}, factoriesOf(one, two))
	tests := []struct {
		allowed, path, model string
		status               int
	}{
		{"m", "/v1/messages", "m", 200},
		{"m", "/v1/messages", "one/m", 200},
		{"m", "/v1/messages", "two/m", 200},
		{"m", "/v1/messages", "both", 403},
		{"m", "/v1/messages", "org/m", 403},
		{"m", "/v1/messages", "nobody", 403},
		{"m", "/v1/messages", "two/org/m", 403},
		{"one/m", "/v1/messages", "m", 200},
		{"one/m", "/v1/messages", "one/m", 200},
		{"one/m", "/one/v1/messages", "m", 200},
		{"one/m", "/v1/messages", "two/m", 403},
		{"one/m", "/two/v1/messages", "m", 403},
		{"both", "/v1/messages", "both", 400},
		{"both", "/v1/messages", "two/both", 200},
		{"alias", "/v1/messages", "alias", 200},
		{"secret", "/v1/messages", "alias", 403}, // as with the provider in the path
		{"secret", "/two/v1/messages", "alias", 403},
		{"nobody", "/v1/messages", "nobody", 404},
	}
	for _, test := range tests {
		t.Run(test.allowed+" "+test.path+" "+test.model, func(t *testing.T) {
			ctx := ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: "c", Models: []string{test.allowed}})
			rec := httptest.NewRecorder()
			p.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, test.path, strings.NewReader(asks(test.model))))
			if ran := took(one, two); rec.Code != test.status || (len(ran) > 0) != (test.status == 200) {
				t.Errorf("%d, %v ran, want %d: %s", rec.Code, ran, test.status, rec.Body)
			}
		})
	}
}

// Lists are asked for when they are needed, kept for a minute, and renewed behind the back of requests.
func TestListsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		current, renew := "old", make(chan struct{})
		close(renew)
		one := &shelf{name: "one"}
		one.list = func(ctx context.Context) ([]ccproxy.Model, error) {
			<-renew
			return models(current)(ctx)
		}
		two := &shelf{name: "two"}
		p := running(t, ccproxy.Settings{}, factoriesOf(one, two))
		status := func(model string) int { return visit(p, http.MethodPost, "/v1/messages", asks(model)).Code }
		synctest.Wait()
		if one.lists != 0 {
			t.Errorf("models were asked for before anybody needed them")
		}
		for range 5 {
			if got := status("old"); got != http.StatusOK {
				t.Fatalf("status = %d", got)
			}
		}
		if one.lists != 1 {
			t.Errorf("models were asked for %d times", one.lists)
		}
		current, renew = "new", make(chan struct{})
		time.Sleep(time.Minute)
		begun := time.Now()
		for range 5 { // nobody waits for the new list
			if got := status("old"); got != http.StatusOK {
				t.Fatalf("status while the list is renewed = %d", got)
			}
		}
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("requests waited %v for a list to be renewed", waited)
		}
		close(renew)
		synctest.Wait()
		if status("old") != http.StatusNotFound || status("new") != http.StatusOK || one.lists != 2 {
			t.Errorf("the new list does not hold; %d were asked for", one.lists)
		}
		one.list = func(context.Context) ([]ccproxy.Model, error) { return nil, errPlanned }
		time.Sleep(time.Minute)
		status("new")
		synctest.Wait()
		if got := status("new"); got != http.StatusOK {
			t.Errorf("status after a failure = %d, want the older list", got)
		}
		time.Sleep(29 * time.Second)
		status("new")
		synctest.Wait()
		if one.lists != 3 {
			t.Errorf("a provider that failed was asked again at once: %d", one.lists)
		}
	})
}

// A provider that does not list in time is left out, and keeps one request waiting for five seconds and no other.
func TestSlowLists(t *testing.T) {
	t.Parallel()
	hazards := map[string]func(context.Context) ([]ccproxy.Model, error){
		"hangs":  func(ctx context.Context) ([]ccproxy.Model, error) { <-ctx.Done(); return nil, ctx.Err() },
		"panics": func(context.Context) ([]ccproxy.Model, error) { panic("canary-panic-value") },
		"fails":  func(context.Context) ([]ccproxy.Model, error) { return nil, errors.New("down") },
	}
	for name, list := range hazards {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log lockedText
				logger := slog.New(slog.NewTextHandler(&log, nil))
				good := &shelf{name: "good", list: models("m")}
				bad := &shelf{name: "bad", list: list, cards: []ccproxy.Model{{ID: "card"}}}
				p := running(t, ccproxy.Settings{}, factoriesOf(bad, good), ccproxy.WithLogger(logger))
				var waits []time.Duration
				for range 3 {
					begun := time.Now()
					rec := visit(p, http.MethodGet, "/v1/models", "")
					waits = append(waits, time.Since(begun))
					if diff := cmp.Diff([]string{"card", "m"}, listedIDs(t, rec)); diff != "" {
						t.Errorf("models (-want +got):\n%s", diff)
					}
				}
				want := []time.Duration{0, 0, 0}
				if name == "hangs" {
					want[0] = 5 * time.Second
				}
				if diff := cmp.Diff(want, waits); diff != "" {
					t.Errorf("requests waited (-want +got):\n%s", diff)
				}
				if rec := visit(p, http.MethodPost, "/v1/messages", asks("card")); rec.Code != http.StatusOK {
					t.Errorf("a model of a card: %d %s", rec.Code, rec.Body)
				}
				if !strings.Contains(log.String(), "provider=bad") {
					t.Errorf("the log says nothing of it: %s", log.String())
				}
				time.Sleep(time.Hour) // an attempt that hangs has ended
			})
		})
	}
}

// A client that goes away, and a proxy that is shut down, do not wait for lists.
func TestListsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &shelf{name: "slow", list: func(ctx context.Context) ([]ccproxy.Model, error) { <-ctx.Done(); return nil, ctx.Err() }}
		p := built(t, ccproxy.Settings{}, factoriesOf(slow, &shelf{name: "other"}))
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		rec := httptest.NewRecorder()
		p.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/messages", strings.NewReader(asks("m"))))
		if took := time.Since(begun); took != time.Second {
			t.Errorf("the request took %v", took)
		}
		begun = time.Now()
		if err := p.Shutdown(t.Context()); err != nil || time.Since(begun) > time.Second {
			t.Errorf("Shutdown = %v after %v", err, time.Since(begun))
		}
	})
}

// Calls without a provider in their path are drained like the others.
func TestRoutedCallsAreDrained(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{}, factoriesOf(&shelf{name: "one"}))
	if err := p.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/messages", "/v1/models"} {
		method := map[bool]string{true: http.MethodPost, false: http.MethodGet}[path == "/v1/messages"]
		if rec := visit(p, method, path, asks("m")); rec.Code != http.StatusServiceUnavailable {
			t.Errorf("%s while draining = %d", path, rec.Code)
		}
	}
	if rec := visit(p, http.MethodGet, "/health/live", ""); rec.Code != http.StatusOK {
		t.Errorf("liveness while draining = %d", rec.Code)
	}
}

// lockedText is a text that several goroutines write.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func listedIDs(t *testing.T, rec *httptest.ResponseRecorder) []string {
	t.Helper()
	var page modelPage
	if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
	}
	return page.ids()
}
