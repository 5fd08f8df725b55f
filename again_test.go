package ccproxy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// replicas is a provider whose streams begin with an error, and that can be called again.
type replicas struct {
	format adapters.Format
	event  string // the error
	again  func(ctx context.Context) (*ccproxy.Answer, error)
	calls  int
	closed bool // the first answer, before the second call
}

type closer struct {
	io.Reader

	close func()
}

func (c closer) Close() error {
	c.close()
	return nil
}

func (p *replicas) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }

func (p *replicas) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	closed := false
	body := closer{strings.NewReader(p.event), func() { closed = true }}
	call.Attempt("first")
	return &ccproxy.Answer{Stream: true, Body: body, Again: func(ctx context.Context) (*ccproxy.Answer, error) {
		p.calls++
		p.closed = closed
		return p.again(ctx)
	}}, nil
}

func (p *replicas) factory() ccproxy.Factory {
	return plain(ccproxy.Manifest{Name: "office", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
		Formats: []adapters.Format{p.format},
		New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return p, nil },
	}}})
}

// overloadedStream is the beginning of a stream of an upstream that has too much to do.
type overloadedStream struct {
	format          adapters.Format
	announce, event string
}

// overloadedStreams are those of all dialects, by the names of their clients.
func overloadedStreams() map[string]overloadedStream {
	announce, _, _ := strings.Cut(spareStream, "event: content_block_start")
	return map[string]overloadedStream{
		"messages": {
			adapters.AnthropicMessages, announce,
			"event: error\ndata: " + `{"type":"error","error":{"type":"overloaded_error","message":"the first"}}` + "\n\n",
		},
		"chat": {
			adapters.OpenAIChatCompletions,
			`data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant"}}]}` + "\n\n",
			`data: {"error":{"message":"the first","type":"server_error","code":"server_is_overloaded"}}` + "\n\n",
		},
		"responses": {
			adapters.OpenAIResponses,
			"event: response.created\ndata: " +
				`{"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","status":"in_progress","output":[]}}` + "\n\n",
			"event: error\ndata: " + `{"type":"error","code":"server_is_overloaded","message":"the first","sequence_number":1}` + "\n\n",
		},
	}
}

// Whatever dialects client and upstream speak: a stream that has said no more than that it begins, and fails, is tried
// again with the same provider or another, and the client gets one answer with one end.
func TestErrorEventsBeforeAnAnswer(t *testing.T) {
	t.Parallel()
	fallbacks := ccproxy.Settings{Fallbacks: []ccproxy.Fallback{{Match: "claude-", Kind: "prefix", Targets: []string{"spare/spare-1"}}}}
	for _, k := range clientKinds() {
		for name, says := range overloadedStreams() {
			for how, settings := range map[string]ccproxy.Settings{"fallback": fallbacks, "retry": retriesOf(1)} {
				for place, stream := range map[string]string{"first": says.event, "announced": says.announce + says.event} {
					t.Run(strings.Join([]string{k.name, "from", name, how, place}, " "), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							calls := 0
							first := spare{name: "office", format: says.format, fail: func() (*ccproxy.Answer, error) {
								if calls++; calls > 1 {
									return &ccproxy.Answer{
										Format: adapters.AnthropicMessages, Stream: true, Body: io.NopCloser(strings.NewReader(spareStream)),
									}, nil
								}
								return &ccproxy.Answer{Stream: true, Body: io.NopCloser(strings.NewReader(stream))}, nil
							}}
							var second spare
							r := newRig(t, rigSetup{settings: settings, plugins: []ccproxy.Factory{first.factory(), second.factory()}})
							k := k
							k.path = strings.Replace(k.path, "/claude/", "/office/", 1)
							resp, got := k.stream(t, newHost(t, r.proxy, false))
							if resp.StatusCode != http.StatusOK || !strings.Contains(got, "From the spare.") || strings.Contains(got, "the first") {
								t.Errorf("got %d %q", resp.StatusCode, got)
							}
							if n, m := strings.Count(got, k.success), strings.Count(got, k.failure); n != 1 || m != 0 {
								t.Errorf("%d ends and %d failures: %q", n, m, got)
							}
							if end := r.completed(t); end.Attempts != 2 {
								t.Errorf("%d attempts", end.Attempts)
							}
						})
					})
				}
			}
		}
	}
}

// A stream that begins with an error is asked for again where the provider offers it, as long as the client has been
// sent nothing; its client gets one end of one answer, whatever comes.
func TestAnotherStream(t *testing.T) {
	t.Parallel()
	native := overloadedStreams()
	good := func() (*ccproxy.Answer, error) {
		return &ccproxy.Answer{
			Format: adapters.AnthropicMessages, Stream: true, Body: io.NopCloser(strings.NewReader(spareStream)),
		}, nil
	}
	tests := []struct {
		name   string
		wait   time.Duration // what the second call takes
		again  func() (*ccproxy.Answer, error)
		status int // 0 for any of an error
		says   string
	}{
		{"answers", 0, good, 200, "From the spare."},
		{"nobody else", 0, func() (*ccproxy.Answer, error) { return nil, nil }, 0, "the first"},
		{"fails", 0, func() (*ccproxy.Answer, error) { return nil, errors.New("broken") }, 502, ""},
		{"refuses", 0, func() (*ccproxy.Answer, error) {
			body := `{"type":"error","error":{"type":"rate_limit_error","message":"the second"}}`
			return &ccproxy.Answer{
				Format: adapters.AnthropicMessages, Status: 429, Body: io.NopCloser(strings.NewReader(body)),
			}, nil
		}, 429, "the second"},
		{"answers late", time.Minute, good, 200, "From the spare."},
		{"nobody else, late", time.Minute, func() (*ccproxy.Answer, error) { return nil, nil }, 200, "the first"},
		{"fails late", time.Minute, func() (*ccproxy.Answer, error) { return nil, errors.New("broken") }, 200, ""},
	}
	for _, k := range clientKinds() {
		for _, own := range []bool{true, false} { // whether the provider speaks the client's dialect
			for _, tt := range tests {
				name, says := k.name+" converted "+tt.name, native["messages"]
				if own {
					name, says = k.name+" "+tt.name, native[k.name]
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						p := &replicas{format: says.format, event: says.event}
						p.again = func(ctx context.Context) (*ccproxy.Answer, error) {
							select {
							case <-time.After(tt.wait):
								return tt.again()
							case <-ctx.Done():
								return nil, ctx.Err()
							}
						}
						r := newRig(t, rigSetup{
							settings: ccproxy.Settings{Streams: ccproxy.Streams{CommitAfter: 10 * time.Second}},
							plugins:  []ccproxy.Factory{p.factory()},
						})
						k := k
						k.path = strings.Replace(k.path, "/claude/", "/office/", 1)
						resp, got := k.stream(t, newHost(t, r.proxy, false))
						if resp.StatusCode != tt.status && (tt.status != 0 || resp.StatusCode < http.StatusInternalServerError) {
							t.Errorf("got %d %q, want %d", resp.StatusCode, got, tt.status)
						}
						if !strings.Contains(got, tt.says) || tt.says != "the first" && strings.Contains(got, "the first") {
							t.Errorf("%q does not say %q", got, tt.says)
						}
						ends, failures := strings.Count(got, k.success), strings.Count(got, k.failure)
						if resp.StatusCode == http.StatusOK && ends+failures != 1 || resp.StatusCode != http.StatusOK && ends > 0 {
							t.Errorf("%d ends and %d failures: %q", ends, failures, got)
						}
						if p.calls != 1 || !p.closed {
							t.Errorf("called again %d times, first answer closed: %t", p.calls, p.closed)
						}
						if n := strings.Count(got, k.ping); tt.wait > 0 && n < 3 {
							t.Errorf("%d keep-alives meanwhile", n)
						}
					})
				})
			}
		}
	}
}
