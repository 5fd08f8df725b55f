package ccproxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// misdeed is what a hostile hook does when it is told of an event.
type misdeed struct {
	name string
	do   func(ctx context.Context, hc *hooks.Context) error
}

func misdeeds() []misdeed {
	var mu sync.Mutex
	var kept []any
	return []misdeed{
		{"panic", func(context.Context, *hooks.Context) error { panic(secretCanary) }},
		{"panic nil", func(context.Context, *hooks.Context) error { panicWith(nil); return nil }},
		{"panic with the event", func(_ context.Context, hc *hooks.Context) error { panic(hc) }},
		{"error", func(context.Context, *hooks.Context) error { return errPlanned }},
		{"goexit", func(context.Context, *hooks.Context) error { runtime.Goexit(); return nil }},
		{"block", func(context.Context, *hooks.Context) error { time.Sleep(10 * time.Second); return nil }},
		{"sleep", func(ctx context.Context, _ *hooks.Context) error {
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
			return ctx.Err()
		}},
		{"mutate", func(_ context.Context, hc *hooks.Context) error {
			if hc.Payload != nil {
				v := reflect.ValueOf(hc.Payload).Elem()
				v.SetZero()
			}
			*hc = hooks.Context{}
			return nil
		}},
		{"retain", func(_ context.Context, hc *hooks.Context) error {
			mu.Lock()
			defer mu.Unlock()
			kept = append(kept, hc, hc.Payload)
			return nil
		}},
	}
}

// answers sends requests of every kind and returns status, header and body of the answers, and the time it took.
func answers(s *stage, n int) (out []string, took time.Duration) {
	kinds := [][2]string{
		{echoMessages, wholeRequest},
		{echoMessages, streamRequest},
		{claudeMessages, wholeRequest},
		{claudeMessages, streamRequest},
		{claudeMessages, "{"},
		{"/nowhere", wholeRequest},
	}
	begun := time.Now()
	for i := range n {
		kind := kinds[i%len(kinds)]
		r := httptest.NewRequest(http.MethodPost, kind[0], strings.NewReader(kind[1]))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Request-Id", fmt.Sprintf("request-%d", i))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		header, _ := json.Marshal(w.Header())
		out = append(out, fmt.Sprintf("%d %s %s", w.Code, header, w.Body))
	}
	return out, time.Since(begun)
}

func observing(h hooks.Hook, spec ccproxy.HookSpec) []ccproxy.Factory {
	spec.New = newOf(h, noStep)
	return []ccproxy.Factory{plain(ccproxy.Manifest{Name: "hostile", Hooks: []ccproxy.HookSpec{spec}})}
}

const requestsEach = 50

func TestHostileObservers(t *testing.T) {
	t.Parallel()
	var want []string
	synctest.Test(t, func(t *testing.T) { want, _ = answers(newStage(t, nil), requestsEach) })
	for _, m := range misdeeds() {
		for _, event := range hooks.Events() {
			t.Run(m.name+"/"+string(event), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newStage(t, observing(hooks.Observe("vandal", m.do, event), ccproxy.HookSpec{}))
					got, took := answers(s, requestsEach)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("answers (-without the hook +with it):\n%s", diff)
					}
					if took != 0 {
						t.Errorf("the hook cost the requests %v", took)
					}
					time.Sleep(time.Millisecond) // as long as it may keep other observers waiting
					synctest.Wait()
					checkLedger(t, s.log.take())
				})
			})
		}
	}
}

func TestFuseShowsInHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := true
		h := hooks.On("vandal", func(context.Context, *hooks.Context, *hooks.RequestStarted) error {
			if broken {
				panic(secretCanary)
			}
			return nil
		})
		s := newStage(t, observing(h, ccproxy.HookSpec{}))
		answers(s, 12)
		synctest.Wait()
		health := func() map[string]any { return detailsOf(t, s, "hostile")["hooks"].([]any)[0].(map[string]any) }
		got := health()
		if got["name"] != "vandal" || got["fused"] != true || got["failed"] != 5.0 || got["dropped"] != 7.0 {
			t.Errorf("hook after 12 requests = %v", got)
		}
		noCanary(t, "health", fmt.Sprint(got))
		broken = false
		time.Sleep(time.Minute + time.Second)
		answers(s, 1)
		synctest.Wait()
		if got := health(); got["fused"] != false || got["delivered"] == 0.0 {
			t.Errorf("hook that is well again = %v", got)
		}
	})
}

func TestStalledHookShowsInHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := hooks.On("vandal", func(context.Context, *hooks.Context, *hooks.RequestStarted) error { <-release; return nil })
		s := newStage(t, observing(h, ccproxy.HookSpec{Queue: 10}))
		answers(s, 50)
		time.Sleep(11 * time.Second)
		got := detailsOf(t, s, "hostile")["hooks"].([]any)[0].(map[string]any)
		if got["stalled"] != true || got["dropped"].(float64) < 39 || got["pending"].(float64) > 10 {
			t.Errorf("hook that hangs = %v", got)
		}
		close(release)
	})
}

// mutations are what hostile mutators do to a request.
func mutations() map[string]func(context.Context, *hooks.PreparedRequest) error {
	spoil := func(req *hooks.PreparedRequest) {
		req.SetRawBody([]byte(`{"spoiled":true}`))
		req.Header.Set("X-Spoiled", "1")
		req.Model, req.URL = "spoiled", "https://spoiled.example"
	}
	return map[string]func(context.Context, *hooks.PreparedRequest) error{
		"panic":     func(_ context.Context, req *hooks.PreparedRequest) error { spoil(req); panic(secretCanary) },
		"panic nil": func(_ context.Context, req *hooks.PreparedRequest) error { spoil(req); panicWith(nil); return nil },
		"error": func(_ context.Context, req *hooks.PreparedRequest) error {
			spoil(req)
			return errors.New("refused " + secretCanary)
		},
		"goexit": func(_ context.Context, req *hooks.PreparedRequest) error { spoil(req); runtime.Goexit(); return nil },
		"block": func(_ context.Context, req *hooks.PreparedRequest) error {
			time.Sleep(10 * time.Second)
			spoil(req)
			return nil
		},
		"sleep": func(ctx context.Context, req *hooks.PreparedRequest) error {
			spoil(req)
			<-ctx.Done()
			return ctx.Err()
		},
		"unprintable body": func(_ context.Context, req *hooks.PreparedRequest) error {
			req.SetBody(make(chan int))
			return nil
		},
	}
}

func TestHostileMutatorsThatFailOpen(t *testing.T) {
	t.Parallel()
	var want []string
	synctest.Test(t, func(t *testing.T) { want, _ = answers(newStage(t, nil), requestsEach) })
	for name, prepare := range mutations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, observing(hooks.Mutate("vandal", prepare), ccproxy.HookSpec{}))
				got, took := answers(s, requestsEach)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("answers (-without the mutator +with it):\n%s", diff)
				}
				// The fuse blows at five failures of at most two seconds each.
				if took > 5*2*time.Second {
					t.Errorf("the mutator cost the requests %v", took)
				}
				for _, r := range s.up.Requests() {
					if strings.Contains(string(r.Body), "spoiled") || r.Header.Get("X-Spoiled") != "" {
						t.Errorf("what the mutator did before it failed went upstream: %s", r.Body)
					}
				}
				health := detailsOf(t, s, "hostile")["hooks"].([]any)[0].(map[string]any)
				if health["fused"] != true && health["abandoned"] != 4.0 { // one that blocks runs out of goroutines first
					t.Errorf("health of the hook = %v", health)
				}
			})
		})
	}
}

func TestHostileMutatorsThatFailClosed(t *testing.T) {
	t.Parallel()
	for name, prepare := range mutations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, observing(hooks.Mutate("vandal", prepare), ccproxy.HookSpec{FailClosed: true, Timeout: time.Second}))
				for i := range requestsEach {
					path := []string{echoMessages, claudeMessages}[i%2]
					begun := time.Now()
					w := s.post(t.Context(), path, wholeRequest)
					if took := time.Since(begun); took > time.Second {
						t.Errorf("refusal took %v", took)
					}
					var e struct {
						Type  string `json:"type"`
						Error struct{ Type, Message string }
					}
					if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != http.StatusServiceUnavailable ||
						e.Type != "error" || e.Error.Type == "" || e.Error.Message == "" {
						t.Fatalf("answer %d %s, want a 503 in Anthropic's dialect", w.Code, w.Body)
					}
					noCanary(t, "the answer", w.Body.String())
				}
				if n := len(s.up.Requests()); n != 0 {
					t.Errorf("%d requests went upstream", n)
				}
				checkLedger(t, s.log.take())
			})
		})
	}
}
