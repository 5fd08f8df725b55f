package providertest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pt "github.com/ccproxy-go/ccproxy/providers/providertest"
)

func TestUpstreamRecordsRequests(t *testing.T) {
	t.Parallel()
	up := newUpstream(t)
	if _, ok := up.Last(); ok {
		t.Error("Last reports a request before the first")
	}
	body := "{\"model\" : \"\xff\\u00e9\"}\r\n"
	req := newRequest(t.Context(), t, "POST", "/v1/a%2Fb?beta=true&x", body)
	req.Header["X-Two"] = []string{"1", "2"}
	if _, _, err := do(t, up, req); err != nil {
		t.Fatal(err)
	}
	got, _ := up.Last()
	want := pt.Request{
		Method: "POST", Host: "upstream", Path: "/v1/a%2Fb", RawQuery: "beta=true&x", Body: []byte(body),
		Header: http.Header{
			"X-Api-Key": {"key"}, "Anthropic-Version": {"2023-06-01"}, "X-Two": {"1", "2"},
			"Content-Length": {"23"}, "User-Agent": {"Go-http-client/1.1"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Last() = %+v\nwant %+v", got, want)
	}
}

func TestUpstreamChoosesReply(t *testing.T) {
	t.Parallel()
	up := newUpstream(t)
	up.Handler = func(r pt.Request) pt.Reply {
		if strings.Contains(string(r.Body), "default") {
			return nil
		}
		return pt.Raw(201, http.Header{"x-from": {"handler"}}, r.Path)
	}
	up.Enqueue(pt.Raw(202, nil, "queue 1"), pt.Error(429, "rate_limit_error", "Slow down",
		http.Header{"retry-after": {"7"}, "request-id": {"req_mine"}}))
	tests := []struct {
		name, method, target, body string
		status                     int
		header, value, want        string
	}{
		{"other paths take nothing", "GET", "/v1/models", "", 201, "X-From", "handler", "/v1/models"},
		{"first", "POST", "/v1/messages?x", "", 202, "Request-Id", "", "queue 1"},
		{"second", "POST", "/v1/messages", "", 429, "Retry-After", "7", `{"type":"error","error":` +
			`{"type":"rate_limit_error","message":"Slow down"},"request_id":"req_mine"}`},
		{"handler", "POST", "/v1/messages", "", 201, "X-From", "handler", "/v1/messages"},
		{"default", "GET", "/v1/default", "default", 404, "Content-Type", "application/json", `{"type":"error",` +
			`"error":{"type":"not_found_error","message":"Not Found"},"request_id":"req_000000000000000000000005"}`},
	}
	for _, tt := range tests { // in order: the queue is shared
		res, body, err := do(t, up, newRequest(t.Context(), t, tt.method, tt.target, tt.body))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if res.StatusCode != tt.status || body != tt.want || res.Header.Get(tt.header) != tt.value {
			t.Errorf("%s: got %d %q, header %v", tt.name, res.StatusCode, body, res.Header)
		}
	}
}

func TestUpstreamReset(t *testing.T) {
	t.Parallel()
	up := newUpstream(t)
	up.Enqueue(pt.Message("a"), pt.Message("b"))
	if _, _, err := do(t, up, newRequest(t.Context(), t, "POST", "/v1/messages", hello)); err != nil {
		t.Fatal(err)
	}
	up.Reset()
	if n := len(up.Requests()); n != 0 {
		t.Errorf("%d requests after Reset", n)
	}
	_, body, err := do(t, up, newRequest(t.Context(), t, "POST", "/v1/messages", hello))
	if err != nil || !strings.HasPrefix(body, `{"id":"msg_000000000000000000000001"`) ||
		!strings.Contains(body, pt.DefaultText) {
		t.Errorf("after Reset: %s, %v", body, err)
	}
}

func TestUpstreamCanceled(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		reply pt.Reply
	}{
		{"before the header", pt.Stall(nil, nil)},
		{"before the first event", pt.Stream(pt.Gate(nil))},
		{"in the stream", pt.Stream(append(pt.TextEvents("m", "a b")[:4], pt.Gate(nil))...)},
		{"own reply", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"endless body", pt.HugeLine(1 << 40)},
		{"below a fault", pt.ResetAfter(1000, pt.Stall(nil, nil))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t)
			arrived := make(chan struct{})
			up.Handler = func(pt.Request) pt.Reply { close(arrived); return tt.reply }
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			if _, _, err := do(t, up, newRequest(ctx, t, "POST", "/v1/messages", helloStream)); err == nil {
				t.Error("a cancelled request succeeded")
			}
			if got := <-up.Canceled(); string(got.Body) != helloStream {
				t.Errorf("cancelled request = %+v", got)
			}
		})
	}
}

// A client that reads to the end and leaves has not cancelled anything.
func TestUpstreamEndedIsNotCanceled(t *testing.T) {
	t.Parallel()
	up := newUpstream(t)
	var clients sync.WaitGroup
	for range 200 {
		clients.Go(func() {
			req := newRequest(t.Context(), t, "POST", "/v1/messages", helloStream)
			req.Close = true
			res, err := up.Client().Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			var seen []byte
			for buf := make([]byte, 256); !strings.Contains(string(seen), `{"type":"message_stop"}`+"\n\n"); {
				n, err := res.Body.Read(buf)
				seen = append(seen, buf[:n]...)
				if err != nil {
					break
				}
			}
		})
	}
	clients.Wait()
	if err := up.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(up.Canceled()); n != 0 {
		t.Errorf("%d of 200 requests count as cancelled", n)
	}
}

func TestStallReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up pt.Upstream
		defer up.Close()
		release := make(chan struct{})
		up.Enqueue(pt.Stall(release, pt.Message("late")))
		start := time.Now()
		time.AfterFunc(3*time.Hour, func() { close(release) })
		_, body, err := do(t, &up, newRequest(t.Context(), t, "POST", "/v1/messages", hello))
		if err != nil || !strings.Contains(body, "late") {
			t.Errorf("got %s, %v", body, err)
		}
		if waited := time.Since(start); waited != 3*time.Hour {
			t.Errorf("answered after %v", waited)
		}
	})
}

func TestUpstreamClose(t *testing.T) {
	t.Parallel()
	var up pt.Upstream
	arrived, done := make(chan struct{}), make(chan error)
	up.Handler = func(pt.Request) pt.Reply { close(arrived); return pt.Stall(nil, nil) }
	go func() {
		_, _, err := do(t, &up, newRequest(t.Context(), t, "POST", "/v1/messages", hello))
		done <- err
	}()
	<-arrived
	if err := up.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-done; err == nil {
		t.Error("a request under way survived Close")
	}
	if _, _, err := do(t, &up, newRequest(t.Context(), t, "POST", "/v1/messages", hello)); err == nil {
		t.Error("a request after Close succeeded")
	}
}

func TestUpstreamServesHTTP(t *testing.T) {
	t.Parallel()
	var up pt.Upstream
	rec := httptest.NewRecorder()
	inbound := newRequest(t.Context(), t, "POST", "/v1/messages", helloStream)
	up.ServeHTTP(rec, inbound)
	if !strings.HasSuffix(rec.Body.String(), "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}
