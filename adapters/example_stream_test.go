package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
)

// events is a stream of what an upstream sends, of events without names.
func events(data ...string) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		for _, d := range data {
			if !yield(adapters.Event{Data: []byte(d)}, nil) {
				return
			}
		}
	}
}

// conversion is the adapter of a pair whose formats both have codecs.
func conversion(reg *adapters.Registry, from, to adapters.Format) adapters.Conversion {
	adapter, err := reg.Lookup(adapters.FormatPair{From: from, To: to})
	if err != nil {
		log.Fatal(err)
	}
	c, ok := adapter.(adapters.Conversion)
	if !ok {
		log.Fatal("not made of codecs")
	}
	return c
}

// A client wants one whole answer of an upstream that only streams. What the upstream tells in a stream without an
// answer is an error with a status.
func ExampleCollect() {
	chat, messages := openai.Chat(), anthropic.Codec()
	resp, err := adapters.Collect(chat.DecodeStream(), events(
		`{"id":"c1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Two streets"}}]}`,
		`{"id":"c1","choices":[{"index":0,"delta":{"content":" on."},"finish_reason":"stop"}]}`,
		`{"id":"c1","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":4}}`,
		`[DONE]`,
	))
	if err != nil {
		log.Fatal(err)
	}
	body, err := messages.Responses().EncodeResponse(resp, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	answer := object(string(body))
	fmt.Println(answer["type"], answer["content"], answer["stop_reason"])

	_, err = adapters.Collect(messages.DecodeStream(), events(
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`))
	if told, ok := errors.AsType[*adapters.StreamError](err); ok {
		fmt.Println(told.Info().Status, told)
	}
	_, err = adapters.Collect(chat.DecodeStream(), events(`{"id":"c1","choices":[{"delta":{"content":"Two"}}]}`))
	fmt.Println(errors.Is(err, adapters.ErrStreamCut))
	// Output:
	// message [map[text:Two streets on. type:text]] end_turn
	// 529 Overloaded
	// true
}

// A client wants a stream of an upstream, or of a cache, that has the answer as a whole.
func ExampleReplay() {
	whole := `{"id":"c1","model":"m","choices":[{"index":0,"finish_reason":"stop",` +
		`"message":{"role":"assistant","content":"Two streets on."}}]}`
	resp, err := openai.Chat().Responses().DecodeResponse([]byte(whole))
	if err != nil {
		log.Fatal(err)
	}
	var req *canonical.Request // the client's, where it is at hand
	err = adapters.Replay(resp, anthropic.Codec().EncodeStream(req), func(ev adapters.Event) error {
		_, err := fmt.Println(ev.Type) // an error of writing to the client ends it
		return err
	})
	fmt.Println(err)
	// Output:
	// message_start
	// content_block_start
	// content_block_delta
	// content_block_stop
	// message_delta
	// message_stop
	// <nil>
}

// Whoever passes a stream on unconverted has to know whether it came to its end, since no client can tell a stream
// that broke off from one that goes on. One that did is ended with the format's own error event.
func ExampleTerminal() {
	const format = adapters.AnthropicMessages
	upstream := events(
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Two"}}`) // and nothing more
	ended := false
	for ev, err := range upstream {
		if err != nil {
			break
		}
		fmt.Fprintf(os.Stdout, "data: %s\n\n", ev.Data)
		if ended, _ = adapters.Terminal(format, ev.Type, ev.Data); ended {
			break
		}
	}
	if !ended {
		ev := adapters.EncodeStreamError(format, adapters.ErrorInfo{Status: 502, Message: "the upstream broke off"})
		fmt.Fprintf(os.Stdout, "event: %s\ndata: %s\n", ev.Type, ev.Data)
	}
	// Output:
	// data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Two"}}
	//
	// event: error
	// data: {"type":"error","error":{"type":"api_error","message":"the upstream broke off"}}
}

// A producer decides what the client is told when it gives up in the middle: the failure, and never the cause.
func ExampleStreamError() {
	budget := func(in adapters.Stream) adapters.Stream {
		return func(yield func(adapters.Event, error) bool) {
			for ev, err := range in {
				if !yield(ev, err) {
					return
				}
				failure := canonical.Error{Type: "rate_limit_error", Message: canonical.NewToken("the budget is spent")}
				yield(adapters.Event{}, &adapters.StreamError{
					Failure: failure, Err: errors.New("tenant 7 of ledger-2"),
				})
				return
			}
		}
	}
	upstream := events(`{"id":"c1","model":"m","choices":[{"delta":{"content":"Two"}}]}`, `[DONE]`)
	back := conversion(dialects(), adapters.OpenAIChatCompletions, adapters.AnthropicMessages)
	for ev, err := range back.ConvertStreamFor(context.Background(), budget(upstream), nil, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ev.Type)
		if terminal, failed := adapters.Terminal(adapters.AnthropicMessages, ev.Type, ev.Data); terminal {
			fmt.Println(failed, string(ev.Data))
		}
	}
	// Output:
	// message_start
	// content_block_start
	// content_block_delta
	// error
	// true {"type":"error","error":{"type":"rate_limit_error","message":"the budget is spent"}}
}
