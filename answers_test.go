package ccproxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// object is an answer of about size bytes.
func object(size int) string { return `{"type":"message","text":"` + strings.Repeat("x", size) + `"}` }

// later answers when some time has passed.
func later(wait time.Duration, next providertest.Reply) providertest.Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(wait)
		next(w, r)
	}
}

func jsonReply(status int, body string) providertest.Reply {
	return providertest.Raw(status, http.Header{"Content-Type": {"application/json"}}, body)
}

// A host's server may give an answer less time than a model thinks: what comes after that is still delivered whole.
func TestAnswersOutlastTheHostsWriteTimeout(t *testing.T) {
	t.Parallel()
	const failure = `{"type":"error","error":{"type":"overloaded_error","message":"the reason"}}`
	tests := []struct {
		name   string
		reply  providertest.Reply
		status int
		want   string // "" stands for an error of the proxy's own
	}{
		{"small", jsonReply(200, object(5)), 200, object(5)},
		{"large", jsonReply(200, object(7<<20)), 200, object(7 << 20)},
		{"passed on in pieces", jsonReply(200, object(9<<20)), 200, object(9 << 20)},
		{"upstream's error", jsonReply(529, failure), 529, failure},
		{"nothing", providertest.Drop(), 502, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigSetup{quiet: true})
				s := newHost(t, r.proxy, false)
				s.server.WriteTimeout = time.Second
				r.upstream.Enqueue(later(time.Minute, tt.reply))
				resp, err := s.client.Do(newCall(t.Context(), t, wholeBody))
				if err != nil {
					t.Fatal(err)
				}
				rec := received(t, resp)
				if tt.want == "" {
					wantError(t, rec, anthropicDialect, tt.status, "api_error", "")
				} else if rec.Code != tt.status || rec.Body.String() != tt.want {
					t.Errorf("got %d and %d bytes, want %d and %d", rec.Code, rec.Body.Len(), tt.status, len(tt.want))
				}
			})
		})
	}
}

// A client that takes nothing of a whole answer is given up after the write timeout, so that no drain waits for it.
func TestUnreadAnswer(t *testing.T) {
	t.Parallel()
	for _, size := range []int{7 << 20, 9 << 20} { // held back until it is whole, and passed on
		for set, limit := range map[time.Duration]time.Duration{0: 30 * time.Second, time.Second: time.Second} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{WriteTimeout: set}}})
				r.upstream.Enqueue(jsonReply(200, object(size)))
				newHost(t, r.proxy, false).sending(t, announced(len(wholeBody), "")+wholeBody)
				begun := time.Now()
				synctest.Wait() // the proxy is at the first piece
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := r.proxy.Drain(ctx); err != nil {
					t.Errorf("Drain = %v", err)
				}
				if took := time.Since(begun); took == 0 || took > limit {
					t.Errorf("the drain took %v, want at most %v", took, limit)
				}
				if end := r.failed(t); !end.ClientGone || end.ResponseBytes >= int64(size) {
					t.Errorf("request.failed = %+v", end)
				}
			})
		}
	}
}

// A client that reads slowly gets all of it, however long that takes.
func TestSlowlyReadAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 7 << 20
		r := newRig(t, rigSetup{})
		r.upstream.Enqueue(jsonReply(200, object(size)))
		conn := newHost(t, r.proxy, false).sending(t, announced(len(wholeBody), "")+wholeBody)
		resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 128<<10), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var got int64
		for err == nil {
			time.Sleep(10 * time.Second)
			var n int64
			n, err = io.CopyN(io.Discard, resp.Body, 64<<10)
			got += n
		}
		if err != io.EOF || got != int64(len(object(size))) {
			t.Errorf("read %d of %d bytes: %v", got, size, err)
		}
		r.completed(t)
	})
}

// closing is an answer that says nothing of its length and ends with its connection.
func closing(body string) providertest.Reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return // the client sees no answer, and the test fails
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"+body)
		conn.Close()
	}
}

// Where the end of an answer is that of its connection, only the JSON tells a break from the end.
func TestAnswerWithoutLength(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	whole := `{"type":"message","content":[{"type":"text","text":"half"}],"usage":{"input_tokens":1}}`
	for n := range len(whole) {
		r.upstream.Enqueue(closing(whole[:n]))
		wantError(t, r.post(t, wholeBody), anthropicDialect, http.StatusBadGateway, "api_error", "the provider's answer")
	}
	for _, body := range []string{whole, whole + "\n"} {
		r.upstream.Enqueue(closing(body))
		if rec := r.post(t, wholeBody); rec.Code != http.StatusOK || rec.Body.String() != body {
			t.Errorf("got %d %q, want the whole answer", rec.Code, rec.Body)
		}
	}
}

// A client that has its stream's terminal event may leave before the upstream closes: nothing has failed.
func TestClientLeavesAfterTheEnd(t *testing.T) {
	t.Parallel()
	for way, last := range map[string]string{messagesPath: "message_stop", "/claude/v1/chat/completions": "[DONE]"} {
		for _, http2 := range []bool{false, true} {
			ends := make(chan *hooks.ProviderStreamEnd, 1)
			r := newRig(t, rigSetup{hooks: []hooks.Hook{
				hooks.On("end", func(_ context.Context, _ *hooks.Context, p *hooks.ProviderStreamEnd) error {
					ends <- p
					return nil
				}),
			}})
			turn := append(providertest.TextEvents("claude-fake-1", "Hi there"), providertest.Gate(nil))
			r.upstream.Enqueue(providertest.Stream(turn...))
			ctx, cancel := context.WithCancel(t.Context())
			req := newCall(ctx, t, streamBody)
			req.URL.Path = way
			resp, err := newHost(t, r.proxy, http2).client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(resp.Body)
			for line := ""; !strings.Contains(line, last); {
				if line, err = in.ReadString('\n'); err != nil {
					t.Fatalf("%s: %v", way, err)
				}
			}
			_, _ = in.ReadString('\n') // the blank line
			cancel()
			resp.Body.Close()
			<-r.upstream.Canceled()
			if end := r.completed(t); !end.Streamed || end.Status != http.StatusOK || end.Usage == nil {
				t.Errorf("%s: request.completed = %+v", way, end)
			}
			if end := <-ends; !end.Complete || end.Err != "" {
				t.Errorf("%s: provider.stream.end = %+v", way, end)
			}
		}
	}
}

// A stream that cannot be converted ends there: its client does not wait for the upstream to close it.
func TestUnconvertibleStreamEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{})
	r.upstream.Enqueue(streamOf(startEvent+"event: content_block_delta\ndata: {\"type\":7}\n\n", providertest.Gate(nil)))
	rec := r.do(t, http.MethodPost, "/claude/v1/chat/completions", nil, strings.NewReader(streamBody))
	if got := rec.Body.String(); !strings.Contains(got, `"error":{`) || strings.Contains(got, "[DONE]") {
		t.Errorf("got %d %s", rec.Code, got)
	}
	<-r.upstream.Canceled()
	if end := r.failed(t); end.ClientGone {
		t.Errorf("request.failed = %+v", end)
	}
}

// scripted is a provider whose answers are made by a test.
type scripted struct {
	models []ccproxy.Model
	do     func(*ccproxy.Call) *ccproxy.Answer
	fail   error // instead of answers
}

func (s scripted) Models(context.Context) ([]ccproxy.Model, error) { return s.models, nil }

func (s scripted) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	return s.do(call), nil
}

// factory mounts the provider at /scripted.
func (s scripted) factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "scripted", Kind: ccproxy.KindProvider,
		Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.AnthropicMessages},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return s, nil },
		}},
	}, nil)
}

// What a provider's Connection header names is the provider's own: the proxy's headers for browsers stay.
func TestConnectionNamesInAnswers(t *testing.T) {
	t.Parallel()
	const page = "https://app.example.com"
	answer := func(call *ccproxy.Call) *ccproxy.Answer {
		ans := &ccproxy.Answer{
			Header: http.Header{
				"Connection": {"close, X-Hop, vary", "Access-Control-Allow-Origin, X-Request-Id, Content-Type"},
				"X-Hop":      {"canary"}, "X-End": {"kept"}, "Vary": {"X-End"}, "Content-Type": {"application/json"},
				"Access-Control-Allow-Origin": {"https://evil.example.com"}, "X-Request-Id": {"forged"},
			},
			Body: io.NopCloser(strings.NewReader(object(1))),
		}
		switch call.Model {
		case "stream":
			ans.Body, ans.Stream = io.NopCloser(strings.NewReader(wholeTurn)), true
		case "error":
			ans.Status = http.StatusTooManyRequests
		}
		return ans
	}
	p := running(t, ccproxy.Settings{Security: ccproxy.Security{Origins: []string{page}}}, []ccproxy.Factory{
		scripted{models: []ccproxy.Model{{ID: "m"}}, do: answer}.factory(),
	})
	origin := http.Header{"Origin": {page}}
	check := func(what string, rec *httptest.ResponseRecorder) {
		t.Helper()
		h := rec.Header()
		vary := strings.Join(h["Vary"], ",")
		if h.Get("Access-Control-Allow-Origin") != page || !strings.Contains(vary, "Origin") {
			t.Errorf("%s: the page may not read it: %v", what, h)
		}
		if id := h.Get("X-Request-Id"); id == "" || id == "forged" || h.Get("Connection") != "" || h.Get("X-Hop") != "" {
			t.Errorf("%s: header = %v", what, h)
		}
	}
	for model, typ := range map[string]string{
		"whole": "application/json", "stream": "text/event-stream; charset=utf-8", "error": "application/json",
	} {
		rec := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/scripted/v1/messages",
			strings.NewReader(`{"model":"`+model+`"}`))
		req.Header = origin.Clone()
		p.ServeHTTP(rec, req)
		check(model, rec)
		if got := rec.Header().Get("Content-Type"); got != typ || rec.Header().Get("X-End") != "kept" {
			t.Errorf("%s: header = %v, want type %s", model, rec.Header(), typ)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		rec := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), method, "/scripted/v1/models", nil)
		req.Header = origin.Clone()
		p.ServeHTTP(rec, req)
		check(method, rec)
		if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v", method, rec.Code, rec.Header())
		}
	}
}

// Who may use some models only is shown these, whoever it was that said so.
func TestModelsShownToACaller(t *testing.T) {
	t.Parallel()
	settings := ccproxy.Settings{Security: ccproxy.Security{Keys: []ccproxy.APIKey{
		{Name: "bob", Value: ccproxy.NewSecret(bobKey), Models: []string{"open"}},
		{Name: "alice", Value: ccproxy.NewSecret(aliceKey)},
	}}}
	p := running(t, settings, []ccproxy.Factory{
		scripted{models: []ccproxy.Model{{ID: "open"}, {ID: "closed"}}}.factory(),
	})
	tests := []struct {
		name, key string
		caller    *ccproxy.Caller
		want      map[string]bool // models that are shown
	}{
		{"key of one", bobKey, nil, map[string]bool{"open": true}},
		{"key of all", aliceKey, nil, map[string]bool{"open": true, "closed": true}},
		{"caller of one", "", &ccproxy.Caller{ID: "c", Models: []string{"closed"}}, map[string]bool{"closed": true}},
		{"caller of none", "", &ccproxy.Caller{ID: "c", Models: []string{}}, map[string]bool{}},
		{"caller of all", "", &ccproxy.Caller{ID: "c"}, map[string]bool{"open": true, "closed": true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			get := func(path string) *httptest.ResponseRecorder {
				ctx := t.Context()
				if tt.caller != nil {
					ctx = ccproxy.ContextWithCaller(ctx, *tt.caller)
				}
				req := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
				req.Header.Set("X-Api-Key", tt.key)
				rec := httptest.NewRecorder()
				p.ServeHTTP(rec, req)
				return rec
			}
			list := get("/scripted/v1/models").Body.String()
			for _, id := range []string{"open", "closed"} {
				one := get("/scripted/v1/models/" + id).Code
				if listed := strings.Contains(list, `"`+id+`"`); listed != tt.want[id] || (one == http.StatusOK) != listed {
					t.Errorf("%s is shown in the list: %t, alone: %d; want %t", id, listed, one, tt.want[id])
				}
			}
		})
	}
}

// inRoute serves one request with a plugin's handler at /route/x.
func inRoute(handler func(*ccproxy.PluginContext, http.ResponseWriter, *http.Request)) ccproxy.Factory {
	return plain(ccproxy.Manifest{Name: "route", Routes: []ccproxy.RouteSpec{{
		Prefix: "/route", Endpoints: []ccproxy.Endpoint{{Pattern: "/x", WebSocket: true}},
		New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(pc, w, r) }), nil
		},
	}}})
}

// A stream that cannot be flushed does not begin, so that its handler can still answer otherwise.
func TestOpenWithoutFlusher(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{
		inRoute(func(pc *ccproxy.PluginContext, w http.ResponseWriter, r *http.Request) {
			events, err := pc.Streams.Open(w, r)
			if err != nil {
				http.Error(w, fmt.Sprint("cannot stream: ", err), http.StatusNotImplemented)
				return
			}
			_ = events.Send(adapters.Event{Type: "hello", Data: []byte("{}")})
		}),
	})
	rec := httptest.NewRecorder()
	p.ServeHTTP(plainWriter{rec}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/route/x", nil))
	if rec.Code != http.StatusNotImplemented || rec.Header().Get("Content-Type") != "text/plain; charset=utf-8" ||
		!strings.HasPrefix(rec.Body.String(), "cannot stream: ") || rec.Header().Get("X-Accel-Buffering") != "" {
		t.Errorf("got %d %v %q", rec.Code, rec.Header(), rec.Body)
	}
	rec = visit(p, http.MethodGet, "/route/x", "")
	if rec.Code != http.StatusOK || rec.Body.String() != "event: hello\ndata: {}\n\n" {
		t.Errorf("with a flusher: %d %q", rec.Code, rec.Body)
	}
}

// An endpoint for WebSockets can take its connection over, in the way that libraries for them do.
func TestWebSocketEndpointHijacks(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{plugins: []ccproxy.Factory{
		inRoute(func(_ *ccproxy.PluginContext, w http.ResponseWriter, _ *http.Request) {
			h, ok := w.(http.Hijacker)
			if !ok {
				http.Error(w, "no hijacker", http.StatusInternalServerError)
				return
			}
			conn, _, err := h.Hijack()
			if err != nil {
				http.Error(w, err.Error(), http.StatusNotImplemented)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nframe")
		}),
	}})
	const handshake = "GET /route/x HTTP/1.1\r\nHost: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	got := newHost(t, r.proxy, false).raw(t, handshake)
	if !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.HasSuffix(got, "\r\n\r\nframe") {
		t.Errorf("got %q", got)
	}
	if end := r.completed(t); end.Status != http.StatusSwitchingProtocols {
		t.Errorf("request.completed = %+v", end)
	}
	if rec := r.do(t, http.MethodGet, "/route/x", nil, nil); rec.Code != http.StatusNotImplemented {
		t.Errorf("a writer without connection: %d %s", rec.Code, rec.Body)
	}
	r.failed(t)
}

// markOnce adds to a header what shows how often it ran.
type markOnce struct{}

func (markOnce) Name() string                                 { return "mark" }
func (markOnce) Events() []hooks.Event                        { return nil }
func (markOnce) Handle(context.Context, *hooks.Context) error { return nil }

func (markOnce) Prepare(_ context.Context, req *hooks.PreparedRequest) error {
	req.Header.Add("X-Mark", "ran")
	return nil
}

// Mutators run once for each request, also where a provider of the toolkit does not say that it runs them itself.
func TestMutatorsRunOnce(t *testing.T) {
	t.Parallel()
	for _, says := range []bool{false, true} {
		toolkit := ccproxy.NewFactory(ccproxy.Manifest{
			Name: "mine", Kind: ccproxy.KindProvider,
			Providers: []ccproxy.ProviderSpec{{
				Formats: []adapters.Format{adapters.AnthropicMessages}, SelfPrepared: says,
				New: func(pc *ccproxy.PluginContext) (ccproxy.Provider, error) {
					return providers.NewProvider(pc, providers.Upstream{
						BaseURL: "https://mine.example", Formats: []adapters.Format{adapters.AnthropicMessages},
						RequestHeaders: []string{"X-Mark"},
					})
				},
			}},
		}, nil)
		r := newRig(t, rigSetup{plugins: []ccproxy.Factory{toolkit}, hooks: []hooks.Hook{markOnce{}}})
		r.upstream.Enqueue(jsonReply(200, object(1)))
		if rec := r.do(t, http.MethodPost, "/mine/v1/messages", nil, strings.NewReader(wholeBody)); rec.Code != http.StatusOK {
			t.Errorf("got %d %s", rec.Code, rec.Body)
		}
		if diff := cmp.Diff([]string{"ran"}, r.last(t).Header["X-Mark"]); diff != "" {
			t.Errorf("SelfPrepared %t (-want +got):\n%s", says, diff)
		}
	}
}
