package ccproxy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// toClaude sends every model of the spare one to Claude.
func toClaude() []ccproxy.Fallback {
	return []ccproxy.Fallback{{Match: "claude-", Kind: "prefix", Targets: []string{"claude/claude-fake"}}}
}

// A provider that says that its upstream had begun is the last one that is asked, whatever the status.
func TestBegunIsFinal(t *testing.T) {
	t.Parallel()
	began := &ccproxy.Error{Status: 529, Message: "in the middle", Err: errors.Join(ccproxy.ErrBegun, io.EOF)}
	events := func(yield func(adapters.Event, error) bool) { yield(adapters.Event{}, began) }
	for name, fail := range map[string]func() (*ccproxy.Answer, error){
		"error of the call": func() (*ccproxy.Answer, error) { return nil, began },
		"error of a stream": func() (*ccproxy.Answer, error) { return &ccproxy.Answer{Events: events}, nil },
	} {
		for _, body := range []string{wholeBody, streamBody} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					settings := retriesOf(2)
					settings.Fallbacks = toClaude()
					first := spare{fail: fail}
					r := newRig(t, rigSetup{settings: settings, plugins: []ccproxy.Factory{first.factory()}})
					rec := visit(r.proxy, http.MethodPost, "/spare/v1/messages", body)
					if rec.Code != 529 || !strings.Contains(rec.Body.String(), "in the middle") {
						t.Errorf("got %d %s", rec.Code, rec.Body)
					}
					if n, m := len(first.asked()), len(r.upstream.Requests()); n != 1 || m != 0 {
						t.Errorf("%d and %d calls, want 1 and none", n, m)
					}
				})
			})
		}
	}
}

// A provider that returns an answer beside an error has failed, and what it has opened is closed.
func TestAnswerBesideAnError(t *testing.T) {
	t.Parallel()
	var closed atomic.Bool
	body := closer{strings.NewReader("{}"), func() { closed.Store(true) }}
	both := spare{fail: func() (*ccproxy.Answer, error) {
		return &ccproxy.Answer{Body: body}, &ccproxy.Error{Status: http.StatusBadRequest, Message: "not this"}
	}}
	r := newRig(t, rigSetup{plugins: []ccproxy.Factory{both.factory()}})
	rec := visit(r.proxy, http.MethodPost, "/spare/v1/messages", wholeBody)
	if rec.Code != http.StatusBadRequest || !closed.Load() {
		t.Errorf("got %d %s; closed: %t", rec.Code, rec.Body, closed.Load())
	}
}

// uncounted is a provider that fails, and does not count tokens.
type uncounted struct{ refuses atomic.Bool }

func (u *uncounted) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }

func (u *uncounted) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	switch {
	case call.Operation == ccproxy.OpCountTokens:
		return nil, ccproxy.ErrUnsupported
	case u.refuses.Load():
		return nil, &ccproxy.Error{Status: http.StatusBadRequest, Message: "not this"}
	}
	return nil, &ccproxy.Error{Status: http.StatusInternalServerError, Message: "failing"}
}

// What the proxy or the provider says by itself, without the upstream, tells nothing of the upstream.
func TestBreakerHearsTheUpstreamAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := new(uncounted)
		provider := plain(ccproxy.Manifest{Name: "deaf", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.AnthropicMessages},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return u, nil },
		}}})
		r := newRig(t, rigSetup{
			settings: ccproxy.Settings{Breakers: ccproxy.Breakers{
				BreakerPolicy: ccproxy.BreakerPolicy{Failures: 3, Cooldown: 10 * time.Second},
			}},
			plugins: []ccproxy.Factory{provider},
		})
		step := func(path string, want int) {
			t.Helper()
			if rec := visit(r.proxy, http.MethodPost, "/deaf/v1/messages"+path, wholeBody); rec.Code != want {
				t.Errorf("%s: status %d, want %d: %s", path, rec.Code, want, rec.Body)
			}
		}
		for range 2 {
			step("", 500)
			step("/count_tokens", 200) // an estimate
		}
		step("", 500)
		step("", 503)
		time.Sleep(10 * time.Second)
		step("/count_tokens", 200) // which is no probe's answer
		u.refuses.Store(true)
		step("", 400) // nor is this
		u.refuses.Store(false)
		step("", 500)
		step("", 503)
	})
}

// The time at which a client is promised a stream may come while an error is being read: it keeps its status.
func TestPromiseDuringError(t *testing.T) {
	t.Parallel()
	for _, k := range clientKinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				second := spare{fail: func() (*ccproxy.Answer, error) {
					return &ccproxy.Answer{
						Status: http.StatusTooManyRequests, Header: http.Header{"Content-Type": {"application/json"}},
						Body: io.NopCloser(io.MultiReader(late{5 * time.Second}, strings.NewReader(
							`{"type":"error","error":{"type":"rate_limit_error","message":"the reason"}}`))),
					}, nil
				}}
				r := newRig(t, rigSetup{
					settings: ccproxy.Settings{
						Fallbacks: toSpare(), Streams: ccproxy.Streams{CommitAfter: 8 * time.Second, KeepAlive: time.Second},
					},
					plugins: []ccproxy.Factory{second.factory()},
				})
				s := newHost(t, r.proxy, false)
				r.upstream.Enqueue(later(4*time.Second, refusal(503)))
				resp, got := k.stream(t, s)
				if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(got, "the reason") ||
					resp.Header.Get("Content-Type") != "application/json" || strings.Contains(got, k.ping) {
					t.Errorf("got %d %v %q", resp.StatusCode, resp.Header, got)
				}
				if took := time.Since(begun); took != 9*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// late says nothing for a while, and ends.
type late struct{ wait time.Duration }

func (l late) Read([]byte) (int, error) {
	time.Sleep(l.wait)
	return 0, io.EOF
}
