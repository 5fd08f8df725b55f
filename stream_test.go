package ccproxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

const (
	startEvent = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-fake-1\"," +
		"\"usage\":{\"input_tokens\":7,\"cache_read_input_tokens\":3,\"output_tokens\":1}}}\n\n"
	deltaEvent = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"é\"}}\n\n"
	usageEvent = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":42}}\n\n"
	stopEvent  = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	wholeTurn  = startEvent + deltaEvent + usageEvent + stopEvent
)

func streamOf(s string, more ...providertest.Part) providertest.Reply {
	return providertest.Stream(append([]providertest.Part{providertest.Bytes(s)}, more...)...)
}

// wantBroken checks a stream that ends early: the whole events, one error event in the dialect, and no success.
func wantBroken(t *testing.T, got, events string) {
	t.Helper()
	tail, ok := strings.CutPrefix(got, events)
	data, isError := strings.CutPrefix(tail, "event: error\ndata: ")
	if !ok || !isError || strings.Count(got, "event: error") != 1 || !strings.HasSuffix(data, "\n\n") {
		t.Fatalf("got %q\nwant %q and one error event", got, events)
	}
	e, shape := shapeOf(t, []byte(data))
	if shape != anthropicDialect || e.Error.Type == "" || strings.Contains(tail, "message_stop") {
		t.Errorf("the stream ends with %q", tail)
	}
}

// What fails before the first event is an answer with a status, since nothing was promised yet.
func TestEarlyStreamFailures(t *testing.T) {
	t.Parallel()
	header := http.Header{"Retry-After": {"9"}, "Request-Id": {"req_1"}}
	errorEvent := func(typ string) providertest.Reply {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "9")
			providertest.Stream(providertest.Bytes(": hello\n\n"), providertest.ErrorEvent(typ, "the reason"), providertest.Bytes(": x\n\n"))(w, r)
		}
	}
	tests := []struct {
		name   string
		reply  providertest.Reply
		status int
		typ    string
		names  string
	}{
		{"drop", providertest.Drop(), 502, "api_error", "could not be reached"},
		{"nothing", providertest.Stream(), 502, "api_error", "broke off"},
		{"cut", providertest.Stream(providertest.Cut()), 502, "api_error", "broke off"},
		{"reset", providertest.Stream(providertest.Reset()), 502, "api_error", "broke off"},
		{"comments only", streamOf(": one\n\n: two\n\n"), 502, "api_error", "broke off"},
		{"comments and a cut", streamOf(": one\n\n", providertest.Cut()), 502, "api_error", "broke off"},
		{"half an event", streamOf(startEvent[:40]), 502, "api_error", "broke off"},
		{"an event without its blank line", streamOf(strings.TrimSuffix(startEvent, "\n")), 502, "api_error", "broke off"},
		{"html", providertest.Raw(200, http.Header{"Content-Type": {"text/html"}}, "<html>\n\n</html>\n"), 502, "api_error", ""},
		{"html as JSON", providertest.Raw(200, http.Header{"Content-Type": {"application/json"}}, "<html>"), 502, "api_error", ""},
		{"redirect", providertest.Raw(307, http.Header{"Location": {"/x"}}, ""), 502, "api_error", "redirect"},
		{"500", providertest.Error(500, "api_error", "the reason", header), 500, "api_error", "the reason"},
		{"529", providertest.Error(529, "overloaded_error", "the reason", header), 529, "overloaded_error", "the reason"},
		{"429", providertest.Error(429, "rate_limit_error", "the reason", header), 429, "rate_limit_error", "the reason"},
		{"html 503", providertest.Raw(503, nil, "<html>"), 503, "overloaded_error", "503"},
		{"overloaded first", errorEvent("overloaded_error"), 529, "overloaded_error", "the reason"},
		{"rate limit first", errorEvent("rate_limit_error"), 429, "rate_limit_error", "the reason"},
		{"invalid first", errorEvent("invalid_request_error"), 400, "invalid_request_error", "the reason"},
		{"authentication first", errorEvent("authentication_error"), 401, "authentication_error", "the reason"},
		{"permission first", errorEvent("permission_error"), 403, "permission_error", "the reason"},
		{"not found first", errorEvent("not_found_error"), 404, "not_found_error", "the reason"},
		{"too large first", errorEvent("request_too_large"), 413, "request_too_large", "the reason"},
		{"timeout first", errorEvent("timeout_error"), 504, "timeout_error", "the reason"},
		{"api error first", errorEvent("api_error"), 500, "api_error", "the reason"},
		{"odd error first", errorEvent("odd_error"), 502, "odd_error", "the reason"},
		{"error without a name", streamOf("data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"the reason\"}}\n\n"), 529, "overloaded_error", "the reason"},
		{"error without sense", streamOf("event: error\ndata: oops\n\n"), 502, "api_error", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigSetup{})
			r.upstream.Enqueue(tt.reply)
			rec := r.post(t, streamBody)
			status, typ := tt.status, tt.typ
			if strings.HasPrefix(rec.Body.String(), `{"type":"error"`) && strings.Contains(rec.Body.String(), "req_1") {
				// The upstream's own bytes carry its own request id.
				e, _ := shapeOf(t, rec.Body.Bytes())
				if rec.Code != status || e.Error.Type != typ || e.Error.Message != tt.names {
					t.Errorf("got %d %s", rec.Code, rec.Body)
				}
			} else {
				wantError(t, rec, anthropicDialect, status, typ, tt.names)
			}
			if tt.names == "the reason" && tt.name != "error without a name" && rec.Header().Get("Retry-After") != "9" {
				t.Errorf("the hint of when to try again is lost: %v", rec.Header())
			}
			if cc := rec.Header().Get("X-Accel-Buffering"); cc != "" {
				t.Errorf("headers of a stream on an error: %v", rec.Header())
			}
			if got := r.failed(t); got.Status != status || got.ErrorType != typ || got.ClientGone || got.Streamed {
				t.Errorf("request.failed = %+v", got)
			}
		})
	}
}

type refusingTransport struct{ err error }

func (t refusingTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, t.err }

type timeoutError struct{}

func (timeoutError) Error() string   { return "secret address timed out" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// What a connection says of its failure, addresses and all, is not for clients.
func TestConnectErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
		typ    string
	}{
		{errors.New("dial tcp 10.1.2.3:443: secret address refused"), 502, "api_error"},
		{timeoutError{}, 504, "timeout_error"},
	} {
		for _, body := range []string{wholeBody, streamBody} {
			r := newRig(t, rigSetup{quiet: true, options: []ccproxy.Option{ccproxy.WithTransport(refusingTransport{tt.err})}})
			rec := r.post(t, body)
			wantError(t, rec, anthropicDialect, tt.status, tt.typ, "the provider")
			if strings.Contains(rec.Body.String(), "secret") {
				t.Errorf("body %s", rec.Body)
			}
		}
	}
}

// A stream that is cut anywhere gives the client its whole events and one error, never a normal end.
func TestStreamsCutAnywhere(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	ends := map[string][]providertest.Part{"end": nil, "cut": {providertest.Cut()}, "reset": {providertest.Reset()}}
	for name, end := range ends {
		for cut := len(startEvent); cut <= len(wholeTurn); cut++ {
			r.upstream.Enqueue(streamOf(wholeTurn[:cut], end...))
			got := r.post(t, streamBody).Body.String()
			if cut == len(wholeTurn) {
				if got != wholeTurn {
					t.Fatalf("%s after message_stop: got %q", name, got)
				}
				continue
			}
			wantBroken(t, got, wholeTurn[:strings.LastIndex(wholeTurn[:cut], "\n\n")+2])
		}
		r.upstream.Reset()
	}
}

// Each fault ends in one terminal event or an error status, is never taken for a success, and leaves nothing open.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range providertest.Faults() {
		for _, body := range []string{streamBody, wholeBody} {
			t.Run(fmt.Sprint(fault.Name, " stream ", body == streamBody), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, rigSetup{})
				s := newHost(t, r.proxy, false)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r.upstream.Handler = func(providertest.Request) providertest.Reply {
					if fault.Silent {
						cancel()
					}
					return fault.Reply
				}
				status, got, err := ask(ctx, s, body)
				stops, errorEvents := strings.Count(got, "event: message_stop\n"), strings.Count(got, "event: error\n")
				looksWhole := err == nil && status == http.StatusOK && errorEvents == 0
				switch {
				case fault.Silent:
					if req := <-r.upstream.Canceled(); req.Path != "/v1/messages" || !r.failed(t).ClientGone {
						t.Errorf("cancelled: %+v", req)
					}
					return
				case !fault.Whole && (looksWhole || stops > 0):
					t.Errorf("taken for a success: %d %q", status, got)
				case fault.Whole && looksWhole && body == streamBody && stops != 1:
					t.Errorf("a whole answer lost its end: %q", got[max(0, len(got)-200):])
				case stops+errorEvents > 1 || status == http.StatusOK && err == nil && stops+errorEvents != 1:
					t.Errorf("%d terminal events: %d %q", stops+errorEvents, status, got[max(0, len(got)-200):])
				}
				end := <-r.ends
				if _, completed := end.(*hooks.RequestCompleted); completed != looksWhole {
					t.Errorf("the client got %d with %d error events, hooks were told %T", status, errorEvents, end)
				}
			})
		}
	}
}

func ask(ctx context.Context, s *host, body string) (status int, got string, err error) {
	return askAt(ctx, s, messagesPath, body)
}

func askAt(ctx context.Context, s *host, path, body string) (status int, got string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://proxy"+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// Events of any size up to the limit pass.
func TestLargeEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, size := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 8 << 20, 32<<20 - 100} {
		data := `{"type":"content_block_delta","text":"` + strings.Repeat("a", size) + `"}`
		events := startEvent + "event: content_block_delta\ndata: " + data + "\n\n" + stopEvent
		r.upstream.Enqueue(streamOf(events))
		if got := r.post(t, streamBody).Body.String(); got != events {
			t.Errorf("%d bytes: got %d of %d", size, len(got), len(events))
		}
	}
}

func TestEventLimit(t *testing.T) {
	t.Parallel()
	const limit = 100 << 10
	r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{EventBytes: limit}}})
	event := func(data int) string { return "data: " + strings.Repeat("a", data) + "\n\n" }
	r.upstream.Enqueue(streamOf(startEvent + event(limit) + stopEvent))
	if got := r.post(t, streamBody).Body.String(); got != startEvent+event(limit)+stopEvent {
		t.Errorf("an event of the limit: got %d bytes", len(got))
	}
	r.completed(t)
	r.upstream.Enqueue(streamOf(startEvent + event(limit+1) + stopEvent))
	got := r.post(t, streamBody).Body.String()
	wantBroken(t, got, startEvent)
	if !strings.Contains(got, "too large") {
		t.Errorf("got %q", got)
	}
	r.failed(t)
	r.upstream.Enqueue(providertest.Stream(providertest.Bytes("data: "), func(_ context.Context, w io.Writer) error {
		_, err := io.Copy(w, io.LimitReader(zeroReader{}, 1<<40)) // ends only because the proxy hangs up
		return err
	}))
	wantError(t, r.post(t, streamBody), anthropicDialect, http.StatusBadGateway, "api_error", "too large")
	<-r.upstream.Canceled()
}

// Each event is at the client while the upstream is silent, with everything that a host might wrap around.
func TestEventsAreFlushed(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("http2 ", http2), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigSetup{settings: ccproxy.Settings{
					Limits: ccproxy.Limits{StreamIdle: time.Hour}, Streams: ccproxy.Streams{KeepAlive: time.Hour},
				}})
				s := newHost(t, r.proxy, http2)
				gate := make(chan struct{})
				events := []string{startEvent, ": ping\n\n", deltaEvent, "event: ping\ndata: {\"type\":\"ping\"}\n\n", usageEvent, stopEvent}
				var parts []providertest.Part
				for _, e := range events {
					parts = append(parts, providertest.Gate(gate), providertest.Bytes(e))
				}
				r.upstream.Enqueue(providertest.Stream(parts...))
				gateOpens := func() {
					time.Sleep(10 * time.Minute) // models think for long, and the write deadline is 30 seconds
					gate <- struct{}{}
				}
				go gateOpens()
				resp, err := s.client.Post("http://proxy"+messagesPath, "application/json", strings.NewReader(streamBody))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				in := bufio.NewReader(resp.Body)
				for i, e := range events {
					if i > 0 {
						gateOpens()
					}
					got := make([]byte, len(e))
					if _, err := io.ReadFull(in, got); err != nil || string(got) != e {
						t.Fatalf("event %d: got %q, %v", i, got, err)
					}
				}
				if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
					t.Errorf("then %q, %v", rest, err)
				}
				if end := r.completed(t); end.Duration != 10*time.Minute*time.Duration(len(events)) {
					t.Errorf("took %v", end.Duration)
				}
			})
		})
	}
}

// A client that takes nothing is let go after the write timeout, and the upstream with it.
func TestStalledClient(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{0, 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{WriteTimeout: timeout}}})
			s := newHost(t, r.proxy, false)
			tick := make(chan struct{})
			var parts []providertest.Part
			for range 100 {
				parts = append(parts, providertest.Bytes(startEvent), providertest.Gate(tick))
			}
			r.upstream.Enqueue(providertest.Stream(parts...))
			conn, err := s.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var ticking sync.WaitGroup
			t.Cleanup(ticking.Wait)
			ticking.Go(func() {
				for { // a slow stream, so that earlier deadlines have passed
					select {
					case <-t.Context().Done():
						return
					case tick <- struct{}{}:
						time.Sleep(700 * time.Millisecond)
					}
				}
			})
			_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: p\r\nContent-Length: %d\r\n\r\n%s", messagesPath, len(streamBody), streamBody)
			if err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			for seen := 0; seen < 10; {
				line, err := in.ReadString('\n')
				if err != nil {
					t.Fatalf("after %d events: %v", seen, err)
				}
				if strings.HasPrefix(line, "event: message_start") {
					seen++
				}
			}
			<-r.upstream.Canceled() // this client reads nothing more
			if end := r.failed(t); !end.ClientGone || end.Status != 499 {
				t.Errorf("request.failed = %+v", end)
			}
		})
	}
}

// A deadline of the host's own is told to the client, which is still there.
func TestHostDeadline(t *testing.T) {
	t.Parallel()
	deadline := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	for _, body := range []string{wholeBody, streamBody} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigSetup{options: []ccproxy.Option{ccproxy.WithMiddleware(deadline)}})
			r.upstream.Enqueue(providertest.Stall(nil, nil))
			wantError(t, r.post(t, body), anthropicDialect, http.StatusGatewayTimeout, "timeout_error", "longer than the server allows")
			if end := r.failed(t); end.ClientGone || end.Status != http.StatusGatewayTimeout {
				t.Errorf("request.failed = %+v", end)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigSetup{
			settings: ccproxy.Settings{Streams: ccproxy.Streams{KeepAlive: time.Hour}},
			options:  []ccproxy.Option{ccproxy.WithMiddleware(deadline)},
		})
		r.upstream.Enqueue(streamOf(startEvent, providertest.Gate(nil)))
		got := r.post(t, streamBody).Body.String()
		wantBroken(t, got, startEvent)
		if !strings.Contains(got, "timeout_error") {
			t.Errorf("got %q", got)
		}
	})
}

// Hooks learn what a turn cost, whole or as a stream, and whether they learned all of it.
func TestUsage(t *testing.T) {
	t.Parallel()
	full := hooks.Usage{InputTokens: 7, CacheReadInputTokens: 3, OutputTokens: 42, Model: "claude-fake-1"}
	begun := full
	begun.OutputTokens, begun.Partial = 1, true
	cut := full
	cut.Partial = true
	whole := `{"model":"claude-fake-1","usage":{"input_tokens":7,"cache_read_input_tokens":3,"output_tokens":42,"x":null}}`
	jsonType := http.Header{"Content-Type": {"application/json"}}
	tests := []struct {
		name      string
		reply     providertest.Reply
		body      string
		want      *hooks.Usage
		completed bool
	}{
		{"whole", providertest.Raw(200, jsonType, whole), wholeBody, &full, true},
		{"without usage", providertest.Raw(200, jsonType, `{"model":"m"}`), wholeBody, nil, true},
		{"odd usage", providertest.Raw(200, jsonType, `{"usage":{"input_tokens":-1,"output_tokens":"x"}}`), wholeBody, &hooks.Usage{}, true},
		{"stream", streamOf(wholeTurn), streamBody, &full, true},
		{"stream in CRLF", streamOf(strings.ReplaceAll(wholeTurn, "\n", "\r\n")), streamBody, &full, true},
		{"stream cut at once", streamOf(startEvent), streamBody, &begun, false},
		{"stream cut late", streamOf(startEvent + deltaEvent + usageEvent), streamBody, &cut, false},
		{"stream without usage", streamOf(deltaEvent + stopEvent), streamBody, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigSetup{})
			r.upstream.Enqueue(tt.reply)
			rec := r.post(t, tt.body)
			var got *hooks.Usage
			if tt.completed {
				end := r.completed(t)
				got = end.Usage
				if end.Streamed != (tt.body == streamBody) || end.ResponseBytes != int64(rec.Body.Len()) || end.Model != "claude-fake-1" {
					t.Errorf("request.completed = %+v", end)
				}
			} else {
				got = r.failed(t).Usage
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

// plainWriter is a host's writer that hides everything but the three methods.
type plainWriter struct{ rec *httptest.ResponseRecorder }

func (w plainWriter) Header() http.Header         { return w.rec.Header() }
func (w plainWriter) WriteHeader(status int)      { w.rec.WriteHeader(status) }
func (w plainWriter) Write(b []byte) (int, error) { return w.rec.Write(b) }

// A writer that cannot flush still gets the whole answer, only later.
func TestWriterWithoutFlusher(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, s := range []string{wholeTurn, wholeTurn[:len(wholeTurn)-len(stopEvent)]} {
		r.upstream.Enqueue(streamOf(s))
		rec := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, messagesPath, strings.NewReader(streamBody))
		r.proxy.ServeHTTP(plainWriter{rec}, req)
		if s == wholeTurn {
			if rec.Body.String() != s || rec.Flushed {
				t.Errorf("got %q", rec.Body)
			}
			continue
		}
		wantBroken(t, rec.Body.String(), s)
	}
}

// A provider that calls its stream JSON is understood where a stream was asked for.
func TestMislabelledStreamIsLive(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	s := newHost(t, r.proxy, false)
	gate := make(chan struct{})
	r.upstream.Enqueue(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, startEvent)
		_ = http.NewResponseController(w).Flush()
		<-gate
		_, _ = io.WriteString(w, stopEvent)
	})
	resp, err := s.client.Post("http://proxy"+messagesPath, "application/json", strings.NewReader(streamBody))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, len(startEvent))
	_, err = io.ReadFull(resp.Body, first)
	close(gate)
	rest, _ := io.ReadAll(resp.Body)
	if err != nil || string(first) != startEvent || string(rest) != stopEvent {
		t.Errorf("got %q, %v, then %q", first, err, rest)
	}
}

// An answer that is no whole object is an error, also where nothing else tells that it is not one.
func TestAnswersThatAreNoObjects(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, body := range []string{"", " ", "null", "[{}]", `"{}"`, "<html>{}", "<html>", `{"type":"message"`, "{", "}"} {
		r.upstream.Enqueue(providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, body))
		wantError(t, r.post(t, wholeBody), anthropicDialect, http.StatusBadGateway, "api_error", "not a JSON object")
	}
}
