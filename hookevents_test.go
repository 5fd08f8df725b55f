package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

const (
	claudeMessages = "/claude/v1/messages"
	echoMessages   = "/echo/v1/messages"
	wholeRequest   = `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"one two three"}]}`
	streamRequest  = `{"model":"m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"one two three"}]}`
)

// eventLog is a plugin that keeps every event. Its name makes it the first to start and the last to stop.
type eventLog struct {
	mu     sync.Mutex
	events []hooks.Context
	pc     *ccproxy.PluginContext
}

func (l *eventLog) factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "a_log", Hooks: []ccproxy.HookSpec{{
			Queue: 1 << 16,
			New: func(pc *ccproxy.PluginContext) (hooks.Hook, error) {
				l.pc = pc
				return hooks.Observe("log", l.note, hooks.Events()...), nil
			},
		}},
	}, nil)
}

func (l *eventLog) note(_ context.Context, hc *hooks.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, *hc)
	return nil
}

// take returns the events since the last take.
func (l *eventLog) take() []hooks.Context {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.events
	l.events = nil
	return taken
}

func namesOfEvents(events []hooks.Context) []hooks.Event {
	var names []hooks.Event
	for _, e := range events {
		names = append(names, e.Event)
	}
	return names
}

func payloadOf[P hooks.Payload](t *testing.T, events []hooks.Context) P {
	t.Helper()
	for _, e := range events {
		if p, ok := e.Payload.(P); ok {
			return p
		}
	}
	var none P
	t.Fatalf("no %T among %v", none, namesOfEvents(events))
	return none
}

// stage is a proxy with claude_api in front of a scripted upstream, echo and an eventLog. It lives in a bubble.
type stage struct {
	*ccproxy.Proxy
	up  *providertest.Upstream
	log *eventLog
}

func newStage(t *testing.T, more []ccproxy.Factory, opts ...ccproxy.Option) *stage {
	t.Helper()
	s := &stage{up: new(providertest.Upstream), log: new(eventLog)}
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret(secretCanary)
	opts = append([]ccproxy.Option{
		ccproxy.WithTransport(s.up.Transport()), ccproxy.WithPluginConfig(claudeapi.Name, *cfg),
	}, opts...)
	s.Proxy = built(t, ccproxy.Settings{}, append([]ccproxy.Factory{claudeapi.Factory(), echo.Factory(), s.log.factory()}, more...), opts...)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Shutdown(context.WithoutCancel(t.Context()))
		_ = s.up.Close()
		time.Sleep(time.Minute) // in the bubble: whatever hostile hooks hold up comes to its end
	})
	return s
}

func TestEventsOfTheLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := playedBy(ccproxy.Manifest{Name: "bad", Version: "2.0.0"}, &actor{init: func(context.Context, *ccproxy.PluginContext) error { return errPlanned }})
		rolledBack := routeOf("late")
		rolledBack.New = func(*ccproxy.PluginContext) (http.Handler, error) { return nil, errPlanned }
		late := plain(ccproxy.Manifest{Name: "late", Routes: []ccproxy.RouteSpec{rolledBack}})
		s := newStage(t, []ccproxy.Factory{bad, late})
		got := s.log.take()
		want := []string{
			"plugin.loaded a_log", "plugin.error bad initialize", "plugin.loaded claude_api", "plugin.loaded echo", "plugin.loaded late",
			"app.startup [a_log claude_api echo late]", "plugin.error late routes", "plugin.unloaded late",
			"app.ready [a_log claude_api echo]",
		}
		if diff := cmp.Diff(want, lifeLines(got)); diff != "" {
			t.Errorf("events of the start (-want +got):\n%s", diff)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		want = []string{"app.shutdown [a_log claude_api echo] shutdown", "plugin.unloaded echo", "plugin.unloaded claude_api"}
		if diff := cmp.Diff(want, lifeLines(s.log.take())); diff != "" {
			t.Errorf("events of the end (-want +got):\n%s", diff)
		}
	})
}

func lifeLines(events []hooks.Context) []string {
	var lines []string
	for _, e := range events {
		line := string(e.Event)
		switch p := e.Payload.(type) {
		case *hooks.AppStartup:
			line += fmt.Sprint(" ", p.Plugins)
		case *hooks.AppReady:
			line += fmt.Sprint(" ", p.Plugins)
		case *hooks.AppShutdown:
			line += fmt.Sprint(" ", p.Plugins, " ", p.Reason)
		case *hooks.PluginLoaded:
			line += " " + p.Name
		case *hooks.PluginUnloaded:
			line += " " + p.Name
		case *hooks.PluginError:
			line += " " + p.Name + " " + p.Op
		}
		lines = append(lines, line)
	}
	return lines
}

// post sends a request with the headers of an official client.
func (s *stage) post(ctx context.Context, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+secretCanary)
	r.Header.Set("X-Api-Key", secretCanary)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestEventsOfARequest(t *testing.T) {
	t.Parallel()
	stream := []hooks.Event{"provider.stream.start", "provider.stream.chunk", "provider.stream.end"}
	upstream := []hooks.Event{"http.request", "http.response"}
	tests := []struct {
		name   string
		path   string
		body   string
		reply  providertest.Reply
		status int
		want   []hooks.Event // each at least once, and nothing else
	}{
		{"echo, whole", echoMessages, wholeRequest, nil, 200, []hooks.Event{
			"request.started", "provider.request.prepared", "provider.request.sent", "provider.response.received", "request.completed",
		}},
		{"echo, stream", echoMessages, streamRequest, nil, 200, append([]hooks.Event{
			"request.started", "provider.request.prepared", "provider.request.sent", "provider.response.received", "request.completed",
		}, stream...)},
		{"upstream, whole", claudeMessages, wholeRequest, nil, 200, append([]hooks.Event{
			"request.started", "provider.request.prepared", "provider.request.sent", "provider.response.received", "request.completed",
		}, upstream...)},
		{"upstream, stream", claudeMessages, streamRequest, nil, 200, append(append([]hooks.Event{
			"request.started", "provider.request.prepared", "provider.request.sent", "provider.response.received", "request.completed",
		}, upstream...), stream...)},
		{"upstream refuses", claudeMessages, wholeRequest, providertest.Error(529, "overloaded_error", "Overloaded", nil), 529, append([]hooks.Event{
			"request.started", "provider.request.prepared", "provider.request.sent", "provider.response.received", "provider.error", "request.failed",
		}, upstream...)},
		{"upstream drops", claudeMessages, wholeRequest, providertest.Drop(), 502, []hooks.Event{
			"request.started", "provider.request.prepared", "provider.request.sent", "http.request", "http.error", "provider.error", "request.failed",
		}},
		{"stream breaks off", claudeMessages, streamRequest, providertest.CutAfter(700, providertest.Message("one two three four")), 200, append(append([]hooks.Event{
			"request.started", "provider.request.prepared", "provider.request.sent", "provider.response.received", "provider.error", "request.failed",
		}, upstream...), stream...)},
		{"body is not JSON", claudeMessages, "{", nil, 400, []hooks.Event{"request.started", "request.failed"}},
		{"no such path", "/nowhere", wholeRequest, nil, 404, []hooks.Event{"request.started", "request.failed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, nil)
				s.log.take()
				if tt.reply != nil {
					s.up.Enqueue(tt.reply)
				}
				if w := s.post(t.Context(), tt.path, tt.body); w.Code != tt.status {
					t.Errorf("status %d, want %d: %s", w.Code, tt.status, w.Body)
				}
				events := s.log.take()
				names := namesOfEvents(events)
				got := slices.Compact(slices.Sorted(slices.Values(names)))
				slices.Sort(tt.want)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				checkLedger(t, events)
				for _, e := range events {
					noCanary(t, string(e.Event), fmt.Sprintf("%+v", e.Payload))
				}
			})
		})
	}
}

// checkLedger checks that each request has one beginning and one end, and so has each stream.
func checkLedger(t *testing.T, events []hooks.Context) {
	t.Helper()
	byID := make(map[string][]hooks.Event)
	for _, e := range events {
		if e.RequestID != "" {
			byID[e.RequestID] = append(byID[e.RequestID], e.Event)
		}
	}
	for id, names := range byID {
		count := func(e hooks.Event) (n int) {
			for _, name := range names {
				if name == e {
					n++
				}
			}
			return n
		}
		if count("request.started") != 1 || count("request.completed")+count("request.failed") != 1 {
			t.Errorf("request %s: %v", id, names)
		}
		last := names[len(names)-1]
		if names[0] != "request.started" || (last != "request.completed" && last != "request.failed") {
			t.Errorf("request %s does not begin and end with its own events: %v", id, names)
		}
		start, end := slices.Index(names, "provider.stream.start"), slices.Index(names, "provider.stream.end")
		if count("provider.stream.start") != count("provider.stream.end") || start > end {
			t.Errorf("request %s: streams do not balance: %v", id, names)
		}
		for i, name := range names {
			if name == "provider.stream.chunk" && (i < start || i > end) {
				t.Errorf("request %s: chunk outside of the stream: %v", id, names)
			}
		}
	}
}

func TestPayloadsOfARequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.log.take()
		w := s.post(ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: "alice"}), claudeMessages+"?beta=true&api_key="+secretCanary, streamRequest)
		events := s.log.take()
		started := payloadOf[*hooks.RequestStarted](t, events)
		want := hooks.Request{
			ID: w.Header().Get("X-Request-Id"), Method: "POST", Path: claudeMessages, Query: "beta=true&api_key=[REDACTED]", Endpoint: claudeMessages,
			ClientIP: "192.0.2.1", CallerID: "alice", BodyBytes: int64(len(streamRequest)),
			ClientFormat: "anthropic.messages", Model: "m", Provider: "claude", Stream: true,
		}
		got := started.Request
		got.Header = hooks.Header{}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(hooks.Header{})); diff != "" {
			t.Errorf("request.started (-want +got):\n%s", diff)
		}
		chunks := int64(0)
		for _, e := range events {
			if c, ok := e.Payload.(*hooks.ProviderStreamChunk); ok {
				if chunks++; c.Number != chunks {
					t.Errorf("chunk %d has number %d", chunks, c.Number)
				}
			}
		}
		end := payloadOf[*hooks.ProviderStreamEnd](t, events)
		if end.Chunks != chunks || !end.Complete || end.Err != "" || end.Bytes != int64(w.Body.Len()) || end.Usage == nil {
			t.Errorf("stream end = %+v after %d chunks and %d bytes", end, chunks, w.Body.Len())
		}
		done := payloadOf[*hooks.RequestCompleted](t, events)
		if done.Status != 200 || !done.Streamed || done.ResponseBytes != int64(w.Body.Len()) || done.Usage == nil || done.ID != want.ID {
			t.Errorf("request.completed = %+v", done)
		}
		prepared := payloadOf[*hooks.ProviderRequestPrepared](t, events)
		if prepared.Body != streamRequest || prepared.Method != "POST" || !strings.HasPrefix(prepared.URL, "https://api.anthropic.com/v1/messages") {
			t.Errorf("prepared = %+v", prepared)
		}
		sent := payloadOf[*hooks.HTTPRequest](t, events)
		if sent.Body != streamRequest || !sent.Upstream || sent.ID != want.ID || sent.Header.Value("X-Api-Key") != "[REDACTED]" {
			t.Errorf("http.request = %+v", sent)
		}
		if got := payloadOf[*hooks.HTTPResponse](t, events); got.Status != 200 || got.ID != want.ID {
			t.Errorf("http.response = %+v", got)
		}
	})
}

func TestEventsOfAClientThatLeaves(t *testing.T) {
	t.Parallel()
	for _, held := range []string{"before the first event", "between events"} {
		t.Run(held, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, nil)
				s.log.take()
				parts := providertest.TextEvents("m", "one two three")
				at := 0
				if held == "between events" {
					at = 4
				}
				s.up.Enqueue(providertest.Stream(slices.Insert(parts, at, providertest.Gate(nil))...))
				ctx, cancel := context.WithCancel(t.Context())
				answered := make(chan struct{})
				go func() { defer close(answered); s.post(ctx, claudeMessages, streamRequest) }()
				synctest.Wait()
				cancel()
				<-answered
				events := s.log.take()
				checkLedger(t, events)
				failed := payloadOf[*hooks.RequestFailed](t, events)
				if !failed.ClientGone || failed.Status != 499 {
					t.Errorf("request.failed = %+v", failed)
				}
				if end := payloadOf[*hooks.ProviderStreamEnd](t, events); end.Complete || end.Err == "" {
					t.Errorf("stream end = %+v", end)
				}
			})
		})
	}
}

func TestEventsThatPluginsEmit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.log.take()
		payloads := []hooks.Payload{
			&hooks.OAuthTokenRequest{Provider: "p"}, &hooks.OAuthTokenResponse{Provider: "p"}, &hooks.OAuthRefreshRequest{Provider: "p"},
			&hooks.OAuthRefreshResponse{Provider: "p"}, &hooks.OAuthError{Provider: "p"}, &hooks.Custom{Name: "a_log.x", Data: 1},
		}
		for _, p := range payloads {
			s.log.pc.Hooks.Emit(hooks.Context{Plugin: "somebody else", Payload: p})
		}
		events := s.log.take()
		if len(events) != len(payloads) {
			t.Fatalf("%d events, want %d", len(events), len(payloads))
		}
		for i, e := range events {
			if diff := cmp.Diff(payloads[i], e.Payload); diff != "" || e.Plugin != "a_log" || e.Event != payloads[i].Event() {
				t.Errorf("%s of plugin %q (-want +got):\n%s", e.Event, e.Plugin, diff)
			}
		}
	})
}

// Nobody pays for events that nobody hears: a hook on an event that does not happen costs a request nothing.
func TestUnheardEventsCostNothing(t *testing.T) { //nolint:paralleltest // counts allocations
	if raceEnabled {
		t.Skip("sync.Pool drops things at random under the race detector, so allocations cannot be compared")
	}
	allocations := func(events ...hooks.Event) float64 {
		factories := []ccproxy.Factory{echo.Factory()}
		if len(events) > 0 {
			h := hooks.Observe("h", func(context.Context, *hooks.Context) error { return nil }, events...)
			factories = append(factories, plain(ccproxy.Manifest{Name: "h", Hooks: []ccproxy.HookSpec{{New: newOf(h, noStep)}}}))
		}
		p := running(t, ccproxy.Settings{}, factories)
		return testing.AllocsPerRun(200, func() { visit(p, http.MethodPost, echoMessages, streamRequest) })
	}
	none := allocations()
	for _, e := range []hooks.Event{hooks.EventAppReady, hooks.EventPluginLoaded, hooks.EventOAuthError, hooks.EventCustom} {
		if got := allocations(e); got > none+0.5 {
			t.Errorf("%v allocations with a hook on %s, %v without any", got, e, none)
		}
	}
	if heard := allocations(hooks.EventRequestStarted); heard <= none {
		t.Errorf("%v allocations with a hook on request.started: the measure measures nothing", heard)
	}
}

// A queue that is not empty when the proxy stops is delivered, up to the limit.
func TestShutdownDeliversWhatIsQueued(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		delivered := 0
		slow := hooks.On("slow", func(context.Context, *hooks.Context, *hooks.RequestCompleted) error {
			time.Sleep(5 * time.Millisecond)
			delivered++
			return nil
		})
		p := built(t, ccproxy.Settings{}, []ccproxy.Factory{
			echo.Factory(), plain(ccproxy.Manifest{Name: "slow", Hooks: []ccproxy.HookSpec{{New: newOf(slow, noStep)}}}),
		})
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 500 {
			visit(p, http.MethodPost, echoMessages, wholeRequest)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if delivered != 500 {
			t.Errorf("%d of 500 events were delivered", delivered)
		}
	})
}

// Observers of several plugins that only read are given one copy of a payload together.
func TestReadOnlyHooksShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		given := map[string]*hooks.RequestCompleted{}
		factories := []ccproxy.Factory{echo.Factory()}
		for _, name := range []string{"reads", "reads_too", "writes"} {
			h := hooks.On(name, func(_ context.Context, _ *hooks.Context, e *hooks.RequestCompleted) error {
				given[name] = e
				return nil
			})
			factories = append(factories, plain(ccproxy.Manifest{Name: name, Hooks: []ccproxy.HookSpec{
				{ReadOnly: name != "writes", New: newOf(h, noStep)},
			}}))
		}
		visit(running(t, ccproxy.Settings{}, factories), http.MethodPost, echoMessages, wholeRequest)
		synctest.Wait()
		if given["reads"] == nil || given["reads"] != given["reads_too"] || given["writes"] == given["reads"] {
			t.Errorf("payloads %p and %p, and %p for who writes", given["reads"], given["reads_too"], given["writes"])
		}
	})
}
