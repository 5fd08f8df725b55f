package ccproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/middleware"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

func newCall(ctx context.Context, t *testing.T, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://anything"+messagesPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestTransportMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	client := &http.Client{Transport: r.proxy.Transport()}
	req := newCall(t.Context(), t, wholeBody)
	req.Header.Set("X-Api-Key", "the caller's")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), providertest.DefaultText) {
		t.Errorf("got %d %s, %v", resp.StatusCode, body, err)
	}
	if resp.ContentLength != int64(len(body)) || resp.Request != req || resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("length %d of %d, header %v", resp.ContentLength, len(body), resp.Header)
	}
	if got := r.last(t); got.Header.Get("X-Api-Key") != rigKey || string(got.Body) != wholeBody {
		t.Errorf("the upstream got %+v", got)
	}
	r.completed(t)
}

func TestTransportOtherAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	client := &http.Client{Transport: r.proxy.Transport()}
	for target, want := range map[string]int{
		"http://x": 200, "http://x/": 200, "http://x/health": 200, "http://x/nothing": 404, "https://x/claude/v1/models": 200,
		"http://x/claude/v1/models/claude-fake-1": 200, "http://x" + messagesPath: 405,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			req, err := http.NewRequestWithContext(t.Context(), method, target, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatalf("%s %s: %v", method, target, err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != want || (len(body) == 0) != (method == http.MethodHead) {
				t.Errorf("%s %s: %d %q, %v", method, target, resp.StatusCode, body, err)
			}
		}
	}
}

func TestTransportErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	client := &http.Client{Transport: r.proxy.Transport()}
	r.upstream.Enqueue(providertest.Error(529, "overloaded_error", "Overloaded", http.Header{"Retry-After": {"3"}}), providertest.Drop())
	for _, want := range []int{529, 502} {
		resp, err := client.Do(newCall(t.Context(), t, wholeBody))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || want == 529 && resp.Header.Get("Retry-After") != "3" {
			t.Errorf("got %d %v", resp.StatusCode, resp.Header)
		}
		shapeOf(t, body)
	}
}

// Events come while the upstream is still at it; an answer that breaks off is an error, and a stream ends with its event.
func TestTransportStreams(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	gate := make(chan struct{})
	r.upstream.Enqueue(streamOf(startEvent, providertest.Gate(gate), providertest.Bytes(stopEvent)), streamOf(startEvent, providertest.Cut()))
	client := &http.Client{Transport: r.proxy.Transport()}
	resp, err := client.Do(newCall(t.Context(), t, streamBody))
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len(startEvent))
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != startEvent {
		t.Fatalf("got %q, %v", first, err)
	}
	close(gate)
	rest, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(rest) != stopEvent {
		t.Errorf("then %q, %v", rest, err)
	}
	resp, err = client.Do(newCall(t.Context(), t, streamBody))
	if err != nil {
		t.Fatal(err)
	}
	broken, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Error(err)
	}
	wantBroken(t, string(broken), startEvent)
	large := `{"x":"` + strings.Repeat("0", 9<<20) + `"}`
	r.upstream.Enqueue(providertest.CutAfter(len(large)-1, providertest.Raw(200, http.Header{"Content-Type": {"application/json"}}, large)))
	resp, err = client.Do(newCall(t.Context(), t, wholeBody))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a cut answer of %d bytes looks whole", len(got))
	}
}

var errCaller = errors.New("the caller's own reason")

// However a caller leaves, the upstream is told at once.
func TestTransportCancel(t *testing.T) {
	t.Parallel()
	for _, body := range []string{wholeBody, streamBody} {
		r := newRig(t, rigSetup{})
		arrived := make(chan struct{}, 1)
		r.upstream.Handler = func(providertest.Request) providertest.Reply {
			arrived <- struct{}{}
			return providertest.Stall(nil, nil)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-arrived; cancel(errCaller) }()
		_, err := r.proxy.Transport().RoundTrip(newCall(ctx, t, body))
		if !errors.Is(err, errCaller) {
			t.Errorf("before the header: %v", err)
		}
		<-r.upstream.Canceled()
		if end := r.failed(t); !end.ClientGone || end.Status != 499 {
			t.Errorf("request.failed = %+v", end)
		}
	}
}

func TestTransportTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	r.upstream.Enqueue(providertest.Stall(nil, nil))
	client := &http.Client{Transport: r.proxy.Transport(), Timeout: 20 * time.Millisecond}
	if _, err := client.Do(newCall(t.Context(), t, wholeBody)); err == nil {
		t.Error("a timeout is no error")
	}
	if end := r.failed(t); !end.ClientGone || end.Status != 499 {
		t.Errorf("request.failed = %+v", end)
	}
}

func TestTransportCancelInTheStream(t *testing.T) {
	t.Parallel()
	leave := map[string]func(*http.Response, context.CancelFunc){
		"context": func(_ *http.Response, cancel context.CancelFunc) { cancel() },
		"close":   func(resp *http.Response, _ context.CancelFunc) { _ = resp.Body.Close() },
	}
	for name, how := range leave {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigSetup{})
			r.upstream.Enqueue(streamOf(startEvent, providertest.Gate(nil)))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			resp, err := r.proxy.Transport().RoundTrip(newCall(ctx, t, streamBody))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(resp.Body, make([]byte, len(startEvent))); err != nil {
				t.Fatal(err)
			}
			how(resp, cancel)
			if n, err := resp.Body.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("the stream goes on with %d bytes, %v", n, err)
			}
			resp.Body.Close()
			<-r.upstream.Canceled()
			if end := r.failed(t); !end.ClientGone || end.Status != 499 || !end.Streamed {
				t.Errorf("request.failed = %+v", end)
			}
		})
	}
}

// TestTransportCancelIsNoEnd has many calls canceled at once, whose handlers hear of it before whoever tells the reader,
// or after: a canceled answer must not look like a whole one.
func TestTransportCancelIsNoEnd(t *testing.T) {
	t.Parallel()
	const calls = 2000
	half := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.WriteString(w, "half"); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	})
	r := newRig(t, rigSetup{quiet: true, plugins: []ccproxy.Factory{ccproxy.NewFactory(ccproxy.Manifest{
		Name: "half", Middleware: []ccproxy.MiddlewareSpec{{
			Name: "half", Layer: middleware.LayerApplication, New: func(*ccproxy.PluginContext) (middleware.Func, error) {
				return func(http.Handler) http.Handler { return half }, nil
			},
		}},
	}, nil)}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun, ended sync.WaitGroup
	for range calls {
		begun.Add(1)
		ended.Go(func() {
			resp, err := r.proxy.Transport().RoundTrip(newCall(ctx, t, streamBody))
			if err != nil {
				t.Error(err)
				begun.Done()
				return
			}
			defer resp.Body.Close()
			_, err = io.ReadFull(resp.Body, make([]byte, len("half")))
			begun.Done()
			if rest, end := io.ReadAll(resp.Body); err != nil || !errors.Is(end, context.Canceled) || len(rest) > 0 {
				t.Errorf("%v; after the end of the context: %q, %v", err, rest, end)
			}
		})
	}
	begun.Wait()
	cancel()
	ended.Wait()
}

func TestTransportOutOfService(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true, waiting: true})
	rt := r.proxy.Transport()
	ask := func(when string) {
		resp, err := rt.RoundTrip(newCall(t.Context(), t, wholeBody))
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		e, shape := shapeOf(t, body)
		if resp.StatusCode != http.StatusServiceUnavailable || shape != anthropicDialect || e.Error.Type != "overloaded_error" ||
			resp.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d %v %s", when, resp.StatusCode, resp.Header, body)
		}
	}
	ask("before Start")
	if err := r.proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.proxy.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask("after Shutdown")
}

// Guards against strangers are skipped, the other middleware is not; the caller is known to hooks.
func TestTransportMiddlewareAndCaller(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var passed []string
	layer := func(name string, l middleware.Layer) ccproxy.MiddlewareSpec {
		return ccproxy.MiddlewareSpec{Name: name, Layer: l, New: func(*ccproxy.PluginContext) (middleware.Func, error) {
			return func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					passed = append(passed, name)
					mu.Unlock()
					next.ServeHTTP(w, r)
				})
			}, nil
		}}
	}
	r := newRig(t, rigSetup{plugins: []ccproxy.Factory{ccproxy.NewFactory(ccproxy.Manifest{
		Name: "layers", Middleware: []ccproxy.MiddlewareSpec{
			layer("guard", middleware.LayerSecurity), layer("late", middleware.LayerApplication),
		},
	}, nil)}})
	rt := r.proxy.Transport(ccproxy.TransportCaller(ccproxy.Caller{ID: "batch"}))
	for _, want := range []string{"batch", "own"} {
		ctx := t.Context()
		if want == "own" {
			ctx = ccproxy.ContextWithCaller(ctx, ccproxy.Caller{ID: "own"})
		}
		resp, err := rt.RoundTrip(newCall(ctx, t, wholeBody))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if got := r.completed(t); got.CallerID != want {
			t.Errorf("caller = %q, want %q", got.CallerID, want)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(passed, " "); got != "late late" {
		t.Errorf("middleware that ran: %s", got)
	}
}

// Many calls at once, some of which are given up, do not meet.
func TestTransportConcurrent(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	r.upstream.Handler = func(req providertest.Request) providertest.Reply {
		_, marker, _ := strings.Cut(string(req.Body), "marker-")
		marker, _, _ = strings.Cut(marker, `"`)
		return providertest.Message("answer-" + marker)
	}
	client := &http.Client{Transport: r.proxy.Transport()}
	var calls sync.WaitGroup
	for i := range 200 {
		calls.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			body := fmt.Sprintf(`{"model":"m","max_tokens":9,"stream":%v,"messages":[{"role":"user","content":"marker-%d"}]}`, i%2 == 0, i)
			resp, err := client.Do(newCall(ctx, t, body))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if i%5 == 0 {
				cancel()
			}
			got, err := io.ReadAll(resp.Body)
			if n := strings.Count(string(got), "answer-"); i%5 != 0 && (err != nil || !strings.Contains(string(got), fmt.Sprintf(`answer-%d"`, i)) || n != 1) {
				t.Errorf("call %d: %q, %v", i, got, err)
			}
		})
	}
	calls.Wait()
}
