package ccproxy_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// An upstream that streams whatever it was asked answers a client who wants a whole answer, and only with a whole one.
func TestCollectedAnswer(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{})
		events := providertest.TextEvents("claude-fake-1", "one two")
		r.upstream.Enqueue(providertest.Stream(events...), providertest.Stream(events[:4]...))
		rec := c.post(t, r, "")
		if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json" ||
			c.text(rec.Body.Bytes()) != "one two" {
			t.Errorf("answer %d %v %s", rec.Code, rec.Header(), rec.Body)
		}
		if end := r.completed(t); end.Usage == nil || end.Usage.OutputTokens == 0 {
			t.Errorf("usage for hooks = %+v", end.Usage)
		}
		rec = c.post(t, r, "")
		wantError(t, rec, openAIDialect, http.StatusBadGateway, "server_error", "broke off")
		r.failed(t)
	})
}

// An upstream that answers whole although a stream was asked for answers a client who reads a stream.
func TestReplayedAnswer(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{})
		body := `{"id":"msg_1","type":"message","role":"assistant","model":"claude-fake-1","content":[{"type":"text",` +
			`"text":"one two"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}`
		r.upstream.Enqueue(providertest.Raw(200, http.Header{"Content-Type": {"application/json"}}, body))
		rec := c.post(t, r, `,"stream":true`)
		got := c.read(t, rec.Body.String())
		if !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/event-stream") || got.text != "one two" ||
			got.done != 1 || got.failed != 0 || got.afterTerminal {
			t.Errorf("stream %+v\n%s", got, rec.Body)
		}
		r.completed(t)
	})
}

// Hooks are told of a stream that the provider sent, whatever the client gets, and of none where there was none.
func TestEventsOfReshapedAnswers(t *testing.T) {
	t.Parallel()
	const chat = "/claude/v1/chat/completions"
	const body = `{"model":"m","messages":[{"role":"user","content":"x"}]}`
	events := providertest.TextEvents("m", "one two")
	whole := `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"one"}],` +
		`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}`
	for _, tt := range []struct {
		name, body string
		reply      providertest.Reply
		streamed   bool
		complete   bool
	}{
		{"collected", body, providertest.Stream(events...), true, true},
		{"collected in vain", body, providertest.Stream(events[:4]...), true, false},
		{
			"replayed", strings.Replace(body, "{", `{"stream":true,`, 1),
			providertest.Raw(200, http.Header{"Content-Type": {"application/json"}}, whole), false, true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, nil)
				s.log.take()
				s.up.Enqueue(tt.reply)
				if w := s.post(t.Context(), chat, tt.body); (w.Code == http.StatusOK) != tt.complete {
					t.Errorf("answer %d %s", w.Code, w.Body)
				}
				got := s.log.take()
				checkLedger(t, got)
				names := namesOfEvents(got)
				if !tt.streamed {
					for _, e := range []hooks.Event{"provider.stream.start", "provider.stream.chunk", "provider.stream.end"} {
						if slices.Contains(names, e) {
							t.Errorf("%s of a provider that did not stream", e)
						}
					}
					return
				}
				payloadOf[*hooks.ProviderStreamStart](t, got)
				end := payloadOf[*hooks.ProviderStreamEnd](t, got)
				chunks := int64(0)
				for _, name := range names {
					if name == "provider.stream.chunk" {
						chunks++
					}
				}
				if end.Chunks != chunks || chunks == 0 || end.Bytes == 0 || end.Complete != tt.complete ||
					(end.Err == "") != tt.complete || end.Usage == nil {
					t.Errorf("stream end after %d chunks = %+v", chunks, end)
				}
			})
		})
	}
}

// stubborn answers in one shape, whatever was asked for.
type stubborn struct {
	idleProvider

	stream  bool
	reshape bool
	body    string
}

func (s stubborn) Do(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
	return &ccproxy.Answer{Body: io.NopCloser(strings.NewReader(s.body)), Stream: s.stream, Reshape: s.reshape}, nil
}

func (s stubborn) proxy(t *testing.T, f adapters.Format) *ccproxy.Proxy {
	t.Helper()
	m := ccproxy.Manifest{Name: "stubborn", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
		Formats: []adapters.Format{f},
		New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return s, nil },
	}}}
	return running(t, ccproxy.Settings{}, []ccproxy.Factory{plain(m)})
}

// A provider in the client's own format that only streams answers whole, with what only its last event tells and with
// what repeats the request, and one that never streams answers with a stream: if the provider says that it may be so.
func TestReshapedInOneFormat(t *testing.T) {
	t.Parallel()
	const (
		ask    = `{"model":"m","input":"x","instructions":"be brief"}`
		stream = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"," +
			"\"object\":\"response\",\"created_at\":5,\"status\":\"in_progress\",\"model\":\"m\",\"output\":[]}}\n\n" +
			"event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":" +
			"{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":" +
			"\"output_text\",\"text\":\"one\",\"annotations\":[]}]}}\n\n" +
			"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"object\":" +
			"\"response\",\"created_at\":5,\"status\":\"completed\",\"model\":\"m\",\"output\":[],\"service_tier\":\"flex\"," +
			"\"future\":[1],\"usage\":{\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5}}}\n\n"
	)
	s := stubborn{stream: true, reshape: true, body: stream}
	w := visit(s.proxy(t, adapters.OpenAIResponses), http.MethodPost, "/stubborn/v1/responses", ask)
	var got struct {
		ID, Status, Instructions string
		Tier                     string `json:"service_tier"`
		Future                   []int
		Output                   []struct{ Content []struct{ Text string } }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("answer %d %s: %v", w.Code, w.Body, err)
	}
	want := got
	want.ID, want.Status, want.Instructions, want.Tier, want.Future = "resp_1", "completed", "be brief", "flex", []int{1}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Output) != 1 || got.Output[0].Content[0].Text != "one" {
		t.Errorf("answer %s (-want +got):\n%s", w.Body, diff)
	}
	s.reshape = false
	if w := visit(s.proxy(t, adapters.OpenAIResponses), http.MethodPost, "/stubborn/v1/responses", ask); w.Body.String() != stream {
		t.Errorf("the stream was not relayed as it came: %s", w.Body)
	}
	s = stubborn{reshape: true, body: `{"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,` +
		`"message":{"role":"assistant","content":"one"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}`}
	w = visit(s.proxy(t, adapters.OpenAIChatCompletions), http.MethodPost, "/stubborn/v1/chat/completions",
		`{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}`)
	if !strings.Contains(w.Body.String(), `"content":"one"`) || !strings.HasSuffix(w.Body.String(), "data: [DONE]\n\n") {
		t.Errorf("no stream: %s", w.Body)
	}
}
