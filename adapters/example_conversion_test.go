package adapters_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
)

// dialects is what a proxy registers by itself.
func dialects() *adapters.Registry {
	reg := new(adapters.Registry)
	for _, codec := range []adapters.Codec{anthropic.Codec(), openai.Chat(), openai.Responses()} {
		if err := reg.RegisterCodec(codec); err != nil {
			log.Fatal(err)
		}
	}
	return reg
}

// A codec for each dialect makes an adapter for each pair. Such an adapter is a Conversion: it takes and gives JSON, and
// tells what the target cannot express.
func ExampleRegistry_RegisterCodec() {
	reg := dialects()
	for _, pair := range reg.Pairs() {
		fmt.Println(pair)
	}
	adapter, err := reg.Lookup(adapters.FormatPair{
		From: adapters.OpenAIChatCompletions, To: adapters.AnthropicMessages,
	})
	if err != nil {
		log.Fatal(err)
	}
	conversion, ok := adapter.(adapters.Conversion)
	if !ok {
		log.Fatal("not made of codecs")
	}
	body := `{"model":"m","max_tokens":9,"seed":7,"messages":[{"role":"user","content":"caf\u00e9"}]}`
	out, _, lost, err := conversion.ConvertRequestLossy(context.Background(), []byte(body))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", out)
	for _, loss := range lost {
		fmt.Println("lost:", loss.Path)
	}
	// Output:
	// anthropic.messages->openai.chat_completions
	// anthropic.messages->openai.responses
	// openai.chat_completions->anthropic.messages
	// openai.chat_completions->openai.responses
	// openai.responses->anthropic.messages
	// openai.responses->openai.chat_completions
	// {"model":"m","max_tokens":9,"messages":[{"role":"user","content":"caf\u00e9"}]}
	// lost: seed
}

// A chain goes through a format between: requests along it, answers the other way round.
func ExampleRegistry_Compose() {
	chain := adapters.Chain{adapters.OpenAIResponses, adapters.OpenAIChatCompletions, adapters.AnthropicMessages}
	composed, err := dialects().Compose(chain)
	if err != nil {
		log.Fatal(err)
	}
	out, err := composed.ConvertRequest(context.Background(), map[string]any{
		"model": "m", "input": "hello", "max_output_tokens": 9,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["max_tokens"], out["messages"])
	// Output: 9 [map[content:hello role:user]]
}

// Adapters for one pair may be several: the lower priority is in charge.
func ExampleRegistry_Register() {
	reg := dialects()
	pair := adapters.FormatPair{From: adapters.OpenAIChatCompletions, To: adapters.AnthropicMessages}
	unregister, err := reg.Register(adapters.Registration{
		Pair: pair, Plugin: "mine", Priority: 10,
		Adapter: adapters.Funcs{
			Name: "chat_to_messages",
			Request: func(_ context.Context, in map[string]any) (map[string]any, error) {
				return map[string]any{"model": in["model"], "max_tokens": 1}, nil
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", reg.Owner(pair))
	unregister()
	fmt.Printf("%q\n", reg.Owner(pair))
	// Output:
	// "mine"
	// ""
}
