package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// shout is a provider that answers in capital letters.
type shout struct{}

func factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "shout", Kind: ccproxy.KindProvider,
		Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.OpenAIChatCompletions},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return shout{}, nil },
		}},
	}, nil)
}

func (shout) Models(context.Context) ([]ccproxy.Model, error) {
	return []ccproxy.Model{{ID: "shout-1"}}, nil
}

func (shout) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	var req struct {
		Messages []struct {
			Content string `json:"content"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(call.Body, &req); err != nil || len(req.Messages) == 0 {
		return nil, &ccproxy.Error{Status: http.StatusBadRequest, Message: "messages: missing", Err: err}
	}
	text := strings.ToUpper(req.Messages[len(req.Messages)-1].Content)
	message := map[string]string{"role": "assistant", "content": text}
	part, object := "message", "chat.completion"
	if call.Stream {
		part, object = "delta", "chat.completion.chunk"
	}
	answer, err := json.Marshal(map[string]any{
		"id": call.ID, "object": object, "created": 0, "model": call.Model,
		"choices": []any{map[string]any{"index": 0, part: message, "finish_reason": "stop"}},
	})
	if call.Stream { // one event with the whole answer, and the one that ends the stream
		answer = []byte("data: " + string(answer) + "\n\ndata: [DONE]\n\n")
	}
	return &ccproxy.Answer{Stream: call.Stream, Body: io.NopCloser(strings.NewReader(string(answer)))}, err
}
