package hosts

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

const (
	messagesPath = "/claude/v1/messages"
	wholeBody    = `{"model":"claude-fake-1","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`
	streamBody   = `{"model":"claude-fake-1","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`

	startEvent = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"}}\n\n"
	deltaEvent = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0," +
		"\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
	stopEvent = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	errorType = "event: error\n"
)

// TestHosts holds that clients see the same whatever there is around the proxy.
func TestHosts(t *testing.T) {
	t.Parallel()
	scenarios := []struct {
		name string
		run  func(t *testing.T, r *rig)
	}{
		{name: "whole answer", run: wholeAnswer},
		{name: "stream", run: stream},
		{name: "stream again", run: stream},
		{name: "error", run: upstreamError},
		{name: "error in a stream", run: brokenStream},
		{name: "cancel before the answer", run: cancelEarly},
		{name: "cancel in a stream", run: cancelStream},
		{name: "wrong paths and methods", run: wrongRequests},
		{name: "links", run: links},
		{name: "encoded paths", run: encodedPaths},
	}
	for _, h := range hosts() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, h)
			for _, sc := range scenarios {
				t.Run(sc.name, func(t *testing.T) { sc.run(t, r) })
			}
			r.checkLog(t)
		})
	}
}

// checkLog holds that a host that lets no stream through is named once, and that nothing else is wrong.
func (r *rig) checkLog(t *testing.T) {
	t.Helper()
	want := 0
	if r.host.whole {
		want = 1
	}
	if got := r.log.count("cannot flush"); got != want {
		t.Errorf("the log says %d times that nothing streams, want %d", got, want)
	}
	if r.log.count("panic")+r.log.count("level=ERROR")+r.log.count("superfluous") > 0 {
		t.Errorf("log:\n%s", r.log)
	}
}

// post starts a request to the messages endpoint.
func (r *rig) post(ctx context.Context, t *testing.T, body string) (*http.Response, error) {
	t.Helper()
	return r.send(ctx, t, http.MethodPost, messagesPath, body)
}

func (r *rig) send(ctx context.Context, t *testing.T, method, path, body string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, r.server.URL+r.host.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r.client.Do(req)
}

// ask returns a whole answer.
func (r *rig) ask(t *testing.T, method, path, body string) (*http.Response, string) {
	t.Helper()
	resp, err := r.send(t.Context(), t, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, string(got)
}

func wholeAnswer(t *testing.T, r *rig) {
	t.Helper()
	resp, body := r.ask(t, http.MethodPost, messagesPath, wholeBody)
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, providertest.DefaultText) || !json.Valid([]byte(body)) {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
	if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type = %q", ct)
	}
}

// stream holds that each event is at the client before the next is sent, or that all of it arrives in the end.
func stream(t *testing.T, r *rig) {
	t.Helper()
	events := []string{startEvent, deltaEvent, deltaEvent, stopEvent}
	gate := make(chan struct{}, len(events))
	var parts []providertest.Part
	for _, e := range events {
		parts = append(parts, providertest.Gate(gate), providertest.Bytes(e))
	}
	r.upstream.Enqueue(providertest.Stream(parts...))
	gate <- struct{}{}
	for range len(events) - 1 {
		if r.host.whole {
			gate <- struct{}{}
		}
	}
	resp, err := r.post(t.Context(), t, streamBody)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") {
		t.Errorf("content type = %q", ct)
	}
	for i, e := range events {
		got := make([]byte, len(e))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != e {
			t.Fatalf("event %d: got %q, %v", i, got, err)
		}
		if !r.host.whole {
			gate <- struct{}{}
		}
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("then %q, %v", rest, err)
	}
}

func upstreamError(t *testing.T, r *rig) {
	t.Helper()
	for _, body := range []string{wholeBody, streamBody} {
		r.upstream.Enqueue(providertest.Error(529, "overloaded_error", "Overloaded", http.Header{"Retry-After": {"7"}}))
		resp, got := r.ask(t, http.MethodPost, messagesPath, body)
		if resp.StatusCode != 529 || resp.Header.Get("Retry-After") != "7" || !strings.Contains(got, "overloaded_error") {
			t.Errorf("got %d %v %s", resp.StatusCode, resp.Header, got)
		}
	}
}

func brokenStream(t *testing.T, r *rig) {
	t.Helper()
	r.upstream.Enqueue(providertest.Stream(providertest.Bytes(startEvent), providertest.Bytes(deltaEvent), providertest.Cut()))
	resp, got := r.ask(t, http.MethodPost, messagesPath, streamBody)
	rest, ok := strings.CutPrefix(got, startEvent+deltaEvent)
	if resp.StatusCode != http.StatusOK || !ok || strings.Count(rest, errorType) != 1 || strings.Contains(rest, stopEvent) {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
}

func cancelEarly(t *testing.T, r *rig) {
	t.Helper()
	for _, body := range []string{wholeBody, streamBody} {
		ctx, cancel := context.WithCancel(t.Context())
		r.upstream.Enqueue(func(_ http.ResponseWriter, up *http.Request) {
			cancel()
			<-up.Context().Done()
		})
		resp, err := r.post(ctx, t, body)
		if err == nil {
			_ = resp.Body.Close()
			t.Errorf("got %d", resp.StatusCode)
		}
		<-r.upstream.Canceled()
	}
}

func cancelStream(t *testing.T, r *rig) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sent := make(chan struct{})
	r.upstream.Enqueue(providertest.Stream(providertest.Bytes(startEvent),
		func(context.Context, io.Writer) error { close(sent); return nil }, providertest.Gate(nil)))
	if r.host.whole {
		go func() { <-sent; cancel() }()
	}
	resp, err := r.post(ctx, t, streamBody)
	if err == nil {
		_, err = io.ReadFull(resp.Body, make([]byte, len(startEvent)))
		_ = resp.Body.Close()
	}
	if (err != nil) != r.host.whole {
		t.Errorf("the first event: %v", err)
	}
	<-r.upstream.Canceled()
}

func wrongRequests(t *testing.T, r *rig) {
	t.Helper()
	tests := []struct {
		method, path string
		status       int
		allow        []string
	}{
		{method: http.MethodGet, path: messagesPath, status: 405, allow: []string{http.MethodPost}},
		{method: http.MethodDelete, path: messagesPath, status: 405, allow: []string{http.MethodPost}},
		{method: http.MethodPost, path: "/plugins", status: 405, allow: []string{http.MethodGet}},
		{method: http.MethodGet, path: "/nothing", status: 404},
		{method: http.MethodPost, path: "/claude/v1/nothing", status: 404},
		{method: http.MethodPost, path: "/claude/v1/messages/batches/x", status: 404},
	}
	for _, tt := range tests {
		resp, body := r.ask(t, tt.method, tt.path, "")
		if resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != "application/json" ||
			!json.Valid([]byte(body)) || !strings.Contains(body, `"error"`) {
			t.Errorf("%s %s: got %d %v %s", tt.method, tt.path, resp.StatusCode, resp.Header, body)
		}
		allow := strings.Split(strings.ReplaceAll(resp.Header.Get("Allow"), " ", ""), ",")
		for _, m := range tt.allow {
			if !slices.Contains(allow, m) {
				t.Errorf("%s %s: Allow is %q", tt.method, tt.path, allow)
			}
		}
	}
}

func links(t *testing.T, r *rig) {
	t.Helper()
	resp, _ := r.ask(t, http.MethodGet, "/linker", "")
	if got, want := resp.Header.Get("X-Link"), r.host.base+"/linker"; got != want {
		t.Errorf("link = %q, want %q", got, want)
	}
}

func encodedPaths(t *testing.T, r *rig) {
	t.Helper()
	for path, name := range map[string]string{"a%2Db": "a-b", "a%20b": "a b", "%C3%BC": "ü", "100%25": "100%"} {
		resp, body := r.ask(t, http.MethodGet, "/linker/"+path, "")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Seen") != "/linker/"+path {
			t.Errorf("%s: got %d %v %s", path, resp.StatusCode, resp.Header, body)
		}
		if resp.Header.Get("X-Name") != name && name != "ü" { // header values are not text
			t.Errorf("%s: name = %q", path, resp.Header.Get("X-Name"))
		}
	}
	for _, path := range []string{"a%2fb", "%2e%2e", "a%5cb", "%00", "%2E%2E%2fplugins"} {
		resp, body := r.ask(t, http.MethodGet, "/linker/"+path, "")
		if resp.StatusCode < 300 || resp.Header.Get("X-Seen") != "" {
			t.Errorf("%s: got %d %v %s", path, resp.StatusCode, resp.Header, body)
		}
	}
}
