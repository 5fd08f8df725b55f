package adapters_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ccproxy-go/ccproxy/adapters"
)

func ExampleShim() {
	type messages struct {
		Model     string `json:"model"`
		MaxTokens int    `json:"max_tokens"`
	}
	type chat struct {
		Model string `json:"model"`
		Limit int    `json:"max_completion_tokens"`
	}
	shim := adapters.NewShim("messages_to_chat",
		adapters.Request(func(_ context.Context, in *messages) (*chat, error) {
			return &chat{Model: in.Model, Limit: in.MaxTokens}, nil
		}))

	var reg adapters.Registry
	pair := adapters.FormatPair{From: adapters.AnthropicMessages, To: adapters.OpenAIChatCompletions}
	if _, err := reg.Register(adapters.Registration{Pair: pair, Adapter: shim}); err != nil {
		fmt.Println(err)
		return
	}

	adapter, err := reg.Lookup(pair)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(adapter.ConvertRequest(context.Background(), map[string]any{"model": "m", "max_tokens": 5}))
	_, err = adapter.ConvertRequest(context.Background(), map[string]any{"model": 7})
	fmt.Println(errors.Is(err, adapters.ErrInvalidInput))
	// Output:
	// map[max_completion_tokens:5 model:m] <nil>
	// true
}

func ExampleEncodeError() {
	e := adapters.ErrorInfo{Status: 429, Message: "slow down"}
	fmt.Printf("%s\n", adapters.EncodeError(adapters.AnthropicMessages, e))
	fmt.Printf("%s\n", adapters.EncodeError(adapters.OpenAIChatCompletions, e))
	// Output:
	// {"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}
	// {"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}
}
