package adapters_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// What an application of its own kind asks, and is told.
type (
	ask struct {
		Model    string `json:"model"`
		Question string `json:"question"`
	}
	told struct {
		Text string `json:"text"`
	}
	refused struct {
		Reason string `json:"reason"`
	}
)

// The parts of the chat format that matter to it.
type (
	chatRequest struct {
		Model    string        `json:"model"`
		Messages []chatMessage `json:"messages"`
	}
	chatMessage struct {
		Role    string `json:"role,omitempty"`
		Content string `json:"content"`
	}
	chatAnswer struct {
		Choices []struct {
			Message, Delta chatMessage
		} `json:"choices"`
	}
	chatError struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
)

// Validate is asked after a request was decoded.
func (a *ask) Validate() error {
	if a.Question == "" {
		return errors.New("question is missing")
	}
	return nil
}

// askToChat converts what goes upstream.
func askToChat() *adapters.Shim {
	return adapters.NewShim("ask_to_chat", adapters.Request(func(_ context.Context, in *ask) (*chatRequest, error) {
		return &chatRequest{Model: in.Model, Messages: []chatMessage{{Role: "user", Content: in.Question}}}, nil
	}))
}

// chatToAsk converts what comes back: answers, errors and streams.
func chatToAsk() *adapters.Shim {
	stages := []adapters.Stage{
		adapters.Response(func(_ context.Context, in *chatAnswer) (*told, error) {
			if len(in.Choices) == 0 {
				return nil, errors.New("no choices")
			}
			return &told{Text: in.Choices[0].Message.Content}, nil
		}),
		adapters.ErrorStage(func(_ context.Context, in *chatError) (*refused, error) {
			return &refused{Reason: in.Error.Message}, nil
		}),
		adapters.StreamStage(pieces),
	}
	return adapters.NewShim("chat_to_ask", stages...)
}

// pieces yields what follows from a chunk before it pulls the next one.
func pieces(_ context.Context, chunks iter.Seq2[*chatAnswer, error]) iter.Seq2[*told, error] {
	return func(yield func(*told, error) bool) {
		for chunk, err := range chunks {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, c := range chunk.Choices {
				if !yield(&told{Text: c.Delta.Content}, nil) {
					return
				}
			}
		}
	}
}

// object is a body, or the data of an event, as untyped adapters take it.
func object(text string) map[string]any {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		log.Fatal(err)
	}
	return m
}

// A plugin brings a format of its own with typed functions: one shim for each direction. Compose makes one adapter
// for whole calls of both.
func ExampleStage() {
	const own = adapters.Format("acme.ask")
	to := adapters.FormatPair{From: own, To: adapters.OpenAIChatCompletions}
	var reg adapters.Registry
	for pair, shim := range map[adapters.FormatPair]*adapters.Shim{to: askToChat(), to.Reverse(): chatToAsk()} {
		if _, err := reg.Register(adapters.Registration{Pair: pair, Adapter: shim, Plugin: "acme"}); err != nil {
			log.Fatal(err)
		}
	}
	var call *adapters.Composed
	call, err := reg.Compose(adapters.Chain{own, adapters.OpenAIChatCompletions})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	fmt.Println(call.ConvertRequest(ctx, object(`{"model":"m","question":"Where?"}`)))
	fmt.Println(call.ConvertResponse(ctx, object(`{"choices":[{"message":{"content":"Two streets on."}}]}`)))
	fmt.Println(call.ConvertError(ctx, object(`{"error":{"message":"slow down"}}`)))
	chunks := values(object(`{"choices":[{"delta":{"content":"Two"}}]}`), object(`{"choices":[]}`))
	for piece, err := range call.ConvertStream(ctx, chunks) {
		fmt.Println(piece, err)
	}
	// Output:
	// map[messages:[map[content:Where? role:user]] model:m] <nil>
	// map[text:Two streets on.] <nil>
	// map[reason:slow down] <nil>
	// map[text:Two] <nil>
}
