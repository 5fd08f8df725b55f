package adapters_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// after changes what a conversion gives.
func after(convert adapters.ConvertFunc, change func(map[string]any)) adapters.ConvertFunc {
	return func(ctx context.Context, in map[string]any) (map[string]any, error) {
		out, err := convert(ctx, in)
		if err == nil {
			change(out)
		}
		return out, err
	}
}

// each changes what the conversion of a stream gives, as it goes by.
func each(convert adapters.ConvertStreamFunc, change func(map[string]any)) adapters.ConvertStreamFunc {
	return func(ctx context.Context, in iter.Seq2[map[string]any, error]) iter.Seq2[map[string]any, error] {
		return func(yield func(map[string]any, error) bool) {
			for value, err := range convert(ctx, in) {
				if err == nil {
					change(value)
				}
				if !yield(value, err) {
					return
				}
			}
		}
	}
}

// A plugin puts an adapter around the one that was in charge: it does the same, and hides which model answered.
func ExampleFormatAdapter() {
	reg := dialects()
	pair := adapters.FormatPair{From: adapters.OpenAIChatCompletions, To: adapters.AnthropicMessages}
	inner, err := reg.Lookup(pair)
	if err != nil {
		log.Fatal(err)
	}
	hide := func(m map[string]any) {
		if message, ok := m["message"].(map[string]any); ok { // of a stream's first event
			m = message
		}
		if m["model"] != nil {
			m["model"] = "house"
		}
	}
	outer := adapters.Funcs{
		Name: "hidden_model", Request: inner.ConvertRequest, Error: inner.ConvertError,
		Response: after(inner.ConvertResponse, hide), Stream: each(inner.ConvertStream, hide),
	}
	if _, err := reg.Register(adapters.Registration{Pair: pair, Adapter: outer, Plugin: "hide"}); err != nil {
		log.Fatal(err)
	}
	var adapter adapters.FormatAdapter
	if adapter, err = reg.Lookup(pair); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	answer, err := adapter.ConvertResponse(ctx, object(
		`{"id":"1","model":"m-2031","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}`))
	fmt.Println(answer["model"], answer["stop_reason"], err)
	for ev, err := range adapter.ConvertStream(ctx, values(object(`{"id":"1","model":"m-2031","choices":[]}`))) {
		message, _ := ev["message"].(map[string]any)
		fmt.Println(ev["type"], message["model"], err)
		break
	}
	// Output:
	// house end_turn <nil>
	// message_start house <nil>
}

// A program that holds bytes asks for the upgrade first: it saves the maps, and keeps text as it was written.
func ExampleRawAdapter() {
	convert := func(ctx context.Context, adapter adapters.FormatAdapter, body []byte) ([]byte, error) {
		if raw, ok := adapter.(adapters.RawAdapter); ok {
			return raw.ConvertRawRequest(ctx, body)
		}
		var in map[string]any
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		out, err := adapter.ConvertRequest(ctx, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
	codecs, err := dialects().Lookup(adapters.FormatPair{
		From: adapters.OpenAIChatCompletions, To: adapters.AnthropicMessages,
	})
	if err != nil {
		log.Fatal(err)
	}
	body := []byte(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"caf\u00e9"}]}`)
	for _, adapter := range []adapters.FormatAdapter{codecs, adapters.Funcs{Request: codecs.ConvertRequest}} {
		out, err := convert(context.Background(), adapter, body)
		fmt.Printf("%s %v\n", out, err)
	}
	// Output:
	// {"model":"m","max_tokens":9,"messages":[{"role":"user","content":"caf\u00e9"}]} <nil>
	// {"max_tokens":9,"messages":[{"content":"café","role":"user"}],"model":"m"} <nil>
}

// A conversation goes on with another vendor: reasoning that a conversion packed up for the client means nothing
// there, and would be refused.
func ExampleWithhold() {
	back := conversion(dialects(), adapters.OpenAIResponses, adapters.AnthropicMessages)
	answer, _, err := back.ConvertResponseFor(context.Background(), []byte(`{"id":"r1","model":"m",`+
		`"status":"completed","output":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"},`+
		`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Two streets on."}]}]}`), nil)
	if err != nil {
		log.Fatal(err)
	}
	var turn struct {
		Content json.RawMessage `json:"content"`
	}
	if err := json.Unmarshal(answer, &turn); err != nil {
		log.Fatal(err)
	}
	// The client repeats the turn in its next request, which goes to Anthropic.
	request := fmt.Appendf(nil, `{"messages":[{"role":"assistant","content":%s}]}`, turn.Content)
	body, lost := adapters.Withhold(adapters.AnthropicMessages, request)
	fmt.Printf("%s\n", body)
	for _, l := range lost {
		fmt.Println("lost:", l.Path)
	}
	// Output:
	// {"messages":[{"role":"assistant","content":[{"type":"text","text":"Two streets on."}]}]}
	// lost: messages[0].content[0]
}
