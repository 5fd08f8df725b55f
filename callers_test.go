package ccproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/limit"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// telling lets all in and tells what requests took.
type telling struct{ ended chan int64 }

func (l *telling) Begin(context.Context, limit.Request) (limit.Decision, error) {
	return limit.Decision{}, nil
}

func (l *telling) End(_ context.Context, _ limit.Request, tokens int64) error {
	l.ended <- tokens
	return nil
}

// Whoever leaves a stream of Anthropic's before its last event has taken what came until then, not the single token of
// message_start, which is no figure of the answer.
func TestTokensOfAStreamThatTheClientLeft(t *testing.T) {
	t.Parallel()
	l := &telling{ended: make(chan int64, 1)}
	r := newRig(t, rigSetup{
		settings: ccproxy.Settings{Security: ccproxy.Security{Limits: limit.Policy{TokensPerMinute: 1000}}},
		options:  []ccproxy.Option{ccproxy.WithLimiter(l)},
	})
	var events strings.Builder
	events.WriteString("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\"," +
		"\"role\":\"assistant\",\"model\":\"claude-fake-1\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null," +
		"\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n")
	const deltas = 2000 // of a token each
	for i := range deltas {
		fmt.Fprintf(&events, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"+
			"\"delta\":{\"type\":\"text_delta\",\"text\":\"w%d \"}}\n\n", i)
	}
	r.upstream.Enqueue(providertest.Stream(providertest.Bytes(events.String()), providertest.Gate(make(chan struct{}))))
	h := newHost(t, r.proxy, false)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://host"+messagesPath, strings.NewReader(streamBody))
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	seen := make([]byte, events.Len())
	if _, err := io.ReadFull(resp.Body, seen); err != nil {
		t.Fatal(err)
	}
	cancel() // with all of the text, and before message_delta
	if got := <-l.ended; got < deltas/2 {
		t.Errorf("the client took %d tokens of text; its limit counts %d", deltas, got)
	}
}

// A caller for PROVIDER/MODEL may use the model with this provider. A target of another is passed over, whichever way the
// client says the name.
func TestFallbackOfACallerForOneProvider(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, model string }{
		{messagesPath, "claude-fake-1"}, {"/v1/messages", "claude-fake-1"}, {"/v1/messages", "claude/claude-fake-1"},
	} {
		var second spare
		r := newRig(t, rigSetup{
			settings: ccproxy.Settings{Fallbacks: []ccproxy.Fallback{{Match: "claude/claude-fake-1", Targets: []string{"spare/expensive"}}}},
			plugins:  []ccproxy.Factory{second.factory()},
		})
		r.upstream.Handler = func(providertest.Request) providertest.Reply { return providertest.Error(500, "api_error", "No", nil) }
		body := strings.Replace(wholeBody, "claude-fake-1", tt.model, 1)
		req := httptest.NewRequest(http.MethodPost, tt.path, strings.NewReader(body))
		caller := ccproxy.Caller{ID: "a", Models: []string{"claude/claude-fake-1"}}
		rec := send(r, req.WithContext(ccproxy.ContextWithCaller(t.Context(), caller)))
		if len(second.asked()) != 0 {
			t.Errorf("%s %s: %d: a model was asked that the caller may not use: %s", tt.path, tt.model, rec.Code, second.asked())
		}
	}
}

// An answer that is too large to be held back has the tokens that its provider reports, such as that of a batch of
// embeddings: usage stands at its end.
func TestTokensOfALargeAnswer(t *testing.T) {
	t.Parallel()
	l := &telling{ended: make(chan int64, 1)}
	embeddings := `{"object":"list","model":"m","data":[` + strings.TrimSuffix(strings.Repeat(
		`{"object":"embedding","index":0,"embedding":[`+strings.TrimSuffix(strings.Repeat("-0.012345678,", 3072), ",")+`]},`, 256), ",") +
		`],"usage":{"prompt_tokens":2560,"total_tokens":2560}}` // 256 texts, with OpenAI's largest model
	p := spare{name: "office", format: adapters.OpenAIChatCompletions, fail: func() (*ccproxy.Answer, error) {
		return &ccproxy.Answer{Body: io.NopCloser(strings.NewReader(embeddings))}, nil
	}}
	r := newRig(t, rigSetup{
		settings: ccproxy.Settings{Security: ccproxy.Security{Limits: limit.Policy{TokensPerMinute: 100_000}}},
		options:  []ccproxy.Option{ccproxy.WithLimiter(l)}, plugins: []ccproxy.Factory{p.factory()},
	})
	rec := r.do(t, http.MethodPost, "/office/v1/embeddings", nil, strings.NewReader(`{"model":"m","input":["a"]}`))
	if rec.Code != 200 || rec.Body.String() != embeddings {
		t.Fatalf("%d, %d bytes", rec.Code, rec.Body.Len())
	}
	if got := <-l.ended; got > 10_000 {
		t.Errorf("of an answer of %d MiB the provider reports 2560 tokens; the caller is charged %d", len(embeddings)>>20, got)
	}
	if end := r.completed(t); end.Usage == nil {
		t.Errorf("hooks are told of no usage")
	}
}

// …and with a balance it takes no failure: the client's session chooses.
func TestBalanceOfACallerForOneProvider(t *testing.T) {
	t.Parallel()
	var second spare
	r := newRig(t, rigSetup{
		settings: ccproxy.Settings{Fallbacks: []ccproxy.Fallback{{Match: "claude/claude-fake-1", Targets: []string{"spare/expensive"}, Balance: "sticky"}}},
		plugins:  []ccproxy.Factory{second.factory()},
	})
	caller := ccproxy.Caller{ID: "a", Models: []string{"claude/claude-fake-1"}}
	for i := range 20 {
		req := httptest.NewRequest(http.MethodPost, "/v1/messages", strings.NewReader(strings.Replace(wholeBody, "claude-fake-1", "claude/claude-fake-1", 1)))
		req.Header.Set("Session-Id", fmt.Sprint("s", i))
		send(r, req.WithContext(ccproxy.ContextWithCaller(t.Context(), caller)))
	}
	if n := len(second.asked()); n != 0 {
		t.Errorf("%d of 20 calls went to spare/expensive, which the caller may not use", n)
	}
}
