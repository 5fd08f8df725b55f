package adapters_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// memo is the dialect of a service that knows nothing but one question and one answer:
//
//	request  {"model":"m","ask":"question","limit":9}
//	answer   {"says":"answer"}
//	error    {"problem":"message"}
//	stream   {"piece":"fragment"} as often as it takes, {"end":true}
type memo struct{}

func (memo) Format() adapters.Format                                { return "acme.memo" }
func (memo) Requests() adapters.RequestCodec                        { return memoRequests{} }
func (memo) Responses() adapters.ResponseCodec                      { return memoAnswers{} }
func (memo) DecodeStream() adapters.StreamDecoder                   { return new(memoDecoder) }
func (memo) EncodeStream(*canonical.Request) adapters.StreamEncoder { return new(memoEncoder) }

// memoRequests has the text in raw JSON, as the neutral model does: nothing is unescaped on the way.
type memoRequests struct{}

type memoRequest struct {
	Model string          `json:"model"`
	Ask   json.RawMessage `json:"ask"`
	Limit json.RawMessage `json:"limit,omitempty"`
}

func (memoRequests) DecodeRequest(body []byte) (*canonical.Request, error) {
	var in memoRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrInvalidInput, err)
	}
	question := canonical.Part{Kind: canonical.PartText, Text: canonical.Token(in.Ask)}
	return &canonical.Request{
		Source: string(memo{}.Format()), Model: in.Model, MaxTokens: canonical.Raw(in.Limit),
		Messages: []canonical.Message{{Role: canonical.RoleUser, Plain: true, Parts: []canonical.Part{question}}},
	}, nil
}

// EncodeRequest keeps the last words, and tells what else there was.
func (memoRequests) EncodeRequest(req *canonical.Request, lost *canonical.Losses) ([]byte, error) {
	out := memoRequest{Model: req.Model, Limit: json.RawMessage(req.MaxTokens)}
	for i, m := range req.Messages {
		if i < len(req.Messages)-1 {
			lost.Add(m.Path, "only the last message is asked")
			continue
		}
		out.Ask = textOf(m.Parts, lost)
	}
	return json.Marshal(out)
}

func textOf(parts []canonical.Part, lost *canonical.Losses) json.RawMessage {
	var texts []canonical.Token
	for _, p := range parts {
		if p.Kind != canonical.PartText {
			lost.Add(p.Path, "not text")
			continue
		}
		texts = append(texts, p.Text)
	}
	return json.RawMessage(canonical.Join("\n", texts...))
}

type memoAnswers struct{}

func (memoAnswers) DecodeResponse(body []byte) (*canonical.Response, error) {
	var in struct {
		Says json.RawMessage `json:"says"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrInvalidInput, err)
	}
	text := canonical.Part{Kind: canonical.PartText, Text: canonical.Token(in.Says)}
	return &canonical.Response{
		Source: string(memo{}.Format()), ID: canonical.NewToken("memo"),
		Choices: []canonical.Choice{
			{Parts: []canonical.Part{text}, Stop: canonical.Stop{Reason: canonical.StopEnd}},
		},
	}, nil
}

func (memoAnswers) EncodeResponse(
	resp *canonical.Response, _ *canonical.Request, lost *canonical.Losses,
) ([]byte, error) {
	if len(resp.Choices) == 0 {
		return nil, fmt.Errorf("%w: no answer", adapters.ErrInvalidInput)
	}
	return json.Marshal(map[string]json.RawMessage{"says": textOf(resp.Choices[0].Parts, lost)})
}

func (memoAnswers) DecodeError(body []byte) (*canonical.Error, error) {
	var in struct {
		Problem string `json:"problem"`
	}
	err := json.Unmarshal(body, &in)
	return &canonical.Error{Message: canonical.NewToken(in.Problem)}, err
}

func (memoAnswers) EncodeError(e *canonical.Error) []byte {
	return fmt.Appendf(nil, `{"problem":%s}`, []byte(e.Message)) // its String would be the text
}

// A codec of one's own is all it takes for every client to reach an upstream that speaks a dialect of its own.
func ExampleCodec() {
	var reg adapters.Registry
	for _, codec := range []adapters.Codec{memo{}, anthropic.Codec()} {
		if err := reg.RegisterCodec(codec); err != nil {
			log.Fatal(err)
		}
	}
	ctx := context.Background()
	there := conversion(&reg, adapters.AnthropicMessages, "acme.memo")
	body, req, lost, err := there.ConvertRequestLossy(ctx, []byte(`{"model":"m","max_tokens":9,"messages":[`+
		`{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"},`+
		`{"role":"user","content":"caf\u00e9?"}]}`))
	fmt.Printf("%s %v\n", body, err)
	for _, l := range lost {
		fmt.Println("lost:", l.Path, "-", l.Reason)
	}
	back := conversion(&reg, "acme.memo", adapters.AnthropicMessages)
	upstream := events(`{"piece":"Two"}`, `{"piece":" streets on."}`, `{"end":true}`)
	for ev, err := range back.ConvertStreamFor(ctx, upstream, req, nil) {
		fmt.Println(ev.Type, err)
	}
	out, meant := back.ConvertErrorFor(429, []byte(`{"problem":"slow down"}`))
	fmt.Println(string(out), meant.Type)
	// Output:
	// {"model":"m","ask":"caf\u00e9?","limit":9} <nil>
	// lost: messages[0] - only the last message is asked
	// lost: messages[1] - only the last message is asked
	// message_start <nil>
	// content_block_start <nil>
	// content_block_delta <nil>
	// content_block_delta <nil>
	// content_block_stop <nil>
	// message_delta <nil>
	// message_stop <nil>
	// {"type":"error","error":{"type":"rate_limit_error","message":"slow down"}} rate_limit_error
}
