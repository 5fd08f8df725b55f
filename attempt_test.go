package ccproxy_test

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

const spareWhole = `{"id":"msg_2","type":"message","role":"assistant","model":"spare-1",` +
	`"content":[{"type":"text","text":"From the spare."}],"stop_reason":"end_turn","stop_sequence":null,` +
	`"usage":{"input_tokens":3,"output_tokens":4}}`

const spareStream = `event: message_start
data: {"type":"message_start","message":{"id":"msg_2","type":"message","role":"assistant","model":"spare-1","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"From the spare."}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":4}}

event: message_stop
data: {"type":"message_stop"}

`

// spare is a provider that always answers, and remembers what it was asked.
type spare struct {
	name   string                          // "spare" if empty
	format adapters.Format                 // Anthropic's if empty
	fail   func() (*ccproxy.Answer, error) // nil answers

	mu     sync.Mutex
	bodies []string
}

func (s *spare) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }

func (s *spare) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	s.mu.Lock()
	s.bodies = append(s.bodies, string(call.Body))
	s.mu.Unlock()
	if s.fail != nil {
		return s.fail()
	}
	body := spareWhole
	if call.Stream {
		body = spareStream
	}
	return &ccproxy.Answer{Stream: call.Stream, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (s *spare) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.bodies...)
}

func (s *spare) factory() ccproxy.Factory {
	name := cmp.Or(s.name, "spare")
	return plain(ccproxy.Manifest{Name: name, Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
		Formats: []adapters.Format{cmp.Or(s.format, adapters.AnthropicMessages)},
		New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return s, nil },
	}}})
}

// toSpare sends every model of Claude's to the spare one.
func toSpare() []ccproxy.Fallback {
	return []ccproxy.Fallback{{Match: "claude-", Kind: "prefix", Targets: []string{"spare/spare-1"}}}
}

// providerErrors records what hooks are told of failures.
type providerErrors struct {
	mu   sync.Mutex
	seen []hooks.ProviderError
}

func (e *providerErrors) hook() hooks.Hook {
	return hooks.Observe("errors", func(_ context.Context, hc *hooks.Context) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if p, ok := hc.Payload.(*hooks.ProviderError); ok {
			seen := *p
			seen.Latency, seen.Err, seen.Type = 0, "", ""
			e.seen = append(e.seen, seen)
		}
		return nil
	}, hooks.EventProviderError)
}

func (e *providerErrors) all() []hooks.ProviderError {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]hooks.ProviderError(nil), e.seen...)
}

// setbacks are ways in which a provider fails before anything of an answer has come.
func setbacks() []struct {
	name   string
	reply  providertest.Reply
	status int  // that hooks are told of
	stream bool // only where a stream was asked for
} {
	text := providertest.TextEvents("claude-fake", "One two.")
	overloaded := providertest.ErrorEvent("overloaded_error", "Overloaded")
	return []struct {
		name   string
		reply  providertest.Reply
		status int
		stream bool
	}{
		{"401", providertest.Error(401, "authentication_error", "No", nil), 401, false},
		{"404", providertest.Error(404, "not_found_error", "No", nil), 404, false},
		{"429", providertest.Error(429, "rate_limit_error", "No", nil), 429, false},
		{"500", providertest.Error(500, "api_error", "No", nil), 500, false},
		{"529", providertest.Error(529, "overloaded_error", "No", nil), 529, false},
		{"reset", providertest.Drop(), 0, false},
		{"error event first", providertest.Stream(overloaded), 529, true},
		{"error event after the announcement", providertest.Stream(text[0], overloaded), 529, true},
		{"empty stream", providertest.Stream(), 200, true},
		{"silence", providertest.Stream(providertest.Bytes(": hello\n\n"), providertest.Gate(nil)), 200, true},
		{"silence after the announcement", providertest.Stream(text[0], providertest.Gate(nil)), 200, true},
	}
}

// Whatever the client speaks, and however the first provider fails before its answer: another one answers, once.
func TestFallbacks(t *testing.T) {
	t.Parallel()
	for _, k := range clientKinds() {
		for _, fault := range setbacks() {
			for _, stream := range []bool{true, false} {
				if fault.stream && !stream {
					continue
				}
				k, name := k, k.name+" "+fault.name
				if !stream {
					k.body, name = strings.Replace(k.body, `"stream":true,`, "", 1), name+" whole"
				}
				status := fault.status
				if fault.stream && status == 529 && k.name != "messages" {
					status = 503 // an error in a stream is told in the client's terms
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { fallsBack(t, k, fault.reply, status, stream) })
				})
			}
		}
	}
}

func fallsBack(t *testing.T, k clientKind, reply providertest.Reply, status int, stream bool) {
	t.Helper()
	var second spare
	var told providerErrors
	r := newRig(t, rigSetup{
		settings: ccproxy.Settings{Fallbacks: toSpare(), Limits: ccproxy.Limits{StreamIdle: time.Minute}},
		plugins:  []ccproxy.Factory{second.factory()}, hooks: []hooks.Hook{told.hook()},
	})
	s := newHost(t, r.proxy, false)
	r.upstream.Enqueue(reply)
	resp, got := k.stream(t, s)
	if resp.StatusCode != http.StatusOK || !strings.Contains(got, "From the spare.") {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
	if by := resp.Header.Get("X-CCProxy-Answered-By"); by != "spare/spare-1" {
		t.Errorf("answered by %q", by)
	}
	if stream && (strings.Count(got, k.success) != 1 || strings.Contains(got, k.failure)) {
		t.Errorf("stream %q", got)
	}
	if strings.Count(got, "claude-fake-1") == 0 || strings.Contains(got, "spare-1") {
		t.Errorf("not by the name that the client sent: %q", got)
	}
	end := r.completed(t)
	if end.Attempts != 2 || end.Provider != "spare" || end.UpstreamModel != "spare-1" || end.Operation != "generate" {
		t.Errorf("completed: %d attempts, %s %s %s", end.Attempts, end.Provider, end.UpstreamModel, end.Operation)
	}
	if end.Usage == nil || end.Usage.InputTokens != 3 || end.Usage.OutputTokens != 4 {
		t.Errorf("usage %+v", end.Usage)
	}
	if n, m := len(r.upstream.Requests()), len(second.asked()); n != 1 || m != 1 {
		t.Errorf("%d and %d calls, want one each", n, m)
	}
	synctest.Wait()
	want := []hooks.ProviderError{{
		Status: status, Attempt: 1, Retrying: true, Failover: "spare/spare-1", FailoverProvider: "spare",
	}}
	if d := diff.Diff(want, told.all()); d != "" {
		t.Errorf("provider errors (-want +got):\n%s", d)
	}
}

// What the client is to blame for, and what has begun, is nobody else's.
func TestNoFallback(t *testing.T) {
	t.Parallel()
	text := providertest.TextEvents("claude-fake", "One two.")
	overloaded := providertest.ErrorEvent("overloaded_error", "Overloaded")
	tests := []struct {
		name   string
		reply  providertest.Reply
		stream bool
		status int
	}{
		{"400", providertest.Error(400, "invalid_request_error", "No", nil), false, 400},
		{"413", providertest.Error(413, "request_too_large", "No", nil), true, 413},
		{"cut in the body", providertest.CutAfter(100, providertest.Message("One two.")), false, 502},
		{"error after content", providertest.Stream(text[0], text[1], text[2], overloaded), true, 200},
		{"cut after content", providertest.Stream(text[0], text[1], text[2], text[3], providertest.Cut()), true, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var second spare
			r := newRig(t, rigSetup{
				settings: ccproxy.Settings{Fallbacks: toSpare()}, plugins: []ccproxy.Factory{second.factory()},
			})
			r.upstream.Enqueue(tt.reply)
			body := wholeBody
			if tt.stream {
				body = streamBody
			}
			rec := r.post(t, body)
			if rec.Code != tt.status || strings.Contains(rec.Body.String(), "spare") || len(second.asked()) != 0 {
				t.Errorf("got %d %q, %d calls of the other", rec.Code, rec.Body, len(second.asked()))
			}
			if by := rec.Header().Get("X-CCProxy-Answered-By"); by != "claude/claude-fake-1" {
				t.Errorf("answered by %q", by)
			}
			if end := r.failed(t); end.Attempts != 1 {
				t.Errorf("%d attempts", end.Attempts)
			}
		})
	}
}

// All fail: the client gets the last one's failure, and the request is the client's own each time.
func TestLastFailureCounts(t *testing.T) {
	t.Parallel()
	busy := func() (*ccproxy.Answer, error) {
		return nil, &ccproxy.Error{Status: 503, Message: "the spare is busy", RetryAfter: 7 * time.Second}
	}
	second, third := spare{fail: busy}, spare{name: "third", fail: busy}
	r := newRig(t, rigSetup{
		settings: ccproxy.Settings{Fallbacks: []ccproxy.Fallback{
			{Match: "claude/claude-fake-1", Targets: []string{"third/x/y", "claude/claude-fake-1", "spare/spare-1"}},
		}},
		plugins: []ccproxy.Factory{second.factory(), third.factory()},
	})
	r.upstream.Enqueue(providertest.Error(500, "api_error", "No", nil))
	rec := r.post(t, wholeBody)
	if rec.Code != 503 || !strings.Contains(rec.Body.String(), "the spare is busy") || rec.Header().Get("Retry-After") != "7" {
		t.Errorf("got %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if by := rec.Header().Get("X-CCProxy-Answered-By"); by != "spare/spare-1" {
		t.Errorf("answered by %q", by)
	}
	want := []string{strings.Replace(wholeBody, "claude-fake-1", "x/y", 1)}
	if d := diff.Diff(want, third.asked()); d != "" {
		t.Errorf("third was asked (-want +got):\n%s", d)
	}
	if end := r.failed(t); end.Attempts != 3 || end.Provider != "spare" || end.UpstreamModel != "spare-1" {
		t.Errorf("failed: %+v", end)
	}
}

// A target that the caller may not use, or that strict conversion forbids, is passed over.
func TestTargetsPassedOver(t *testing.T) {
	t.Parallel()
	var second spare
	chat := spare{name: "chatty", format: adapters.OpenAIChatCompletions}
	rules := []ccproxy.Fallback{{Match: "claude-fake-1", Targets: []string{"chatty/gpt", "spare/spare-1"}}}
	lossy := strings.Replace(wholeBody, `"max_tokens"`, `"top_k":5,"max_tokens"`, 1)
	tests := []struct {
		name     string
		settings ccproxy.Settings
		caller   ccproxy.Caller
		want     int
	}{
		{"strict", ccproxy.Settings{StrictConversion: true, Fallbacks: rules}, ccproxy.Caller{ID: "a"}, 200},
		{
			"not allowed",
			ccproxy.Settings{Fallbacks: rules},
			ccproxy.Caller{ID: "a", Models: []string{"claude/claude-fake-1"}},
			500,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigSetup{settings: tt.settings, plugins: []ccproxy.Factory{second.factory(), chat.factory()}})
			r.upstream.Enqueue(providertest.Error(500, "api_error", "No", nil))
			req := httptest.NewRequest(http.MethodPost, messagesPath, strings.NewReader(lossy))

			rec := send(r, req.WithContext(ccproxy.ContextWithCaller(t.Context(), tt.caller)))
			if rec.Code != tt.want {
				t.Errorf("got %d %s", rec.Code, rec.Body)
			}
		})
	}
}

// send answers a request on the calling goroutine.
func send(r *rig, req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r.proxy.ServeHTTP(rec, req)
	return rec
}

// A client that has been promised a stream gets the failure in it: nobody else is asked.
func TestNoFallbackAfterAPromise(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var second spare
		r := newRig(t, rigSetup{
			settings: ccproxy.Settings{Fallbacks: toSpare(), Streams: ccproxy.Streams{CommitAfter: time.Second}},
			plugins:  []ccproxy.Factory{second.factory()},
		})
		r.upstream.Enqueue(later(5*time.Second, refusal(500)))
		rec := r.post(t, streamBody)
		if rec.Code != http.StatusOK || strings.Count(rec.Body.String(), "event: error\n") != 1 || len(second.asked()) != 0 {
			t.Errorf("got %d %q, %d calls of the other", rec.Code, rec.Body, len(second.asked()))
		}
	})
}
